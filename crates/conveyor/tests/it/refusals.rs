//! What configuration, rules and a server that is away forbid.

use conveyor::{Error, Outcome};

use crate::{
    promote::arrived_before,
    world::{APPS, AzureFault, BO, Client, Faults, Forge, GROUP, Sequence, config, main_branch, word},
};

const APP: &str = APPS[0];

#[tokio::test(start_paused = true)]
async fn a_local_configuration_serves_dry_runs_only() {
    let forge = Forge::new();
    arrived_before(&forge, APP, 48213, "qa").await;
    let local = config().replace("apps:\n", "policy: { require: [sunny-day] }\napps:\n");
    let acting = Client { config: Some(local.clone()), ..forge.client() };
    for sequence in [Sequence::Promote, Sequence::Copy, Sequence::Update] {
        let done = acting.run(sequence, &[(APP, 48213)], "qa").await;
        assert!(matches!(done.outcome, Err(Error::LocalConfig)), "{done:?}");
    }
    let dry = Client { config: Some(local), dry_run: true, ..forge.client() };
    let done = dry.promote(&[(APP, 48213)], "qa").await;
    assert!(done.is_denied_by("sunny-day"));
    assert_eq!(forge.commits(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_configured_is_said_with_what_is() {
    let forge = Forge::new();
    forge.built(APP, 48213).await;
    let done = forge.client().promote(&[("payment-api", 48213)], "dev").await;
    assert_eq!(done.error(), "there is no app payment-api in conveyor.yaml; it has orders-api, payments-api, web");
    let done = forge.client().promote(&[(APP, 48213)], "prod").await;
    assert_eq!(done.error(), "there is no environment prod in conveyor.yaml; it has dev, prod-wealth, qa");
    assert_eq!(done.outcome.unwrap_err().kind(), conveyor::Kind::Usage);

    forge.configure(&config().replace("ledger.git", "fork.git"));
    let done = forge.client().promote(&[(APP, 48213)], "dev").await;
    assert!(matches!(done.outcome, Err(Error::OtherLedger { .. })), "{done:?}");
    assert!(done.error().contains("https://git.example/fork.git main"), "{}", done.error());
    forge.configure(&config().replace("branch: main }", "branch: staging }"));
    let done = forge.client().promote(&[(APP, 48213)], "dev").await;
    assert!(matches!(done.outcome, Err(Error::OtherLedger { .. })), "{done:?}");

    let files = [(word("conveyor.yaml"), None)];
    forge.ledger.commit_files(&main_branch(), &files, "Gone\n").unwrap();
    let done = forge.client().promote(&[(APP, 48213)], "dev").await;
    assert!(matches!(done.outcome, Err(Error::NoConfig)), "{done:?}");
}

#[tokio::test(start_paused = true)]
async fn rules_that_cannot_be_evaluated_deny() {
    let forge = Forge::new();
    forge.built(APP, 48213).await;
    let rules = config().replace("apps:\n", "policy: { rules: rules/, require: [scan] }\napps:\n");
    forge.configure(&rules);
    let done = forge.client().promote(&[(APP, 48213)], "dev").await;
    assert!(done.is_denied_by("scan"), "a required rule that nobody knows");
    forge.configure(&rules.replace("[scan]", "[four-eyes]"));
    forge.commit(&[(word("policy/friday.rego"), "package conveyor\n".into())]);
    let done = forge.client().promote(&[(APP, 48213)], "dev").await;
    assert!(matches!(done.outcome, Ok(Outcome::Updated)), "rules are in another folder: {done:?}");
    assert_eq!(done.account.warnings, ["conveyor.yaml: policy.rules is rules, and the Ledger has no such folder"]);
    forge.built(APP, 48214).await;
    forge.commit(&[(word("rules/friday.rego"), "package conveyor\n".into())]);
    let done = forge.client().promote(&[(APP, 48214)], "dev").await;
    assert!(done.is_denied_by("rules-evaluated"));
    forge.configure(&config());
    let done = forge.client().promote(&[(APP, 48214)], "dev").await;
    assert!(done.is_denied_by("rules-evaluated"), "policy/ is where rules are by default");
    assert_eq!(forge.value("dev", APP), "48213");
}

#[tokio::test(start_paused = true)]
async fn without_azure_devops_nothing_is_written() {
    for (environment, question) in [("dev", 0), ("qa", 0), ("prod-wealth", 0), ("prod-wealth", 1)] {
        for (fault, transient) in [(AzureFault::Away, true), (AzureFault::Strange, false)] {
            let forge = Forge::new();
            arrived_before(&forge, APP, 48213, environment).await;
            let release = forge.add_release(APP, 48213);
            forge.approve(release, GROUP, BO);
            let commits = forge.commits();
            let faults = Faults { azure: [(question, fault)].into(), ..Faults::default() };
            let client = Client { release: Some(release), ..forge.client_with(faults) };
            let done = client.promote(&[(APP, 48213)], environment).await;
            let Ok(Outcome::Denied(denied)) = &done.outcome else { panic!("{environment}: {done:?}") };
            assert_eq!(denied[0].is_transient(), transient, "{environment}, {fault:?}: {denied:?}");
            assert_eq!((forge.commits(), client.servers.writes()), (commits, 0), "{environment}, {fault:?}");
        }
    }
}
