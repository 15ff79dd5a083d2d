//! What happens to the Ledger, the approvals or the servers while a sequence is on its way.

use std::{sync::Arc, time::Duration};

use azure_devops::memory::{End, Server};
use bytes::Bytes;
use conveyor::{Error, Outcome};
use ledger::{RepoPath, faults::Fault};
use registry_copy::Observer;
use release::Digest;

use crate::{
    promote::arrived_before,
    world::{APPS, BO, Client, Faults, Forge, GROUP, config, main_branch, manifest, manifest_path, word},
};

const APP: &str = APPS[0];
const OTHER: &str = APPS[1];

/// Somebody else commits just before the first push of a promotion of 48213 to qa.
async fn raced(forge: &Forge, files: &[(RepoPath, Bytes)]) -> crate::world::Done {
    arrived_before(forge, APP, 48213, "qa").await;
    let quiet = Forge::new();
    arrived_before(&quiet, APP, 48213, "qa").await;
    let client = quiet.client();
    client.promote(&[(APP, 48213)], "qa").await;
    // The push is the last of its calls.
    let faults =
        Faults { ledger: [(client.ledger.calls() - 1, Fault::Race(files.into()))].into(), ..Faults::default() };
    forge.client_with(faults).promote(&[(APP, 48213)], "qa").await
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_does_not_matter_only_costs_another_push() {
    let forge = Forge::new();
    let done = raced(&forge, &[(word("README.md"), "Hello\n".into())]).await;
    assert!(matches!(done.outcome, Ok(Outcome::Updated)), "{done:?}");
    let account = done.account.ledger.unwrap();
    assert_eq!((done.account.pushes, account.commit), (2, forge.head()));
    let log = forge.ledger.log(&main_branch());
    assert_eq!((account.parent, log[0].parents.clone()), (log[1].id, vec![log[1].id]));
    // The decision was made one commit earlier, and nothing that it read has changed since.
    assert_eq!(forge.act("qa", APP).unwrap().decided.commit, log[2].id);
}

#[tokio::test(start_paused = true)]
async fn rules_that_change_before_the_push_are_the_rules_of_the_decision() {
    let forge = Forge::new();
    let text = config().replace("apps:\n", "policy: { require: [sunny-day] }\napps:\n");
    let done = raced(&forge, &[(word("conveyor.yaml"), text.into())]).await;
    assert!(done.is_denied_by("sunny-day"), "{done:?}");
    assert_eq!((forge.commits(), forge.value("qa", APP)), (3, String::new()));

    let forge = Forge::new();
    let done = raced(&forge, &[(word("policy/friday.rego"), "package conveyor\n".into())]).await;
    assert!(done.is_denied_by("rules-evaluated"), "{done:?}");

    let forge = Forge::new();
    let text = config().replace("sync: manual", "sync: manual # still");
    let done = raced(&forge, &[(word("conveyor.yaml"), text.into())]).await;
    assert!(matches!(done.outcome, Ok(Outcome::Updated)), "{done:?}");
    let log = forge.ledger.log(&main_branch());
    assert_eq!(forge.act("qa", APP).unwrap().decided.commit, log[1].id, "decided again, on the new file");
}

#[tokio::test(start_paused = true)]
async fn a_newer_build_that_comes_first_stays() {
    let forge = Forge::new();
    let done = raced(&forge, &[(manifest_path("qa", APP), manifest(APP, "48214"))]).await;
    assert!(matches!(&done.outcome, Ok(Outcome::Superseded { found, .. }) if found == "48214"), "{done:?}");
    assert_eq!((forge.commits(), forge.value("qa", APP)), (3, "48214".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn the_same_build_written_by_hand_in_between_is_still_put_on_record() {
    let forge = Forge::new();
    let done = raced(&forge, &[(manifest_path("qa", APP), manifest(APP, "48213"))]).await;
    assert!(matches!(done.outcome, Ok(Outcome::Updated)), "{done:?}");
    assert_eq!(forge.act("qa", APP).unwrap().subject.artifact.build, word("48213"));
    let again = forge.client().promote(&[(APP, 48213)], "qa").await;
    assert!(matches!(again.outcome, Ok(Outcome::Unchanged)), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn a_branch_that_never_stands_still_is_given_up_at_the_deadline() {
    let forge = Forge::new();
    arrived_before(&forge, APP, 48213, "qa").await;
    let race = |call: usize| (call, Fault::Race(vec![(word("README.md"), format!("{call}\n").into())]));
    let faults = Faults { ledger: (0..100_000).map(race).collect(), ..Faults::default() };
    let client = Client { patience: Duration::from_secs(5), ..forge.client_with(faults) };
    let done = client.promote(&[(APP, 48213)], "qa").await;
    assert!(matches!(done.outcome, Ok(Outcome::NeverWon { attempts }) if attempts > 1), "{done:?}");
    assert_eq!(forge.value("qa", APP), "");
}

#[tokio::test(start_paused = true)]
async fn a_branch_that_takes_no_pushes_refuses() {
    let forge = Forge::new();
    arrived_before(&forge, APP, 48213, "qa").await;
    forge.ledger.protect(&main_branch());
    let done = forge.client().promote(&[(APP, 48213)], "qa").await;
    assert!(matches!(done.outcome, Ok(Outcome::Refused(ledger::Refusal::BranchPolicy))), "{done:?}");
    assert!(done.account.happened.copied && done.account.happened.ledger == Some(false));
}

/// Ends the attempt at production as soon as a blob has arrived there.
struct Withdraw(Arc<Server>);

impl Observer for Withdraw {
    fn stored(&self, _: &Digest) {
        let _ = self.0.end(48213, "Prod-Wealth", End::Failed);
    }
}

impl conveyor::Observer for Withdraw {}

#[tokio::test(start_paused = true)]
async fn an_approval_that_is_gone_after_the_copy_leaves_the_ledger_alone() {
    let forge = Forge::new();
    arrived_before(&forge, APP, 48213, "prod-wealth").await;
    let release = forge.add_release(APP, 48213);
    forge.approve(release, GROUP, BO);
    let observer = Box::new(Withdraw(Arc::clone(&forge.azure)));
    let client = Client { release: Some(release), observer, ..forge.client() };
    let done = client.promote(&[(APP, 48213)], "prod-wealth").await;
    assert!(done.is_denied_by("four-eyes"), "{done:?}");
    assert!(done.account.happened.copied && done.account.happened.ledger == Some(false));
    assert!(forge.tag("prod-wealth", APP, 48213).is_some());
    assert_eq!((forge.commits(), forge.value("prod-wealth", APP)), (3, String::new()));
}

#[tokio::test(start_paused = true)]
async fn two_runs_of_one_build_and_two_builds_of_one_app() {
    let forge = Forge::new();
    for number in [48213, 48214] {
        forge.built(APP, number).await;
    }
    forge.built(OTHER, 48301).await;
    let clients: Vec<Client<'_>> = (0..4).map(|_| forge.client()).collect();
    let (older, newer, again, other) = tokio::join!(
        clients[0].promote(&[(APP, 48213)], "dev"),
        clients[1].promote(&[(APP, 48214)], "dev"),
        clients[2].promote(&[(APP, 48214)], "dev"),
        clients[3].promote(&[(OTHER, 48301)], "dev"),
    );
    assert!(matches!(older.outcome, Ok(Outcome::Updated | Outcome::Superseded { .. })), "{older:?}");
    assert!(matches!(other.outcome, Ok(Outcome::Updated)), "{other:?}");
    let wrote = [&newer, &again].map(|done| match done.outcome {
        Ok(Outcome::Updated) => true,
        Ok(Outcome::Unchanged) => false,
        _ => panic!("{done:?}"),
    });
    assert_eq!(wrote.iter().filter(|wrote| **wrote).count(), 1);
    assert_eq!((forge.value("dev", APP), forge.value("dev", OTHER)), ("48214".to_owned(), "48301".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_ends_at_the_deadline() {
    for ledger in [true, false] {
        let forge = Forge::new();
        arrived_before(&forge, APP, 48213, "qa").await;
        let mut faults = Faults::default();
        if ledger {
            faults.ledger.insert(0, Fault::Hangs);
        } else {
            faults.azure.insert(0, crate::world::AzureFault::Hangs);
        }
        let begin = tokio::time::Instant::now();
        let client = forge.client_with(faults);
        let done = client.promote(&[(APP, 48213)], "qa").await;
        assert!(matches!(done.outcome, Err(Error::Deadline)), "{done:?}");
        assert_eq!(begin.elapsed().as_secs(), client.patience.as_secs());
        assert!(done.outcome.unwrap_err().is_retryable());
    }
}
