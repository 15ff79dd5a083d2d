//! Requests that break before the server sees them, or after it has acted.

use std::time::Duration;

use azure_devops::git::Repository;
use guarded_http::{Credentials, Limits};
use ledger::{Outcome, Remote as _, update};
use sandbox::{Act, Break, FaultProxy, Faults, Phase, Script};
use tokio::time::Instant;

use super::{Ledger, draft, forward, main, proposal};

/// Requests of an update that meets no trouble.
const REQUESTS: usize = 3;

async fn behind_proxy(ledger: &Ledger, script: &Script) -> (FaultProxy, String) {
    let proxy = FaultProxy::start("repos", ledger.server.authority(), script).await.unwrap();
    let url = format!("{}{}", proxy.url(), ledger.server.path());
    (proxy, url)
}

#[tokio::test]
async fn whichever_answer_is_lost_there_is_one_commit() {
    type MakeAct = fn() -> Act;
    let breaks: [(&str, MakeAct); 7] = [
        ("reset before", || Act::reset(Phase::Before)),
        ("reset after", || Act::reset(Phase::After)),
        ("closed after", || Act::Break(Phase::After, Break::Close)),
        ("cut off", || Act::reset(Phase::Answer(10))),
        ("502 after", || Act::change(|_| bad_gateway())),
        ("503 before", || Act::answer(503, "")),
        ("an answer of another kind after", || Act::change(|_| sandbox::Answer::new("{}".into()))),
    ];
    for (name, act) in breaks {
        for nth in 1..=REQUESTS {
            let ledger = Ledger::start(1).await;
            let script = Script::new();
            let (_proxy, url) = behind_proxy(&ledger, &script).await;
            let client = ledger.client_at(&url);
            script.set(move |seen| if seen.number == nth { act() } else { Act::Pass });
            let deadline = Instant::now() + Duration::from_secs(60);
            let outcome = update(&client, &main(), &forward(0, 5), deadline).await;
            // What is no document at all is an error of a read, and a doubt of a push.
            if name.starts_with("an answer of another kind") && nth < REQUESTS {
                assert!(outcome.is_err(), "{name} {nth}: {outcome:?}");
                continue;
            }
            let Ok(Outcome::Updated { commit, parent, .. }) = outcome else { panic!("{name} {nth}: {outcome:?}") };
            assert_eq!(ledger.landed(5).await, 1, "{name} {nth}");
            assert_eq!(ledger.git(&["rev-parse", "refs/heads/main"]).await, commit.to_string(), "{name} {nth}");
            assert_eq!(ledger.git(&["rev-parse", "refs/heads/main^"]).await, parent.to_string(), "{name} {nth}");
            let pushes = script.seen().iter().filter(|seen| seen.is("POST", "*/pushes*")).count();
            let is_before = name.ends_with("before") && nth == REQUESTS;
            assert_eq!(pushes, if is_before { 2 } else { 1 }, "{name} {nth}");
        }
    }
}

#[tokio::test]
async fn a_push_that_is_never_answered_is_looked_for() {
    let ledger = Ledger::start(1).await;
    let script = Script::new();
    let (_proxy, url) = behind_proxy(&ledger, &script).await;
    let (patience, deadline) = (Duration::from_secs(2), Instant::now() + Duration::from_secs(60));
    let limits = Limits { connect: patience, stall: patience, deadline };
    let client = Repository::new(&url.parse().unwrap(), &Credentials::Bearer(super::TOKEN.into()), limits).unwrap();
    let faults = Faults::new().on("POST", "*/pushes*", 1..=1, |_| Act::Break(Phase::After, Break::Hold));
    script.set(faults.rule());
    let outcome = update(&client, &main(), &forward(0, 5), deadline).await;
    assert!(matches!(outcome, Ok(Outcome::Updated { .. })), "{outcome:?}");
    assert_eq!(ledger.landed(5).await, 1);
    script.set(|_| Act::Pass);
}

#[tokio::test]
async fn whichever_answer_is_lost_there_is_one_pull_request() {
    for nth in 1..=6 {
        for act in [|| Act::reset(Phase::Before), || Act::reset(Phase::After)] {
            let ledger = Ledger::start(1).await;
            let script = Script::new();
            let (_proxy, url) = behind_proxy(&ledger, &script).await;
            let client = ledger.client_at(&url);
            let (target, topic, draft) = (main(), "conveyor/dev".parse().unwrap(), draft(1, "proposed", "x"));
            let head = client.head(&target).await.unwrap();
            script.set(move |seen| if seen.number == nth { act() } else { Act::Pass });
            let manifests = draft.files.iter().map(|(path, _)| path.clone()).collect();
            let proposal = proposal(&target, &head, &draft, &topic, &manifests);
            let requests = client.pull_requests().unwrap();
            let mut request = requests.propose(proposal).await;
            if request.is_err() {
                request = requests.propose(proposal).await;
            }
            let request = request.unwrap();
            assert_eq!(request.id, 1, "{nth}");
            let commits = ledger.git(&["rev-list", "--count", "refs/heads/main..refs/heads/conveyor/dev"]).await;
            assert_eq!(commits, "1", "{nth}");
            assert_eq!(ledger.git(&["rev-parse", "refs/heads/conveyor/dev"]).await, request.commit.to_string());
        }
    }
}

fn bad_gateway() -> sandbox::Answer {
    let mut answer = sandbox::Answer::default();
    *answer.status_mut() = guarded_http::StatusCode::BAD_GATEWAY;
    answer
}
