//! Changes that people decide on.

use std::sync::Arc;

use ledger::{
    Branch, Change, LedgerError, Outcome, Proposed, Read, Remote, Scalar,
    faults::{Fault, Faulty},
    git, propose,
};

use crate::support::{bring, change, forward, head, in_a_minute, main, manifest, path, run, server};

fn topic() -> Branch {
    "conveyor/qa-20".parse().unwrap()
}

async fn proposed(remote: &dyn Remote, change: &Change) -> Result<Proposed, LedgerError> {
    propose(remote, &main(), change, &topic(), "Bring 20 to qa", in_a_minute()).await
}

#[tokio::test(start_paused = true)]
async fn a_proposal_is_a_commit_beside_the_branch_and_the_next_adopts_it() {
    let server = server(&[("a.yaml", manifest("5"))]);
    server.protect(&main());
    let (before, change) = (head(&server), change(1, vec![forward("a.yaml", 20)]));
    assert!(matches!(bring(&server, &change).await.unwrap(), Outcome::Refused(_)));
    for adopted in [false, true] {
        let Proposed::Open(request) = proposed(&server, &change).await.unwrap() else { panic!("nothing is open") };
        assert_eq!((request.adopted, request.id), (adopted, 1));
        let meta = &server.log(&topic())[0];
        assert_eq!((meta.id, &*meta.parents, meta.run), (request.commit, &[before][..], Some(run(1))));
        assert_eq!(server.file(&request.commit, &path("a.yaml")).unwrap(), manifest("\"20\""));
        assert_eq!(head(&server), before);
    }
}

#[tokio::test(start_paused = true)]
async fn what_needs_no_commit_or_may_not_be_one_is_not_proposed() {
    let server = server(&[("a.yaml", manifest("20"))]);
    let at = head(&server);
    let unchanged = proposed(&server, &change(1, vec![forward("a.yaml", 20)])).await.unwrap();
    assert_eq!(unchanged, Proposed::Unchanged { at });
    let older = change(2, vec![forward("a.yaml", 19)]);
    let superseded = proposed(&server, &older).await.unwrap();
    assert_eq!(superseded, Proposed::Superseded { edit: 0, found: Scalar::new("20") });
    let careful = Change { reads: vec![Read { path: path("a.yaml"), was: None }], ..older };
    let moved = proposed(&server, &careful).await.unwrap();
    assert_eq!(moved, Proposed::ReadsMoved { path: path("a.yaml"), at });
    assert_eq!(server.log(&topic()), []);

    let nowhere = git::Program::new("file:///nowhere".parse().unwrap(), git::Settings::default());
    assert_eq!(proposed(&nowhere, &careful).await.unwrap(), Proposed::NotOffered);
}

#[tokio::test(start_paused = true)]
async fn faults_are_retried_and_leave_one_pull_request() {
    for fault in [Fault::NotSent, Fault::AnswerLost] {
        for call in 0..3 {
            let server = server(&[("a.yaml", manifest("5"))]);
            let client = Faulty::new(Arc::new(server.clone())).with(call, fault.clone());
            let opened = proposed(&client, &change(1, vec![forward("a.yaml", 20)])).await.unwrap();
            let Proposed::Open(request) = opened else { panic!("{opened:?}") };
            let was_open = call == 2 && matches!(fault, Fault::AnswerLost);
            assert_eq!((request.id, request.adopted), (1, was_open), "{fault:?} at {call}");
        }
    }
    let server = server(&[("a.yaml", manifest("5"))]);
    let down = (0..999).fold(Faulty::new(Arc::new(server)), |client, call| client.with(call, Fault::NotSent));
    let error = proposed(&down, &change(1, vec![forward("a.yaml", 20)])).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
}
