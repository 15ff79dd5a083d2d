//! What a promotion leaves on record, for who reads it without Conveyor.

use azure_devops::memory::End;
use conveyor::Outcome;
use policy::{RuleVerdict, Verdict};
use record::{ActKind, Approvals, CopyOutcome, Predicate};

use crate::{
    promote::arrived_before,
    world::{ANA, APPS, BO, Client, EVE, Forge, GROUP, Sequence, actor, main_branch, manifest_path, record_path, word},
};

const APP: &str = APPS[0];

#[tokio::test(start_paused = true)]
async fn an_entry_says_what_was_decided_on_what_and_by_whom() {
    let forge = Forge::new();
    let digest = arrived_before(&forge, APP, 48213, "prod-wealth").await;
    let release = forge.add_release(APP, 48213);
    // Eve starts it once more.
    forge.azure.end(release, "Prod-Wealth", End::Failed).unwrap();
    forge.azure.begin(release, "Prod-Wealth", &actor(EVE)).unwrap();
    // Only one of these counts.
    forge.approve(release, GROUP, ANA);
    forge.approve(release, GROUP, EVE);
    forge.approve(release, BO.1, BO);
    let approval = forge.approve(release, GROUP, BO);
    let head = forge.head();
    let client = Client { release: Some(release), ..forge.client() };
    let done = client.promote(&[(APP, 48213)], "prod-wealth").await;
    assert!(matches!(done.outcome, Ok(Outcome::AwaitingSync)), "{done:?}");

    let log = forge.ledger.log(&main_branch());
    assert_eq!((log[0].run, log[0].parents.clone()), (Some(client.run), vec![head]));
    assert_eq!(log[0].changed, [manifest_path("prod-wealth", APP), record_path("prod-wealth", APP)].into());
    assert_eq!(
        log[0].message,
        format!(
            "prod-wealth: payments-api 48213\n\npayments-api: nothing -> 48213 ({digest})\n\nConveyor-Run: {}\n",
            client.run
        )
    );

    let file = forge.ledger.file(&log[0].id, &record_path("prod-wealth", APP)).unwrap();
    let entries = record::parse_file(&file, &word("prod-wealth"), &word(APP)).unwrap();
    let [entry] = &*entries else { panic!("{entries:?}") };
    let Predicate::Act(act) = entry.predicate() else { panic!("{entry:?}") };
    assert!(entry.signatures().is_empty());
    assert_eq!(act.run, client.run);
    assert_eq!(act.kind, ActKind::Promote { lifts: None });
    assert_eq!(act.subject.artifact, release::Artifact { app: word(APP), build: word("48213"), digest });
    assert_eq!(act.subject.environment, word("prod-wealth"));
    assert_eq!(act.subject.registry, word("prod-wealth.example"));
    assert_eq!(act.subject.repository, word("forge/payments-api"));
    assert_eq!(act.from, Some(word("qa")));
    assert_eq!(act.requester, actor(ANA), "who created the release");
    assert!(act.time <= forge.clock.now() && act.time > forge.clock.now() - jiff::SignedDuration::from_secs(60));

    let copy = act.copy.as_ref().unwrap();
    assert_eq!((copy.outcome, copy.read_back), (CopyOutcome::Copied, digest));
    assert_eq!(copy.source.to_string(), format!("qa.example/forge/payments-api@{digest}"));

    assert_eq!((act.decided.commit, act.decided.found.as_deref(), act.decided.policy), (head, Some(""), None));
    let found = ledger::Remote::read(&forge.ledger, &head, &[word("conveyor.yaml")]).await.unwrap();
    assert_eq!(Some(act.decided.config), found[0].as_ref().map(|found| found.id));

    let stage = act.release.unwrap();
    assert_eq!((stage.id, stage.definition, stage.stage, stage.attempt), (48213, 10, 2, 2));
    let Approvals::Given(given) = &act.approvals else { panic!("{act:?}") };
    let [given] = &**given else { panic!("{given:?}") };
    assert_eq!((given.id, &given.approver, given.group.as_deref()), (approval, &actor(BO), Some(GROUP)));

    let rules: Vec<_> = act.rules.iter().map(|RuleVerdict { rule, verdict }| (rule.as_str(), *verdict)).collect();
    let every = ["build-on-record", "tag-free", "tag-immutable", "rules-evaluated", "build-of-definition", "four-eyes"];
    assert_eq!(rules, every.map(|rule| (rule, Verdict::Holds)));
}

#[tokio::test(start_paused = true)]
async fn the_first_environment_has_no_source_and_nobody_who_approved() {
    let forge = Forge::new();
    arrived_before(&forge, APP, 48213, "qa").await;
    let act = forge.act("dev", APP).unwrap();
    assert_eq!((&act.from, &act.copy, act.release), (&None, &None, None));
    assert_eq!(act.approvals, Approvals::Given(Vec::new()));
    assert_eq!(act.requester.id, word("claimed:agent"), "no release vouches for anybody");
    let four_eyes = act.rules.iter().find(|verdict| verdict.rule.as_str() == "four-eyes").unwrap();
    assert_eq!(four_eyes.verdict, Verdict::NotApplicable);
}

#[tokio::test(start_paused = true)]
async fn entries_stand_newest_first_and_older_builds_stay_promotable() {
    let forge = Forge::new();
    for number in 48201..48206 {
        forge.built(APP, number).await;
        let found = forge.value("dev", APP);
        forge.client().promote(&[(APP, number)], "dev").await.outcome.unwrap();
        assert_eq!(forge.act("dev", APP).unwrap().decided.found, Some(found));
    }
    let file = forge.ledger.file(&forge.head(), &record_path("dev", APP)).unwrap();
    let text = String::from_utf8(file.to_vec()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[6]), (7, "[", "]"));
    for (line, number) in lines[1..6].iter().zip((48201..48206).rev()) {
        assert!(line.contains(&format!(r#""build":"{number}""#)), "{line}");
    }
    // Another build than dev's newest goes on to qa; what was copied before is said to be there already.
    let copied = forge.client().run(Sequence::Copy, &[(APP, 48203)], "qa").await;
    assert!(matches!(copied.outcome, Ok(Outcome::Copied)), "{copied:?}");
    let done = forge.client().promote(&[(APP, 48203)], "qa").await;
    assert!(matches!(done.outcome, Ok(Outcome::Updated)), "{done:?}");
    assert_eq!(forge.act("qa", APP).unwrap().copy.unwrap().outcome, CopyOutcome::AlreadyPresent);
}
