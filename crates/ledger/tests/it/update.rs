//! What becomes of a change on a server that others use too, and that fails.

use std::{sync::Arc, time::Duration};

use ledger::{
    Change, From, LedgerError, Outcome, Read, Refusal, Remote, Scalar,
    faults::{Fault, Faulty},
    memory::Repository,
    update,
};
use tokio::time::Instant;

use crate::support::{
    bring, change, edit, forward, head, in_a_minute, killed_after, main, manifest, now, path, record, run, server,
};

/// Calls of an update that meets no trouble: head, read, push.
const PUSH: usize = 2;

fn client(server: &Repository) -> Faulty {
    Faulty::new(Arc::new(server.clone()))
}

fn one_build(build: u64) -> Change {
    let prepends = vec![record("r.json", &format!("{{\"build\":\"{build}\"}}"), Some(0))];
    Change { prepends, ..change(build, vec![forward("a.yaml", build)]) }
}

fn commits_of(server: &Repository, build: u64) -> usize {
    server.log(&main()).iter().filter(|meta| meta.run == Some(run(build))).count()
}

#[tokio::test(start_paused = true)]
async fn an_update_is_one_commit_on_the_head_it_was_judged_on() {
    let server = server(&[("a.yaml", manifest("5"))]);
    let before = head(&server);
    let outcome = bring(&server, &one_build(20)).await.unwrap();
    let Outcome::Updated { commit, parent, applied, attempts } = outcome else { panic!("{outcome:?}") };
    assert_eq!((commit, parent, attempts), (head(&server), before, 1));
    assert_eq!((applied[0].from.as_str(), applied[0].to.as_str()), ("5", "20"));
    assert_eq!(now(&server, "a.yaml"), String::from_utf8(manifest("\"20\"").to_vec()).unwrap());
    assert_eq!(now(&server, "r.json"), "[\n{\"build\":\"20\"}\n]\n");
    let again = bring(&server, &one_build(20)).await.unwrap();
    assert_eq!(again, Outcome::Unchanged { at: commit });
    assert_eq!(server.log(&main()).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn records_that_are_the_newest_already_are_not_written_again() {
    let server = server(&[("old.json", "[\n0\n]\n".into())]);
    let items = [("r.json", "1"), ("r.json", "2"), ("old.json", "3")];
    let prepends = items.map(|(file, item)| record(file, item, None)).into();
    let records = Change { prepends, ..change(20, vec![]) };
    assert!(matches!(bring(&server, &records).await.unwrap(), Outcome::Updated { .. }));
    assert_eq!(bring(&server, &records).await.unwrap(), Outcome::Unchanged { at: head(&server) });
    assert_eq!((&*now(&server, "r.json"), &*now(&server, "old.json")), ("[\n2,\n1\n]\n", "[\n3,\n0\n]\n"));
    // With others' items in front they are to be written: what is newest has a meaning.
    let theirs = Change { prepends: vec![record("old.json", "4", None)], ..change(21, vec![]) };
    bring(&server, &theirs).await.unwrap();
    assert!(matches!(bring(&server, &records).await.unwrap(), Outcome::Updated { .. }));
    assert_eq!((&*now(&server, "r.json"), &*now(&server, "old.json")), ("[\n2,\n1\n]\n", "[\n3,\n4,\n3,\n0\n]\n"));
}

#[tokio::test(start_paused = true)]
async fn a_race_for_another_file_is_applied_again_and_loses_nothing() {
    let server = server(&[("a.yaml", manifest("5")), ("b.yaml", manifest("5"))]);
    let race = |build: &str| Fault::Race(vec![(path("b.yaml"), manifest(build))]);
    // A turn is taken in between.
    let client = client(&server).with(PUSH, race("6")).with(PUSH + 4, race("7"));
    let outcome = bring(&client, &one_build(20)).await.unwrap();
    assert!(matches!(outcome, Outcome::Updated { attempts: 3, .. }), "{outcome:?}");
    assert!(now(&server, "a.yaml").contains("20") && now(&server, "b.yaml").contains('7'));
}

#[tokio::test(start_paused = true)]
async fn a_race_for_the_same_key_is_won_by_the_newer_build() {
    for (theirs, expected) in [("19", None), ("21", Some("21")), ("latest", Some("latest"))] {
        let server = server(&[("a.yaml", manifest("5"))]);
        let client = client(&server).with(PUSH, Fault::Race(vec![(path("a.yaml"), manifest(theirs))]));
        let outcome = bring(&client, &one_build(20)).await.unwrap();
        match expected {
            None => assert!(matches!(outcome, Outcome::Updated { attempts: 2, .. }), "{outcome:?}"),
            Some(found) => {
                assert_eq!(outcome, Outcome::Superseded { edit: 0, found: Scalar::new(found) });
                assert!(now(&server, "a.yaml").contains(found));
                assert_eq!(commits_of(&server, 20), 0);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_race_that_does_our_very_change_leaves_nothing_to_do() {
    let server = server(&[("a.yaml", manifest("5"))]);
    let client = client(&server).with(PUSH, Fault::Race(vec![(path("a.yaml"), manifest("20"))]));
    let outcome = bring(&client, &one_build(20)).await.unwrap();
    assert_eq!(outcome, Outcome::Unchanged { at: head(&server) });
}

#[tokio::test(start_paused = true)]
async fn a_read_that_moves_under_a_push_gives_the_decision_back() {
    let server = server(&[("a.yaml", manifest("5")), ("policy/rule.rego", "deny".into())]);
    let was = server.read(&head(&server), &[path("policy")]).await.unwrap()[0].clone().map(|found| found.id);
    assert!(was.is_some());
    let careful = Change { reads: vec![Read { path: path("policy"), was }], ..one_build(20) };
    let client = client(&server).with(PUSH, Fault::Race(vec![(path("policy/other.rego"), "x".into())]));
    let outcome = bring(&client, &careful).await.unwrap();
    assert_eq!(outcome, Outcome::ReadsMoved { path: path("policy"), at: head(&server) });
    assert_eq!(commits_of(&server, 20), 0);
}

#[tokio::test(start_paused = true)]
async fn a_branch_policy_is_a_refusal() {
    let server = server(&[("a.yaml", manifest("5"))]);
    server.protect(&main());
    assert_eq!(bring(&server, &one_build(20)).await.unwrap(), Outcome::Refused(Refusal::BranchPolicy));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_does_not_hide_that_an_earlier_push_is_in_doubt() {
    let server = server(&[("a.yaml", manifest("5"))]);
    for lasts in [2, 2000] {
        // The first push is under way, and the server refuses the next ones.
        let refusing = (PUSH + 1..PUSH + 1 + lasts * 4)
            .fold(client(&server).with(PUSH, Fault::RequestLost), |client, call| client.with(call, Fault::Refused));
        let outcome = bring(&refusing, &one_build(20 + lasts as u64)).await;
        if lasts == 2 {
            assert!(matches!(outcome, Ok(Outcome::Updated { .. })), "{outcome:?}");
        } else {
            assert!(outcome.as_ref().is_err_and(LedgerError::may_have_landed), "{outcome:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_no_retry_mends_is_told_at_once() {
    let server = server(&[("a.yaml", manifest("5")), ("r.json", "[\nbroken\n]\n".into())]);
    let started = Instant::now();
    let broken = bring(&server, &one_build(20)).await;
    assert!(matches!(broken, Err(LedgerError::BrokenArray { line: 2, .. })), "{broken:?}");
    let absent = update(&server, &"other".parse().unwrap(), &one_build(20), in_a_minute()).await;
    assert!(matches!(absent, Err(LedgerError::NoBranch { .. })), "{absent:?}");
    assert_eq!((started.elapsed(), server.log(&main()).len()), (Duration::ZERO, 1));
}

#[tokio::test(start_paused = true)]
async fn an_endless_race_ends_at_the_deadline_as_never_won() {
    let server = server(&[("a.yaml", manifest("5")), ("b.yaml", manifest("0"))]);
    let race = |call: usize| Fault::Race(vec![(path("b.yaml"), manifest(&call.to_string()))]);
    let client = (0..2000).fold(client(&server), |client, call| client.with(call, race(call)));
    let (started, limit) = (Instant::now(), Duration::from_secs(5));
    let outcome = update(&client, &main(), &one_build(20), started + limit).await.unwrap();
    assert!(matches!(outcome, Outcome::NeverWon { attempts: 10.. }), "{outcome:?}");
    assert_eq!((started.elapsed(), commits_of(&server, 20)), (limit, 0));
}

#[tokio::test(start_paused = true)]
async fn faults_are_retried_until_the_deadline_and_then_told() {
    let server = server(&[("a.yaml", manifest("5"))]);
    let passing = (0..7).fold(client(&server), |client, call| client.with(call, Fault::NotSent));
    let outcome = bring(&passing, &one_build(20)).await.unwrap();
    assert!(matches!(outcome, Outcome::Updated { attempts: 1, .. }), "{outcome:?}");

    for (call, fault) in [(0, Fault::NotSent), (0, Fault::Hangs), (1, Fault::Hangs)] {
        let down = (call..2000).fold(client(&server), |client, call| client.with(call, fault.clone()));
        let (started, limit) = (Instant::now(), Duration::from_secs(30));
        let error = update(&down, &main(), &one_build(21), started + limit).await.unwrap_err();
        assert!(error.is_retryable() && !error.may_have_landed(), "{error:?}");
        assert_eq!(started.elapsed(), limit);
    }
    let late = update(&server, &main(), &one_build(22), Instant::now()).await.unwrap_err();
    assert!(matches!(late, LedgerError::Deadline), "{late:?}");
    assert_eq!(server.log(&main()).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_push_still_in_doubt_at_the_deadline_is_told_as_such() {
    for fault in [Fault::AnswerLost, Fault::RequestLost, Fault::Hangs] {
        let server = server(&[("a.yaml", manifest("5"))]);
        let silent =
            (PUSH + 1..2000).fold(client(&server).with(PUSH, fault), |client, call| client.with(call, Fault::NotSent));
        let error = bring(&silent, &one_build(20)).await.unwrap_err();
        assert!(error.may_have_landed() && error.is_retryable(), "{error:?}");
        let again = bring(&server, &one_build(20)).await.unwrap();
        assert!(matches!(again, Outcome::Updated { .. } | Outcome::Unchanged { .. }), "{again:?}");
        assert_eq!(commits_of(&server, 20), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_looked_up_and_not_written_twice() {
    // Records without an edit settle nothing by themselves, so only the look-up can tell.
    let only_records = Change { prepends: vec![record("r.json", "1", None)], ..change(20, vec![]) };
    for fault in [Fault::AnswerLost, Fault::RequestLost, Fault::Delayed] {
        for later in [None, Some(Fault::NotSent), Some(Fault::AnswerLost)] {
            let server = server(&[("a.yaml", manifest("5"))]);
            let mut client = client(&server).with(PUSH, fault.clone());
            if let Some(later) = later {
                // head, landed and read after the first push, and the second push.
                client = (3..7).fold(client, |client, call| client.with(call, later.clone()));
            }
            let outcome = bring(&client, &only_records).await.unwrap();
            let Outcome::Updated { commit, .. } = outcome else { panic!("{outcome:?}") };
            assert_eq!((commit, commits_of(&server, 20)), (head(&server), 1));
            assert_eq!(now(&server, "r.json"), "[\n1\n]\n");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_call_may_fail_before_or_after_and_a_second_run_converges() {
    let faults = [Fault::NotSent, Fault::RequestLost, Fault::AnswerLost, Fault::Delayed, Fault::Hangs];
    for first in &faults {
        for second in &faults {
            for (n, m) in (0..7).flat_map(|n| (n + 1..8).map(move |m| (n, m))) {
                let server = server(&[("a.yaml", manifest("5"))]);
                let client = client(&server).with(n, first.clone()).with(m, second.clone());
                let case = format!("{first:?} at {n}, {second:?} at {m}");
                match bring(&client, &one_build(20)).await {
                    Ok(Outcome::Updated { commit, .. }) => assert_eq!(commit, head(&server), "{case}"),
                    Err(error) => assert!(error.is_retryable(), "{case}: {error:?}"),
                    Ok(other) => panic!("{case}: {other:?}"),
                }
                bring(&server, &one_build(20)).await.unwrap();
                assert_eq!((commits_of(&server, 20), server.log(&main()).len()), (1, 2), "{case}");
                assert_eq!(now(&server, "r.json"), "[\n{\"build\":\"20\"}\n]\n", "{case}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_dropped_at_any_await_is_finished_by_the_next() {
    let mut finished = false;
    for polls in 1.. {
        let server = server(&[("a.yaml", manifest("5")), ("b.yaml", manifest("1"))]);
        let race = Fault::Race(vec![(path("b.yaml"), manifest("2"))]);
        let client = client(&server).with(PUSH, race).with(PUSH + 3, Fault::AnswerLost);
        let change = one_build(20);
        finished = killed_after(polls, bring(&client, &change)).await.is_some();
        bring(&server, &change).await.unwrap();
        assert_eq!(commits_of(&server, 20), 1, "dropped after {polls} polls");
        assert_eq!(now(&server, "r.json"), "[\n{\"build\":\"20\"}\n]\n", "dropped after {polls} polls");
        if finished {
            // Nine calls of two awaits each, and a pause.
            assert!(polls > 18, "{polls}");
            break;
        }
    }
    assert!(finished);
}

#[tokio::test(start_paused = true)]
async fn a_rewound_branch_does_not_get_back_what_was_dropped() {
    let server = server(&[("a.yaml", manifest("5")), ("b.yaml", manifest("1"))]);
    let good = head(&server);
    server.commit_files(&main(), &[(path("b.yaml"), Some(manifest("666")))], "bad\n").unwrap();
    let before = head(&server);
    server.rewind(&main(), &good).unwrap();
    let exactly = change(20, vec![edit("a.yaml", From::Exactly(Scalar::new("5")), "20")]);
    bring(&server, &exactly).await.unwrap();
    assert!(now(&server, "b.yaml").contains("tag: 1\n"));
    assert!(server.log(&main()).iter().all(|meta| meta.id != before));
}
