//! Pull requests where the Ledger's branch takes no pushes.

use std::collections::BTreeSet;

use conveyor::Outcome;
use ledger::{Branch, PullRequest, Refusal, faults::Fault};

use crate::{
    promote::arrived_before,
    world::{APPS, Client, Done, Faults, Forge, Sequence, main_branch, manifest, manifest_path, record_path, word},
};

const APP: &str = APPS[0];

fn topic() -> Branch {
    word("conveyor/qa/payments-api-48213-c4224b3fc5fc")
}

fn proposing(forge: &Forge) -> Client<'_> {
    Client { propose: true, ..forge.client() }
}

fn request(done: &Done) -> &PullRequest {
    let Ok(Outcome::PullRequest(request)) = &done.outcome else { panic!("no pull request: {done:?}") };
    request
}

/// A build that is one step before qa, and a Ledger that takes no pushes from now on.
async fn protected() -> Forge {
    let forge = Forge::new();
    arrived_before(&forge, APP, 48213, "qa").await;
    forge.ledger.protect(&main_branch());
    forge
}

#[tokio::test(start_paused = true)]
async fn a_change_is_proposed_adopted_and_settled_once_it_is_completed() {
    let forge = protected().await;
    let head = forge.head();
    let first = proposing(&forge).promote(&[(APP, 48213)], "qa").await;
    let (id, proposed) = (request(&first).id, request(&first).commit);
    assert!(!request(&first).adopted && first.account.happened.copied, "{first:?}");
    assert_eq!((first.account.happened.ledger, first.account.pushes), (Some(false), 1));
    assert_eq!((forge.head(), forge.value("qa", APP)), (head, String::new()), "nothing is written");
    let log = forge.ledger.log(&topic());
    assert_eq!((log[0].id, log[0].parents.clone()), (proposed, vec![head]));
    assert_eq!(log[0].changed, BTreeSet::from([manifest_path("qa", APP), record_path("qa", APP)]));
    let written = forge.ledger.file(&proposed, &manifest_path("qa", APP)).unwrap();
    assert_eq!(written, manifest(APP, "\"48213\""));

    let second = proposing(&forge).run(Sequence::Update, &[(APP, 48213)], "qa").await;
    assert!(request(&second).adopted && request(&second).id == id, "{second:?}");
    assert_eq!(request(&second).commit, proposed, "what is reviewed is not written anew");

    forge.ledger.rewind(&main_branch(), &request(&second).commit).unwrap();
    let third = proposing(&forge).promote(&[(APP, 48213)], "qa").await;
    assert!(matches!(third.outcome, Ok(Outcome::Unchanged)), "{third:?}");
}

#[tokio::test(start_paused = true)]
async fn without_being_asked_nobody_is_proposed_to() {
    let forge = protected().await;
    let done = forge.client().promote(&[(APP, 48213)], "qa").await;
    assert!(matches!(done.outcome, Ok(Outcome::Refused(Refusal::BranchPolicy))), "{done:?}");
    assert!(done.account.proposable, "and is told that it can be");
    assert!(forge.ledger.log(&topic()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_policy_denies_is_not_proposed_either() {
    let forge = protected().await;
    let head = forge.head();
    let done = proposing(&forge).promote(&[(APP, 48213)], "prod-wealth").await;
    assert!(matches!(done.outcome, Ok(Outcome::Denied(_))), "{done:?}");
    let dry = Client { dry_run: true, ..proposing(&forge) }.promote(&[(APP, 48213)], "qa").await;
    assert!(matches!(dry.outcome, Ok(Outcome::Planned)), "{dry:?}");
    assert_eq!((forge.head(), forge.ledger.log(&topic())), (head, Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_branch_that_takes_pushes_gets_one() {
    let forge = Forge::new();
    arrived_before(&forge, APP, 48213, "qa").await;
    let done = proposing(&forge).promote(&[(APP, 48213)], "qa").await;
    assert!(matches!(done.outcome, Ok(Outcome::Updated)), "{done:?}");
    assert!(forge.ledger.log(&topic()).is_empty() && !done.account.proposable);
}

/// The permit of the decision is the proposal's too: what would outlive it is decided again.
#[tokio::test(start_paused = true)]
async fn a_proposal_without_an_answer_ends_with_its_permit() {
    let quiet = protected().await;
    let client = proposing(&quiet);
    client.promote(&[(APP, 48213)], "qa").await;
    let proposing_call = client.ledger.calls() - 1;

    let forge = protected().await;
    let faults = Faults { ledger: [(proposing_call, Fault::Hangs)].into(), ..Faults::default() };
    let client = Client { propose: true, ..forge.client_with(faults) };
    let began = forge.clock.now();
    let done = client.promote(&[(APP, 48213)], "qa").await;
    assert!(!request(&done).adopted, "{done:?}");
    let waited = forge.clock.now().duration_since(began).as_secs();
    assert!((300..330).contains(&waited), "the five minutes of a permit, not the ten of the command: {waited} s");
}
