//! What may stand on the branch of a proposal.

use ledger::{LedgerError, Push, Remote as _};

use super::{Ledger, draft, main, path, proposal};

const TOPIC: &str = "conveyor/dev";

/// A commit on main with one more file, and the topic there.
async fn topic_at(ledger: &Ledger, on: &str, message: &str) -> String {
    let stream = format!(
        "commit refs/heads/{TOPIC}\ncommitter A <a@localhost> 1800000000 +0000\ndata {}\n{message}\nfrom {on}\nM 100644 inline topic\ndata 1\n.\n",
        message.len()
    );
    ledger.git_with(&["fast-import", "--quiet", "--force"], stream.as_bytes()).await;
    ledger.git(&["rev-parse", &format!("refs/heads/{TOPIC}")]).await
}

#[tokio::test]
async fn a_topic_is_moved_from_the_targets_history_and_from_one_commit_of_a_run_only() {
    let run = draft(1, "topic", ".").message;
    let past = "refs/heads/main~1";
    let cases = [
        ("a run's commit on the head", "refs/heads/main", run.as_str(), false, true),
        ("a run's commit on an older one", past, &run, false, true),
        ("another's commit", "refs/heads/main", "A fix", false, false),
        ("a run's commit on another's", "refs/heads/fix", &run, false, false),
        ("the target's own past", past, "", true, true),
    ];
    for (name, on, message, is_bare, is_moved) in cases {
        let ledger = Ledger::start(1).await;
        let client = ledger.client();
        let first = client.head(&main()).await.unwrap();
        let push = client.push(&main(), &first, &draft(9, "more", "x")).await.unwrap();
        let Push::Accepted(head) = push else { panic!("{push:?}") };
        topic_at(&ledger, "refs/heads/main", "A fix").await;
        ledger.git(&["branch", "--move", TOPIC, "fix"]).await;
        let before = if is_bare {
            ledger.git(&["branch", TOPIC, on]).await;
            ledger.git(&["rev-parse", on]).await
        } else {
            topic_at(&ledger, on, message).await
        };
        let (target, topic, draft) = (main(), TOPIC.parse().unwrap(), draft(2, "proposed", "x"));
        let manifests = [path("proposed")].into();
        let requests = client.pull_requests().unwrap();
        let proposed = requests.propose(proposal(&target, &head, &draft, &topic, &manifests)).await;
        let at = client.head(&topic).await.unwrap();
        if is_moved {
            assert_eq!(proposed.unwrap().commit, at, "{name}");
            assert_eq!(client.commit(&at).await.unwrap().parents, [head], "{name}");
            continue;
        }
        let taken = proposed.unwrap_err();
        assert!(matches!(&taken, LedgerError::TopicTaken { .. }) && !taken.is_retryable(), "{name}: {taken:?}");
        assert!(taken.to_string().contains(TOPIC), "{name}: {taken}");
        assert_eq!(at.to_string(), before, "{name}");
    }
}

/// Else an open pull request would have the record of an older head, which cannot be merged.
#[tokio::test]
async fn a_topic_is_made_anew_where_the_target_has_changed_its_files_and_only_there() {
    let ledger = Ledger::start(1).await;
    let client = ledger.client();
    let (target, topic) = (main(), TOPIC.parse().unwrap());
    let manifests = [path("proposed")].into();
    let of = |which: u64| {
        let mut draft = draft(which, "proposed", "x");
        draft.files.push((path("record"), which.to_string().into()));
        draft
    };
    let requests = client.pull_requests().unwrap();
    let mut head = client.head(&target).await.unwrap();
    let mut last = requests.propose(proposal(&target, &head, &of(1), &topic, &manifests)).await.unwrap();
    for (which, file, is_anew) in [(2, "elsewhere", false), (3, "record", true), (4, "elsewhere", false)] {
        let push = client.push(&target, &head, &draft(10 + which, file, ["a", "b"][usize::from(which > 2)])).await;
        let Ok(Push::Accepted(next)) = push else { panic!("{push:?}") };
        head = next;
        let request = requests.propose(proposal(&target, &head, &of(which), &topic, &manifests)).await.unwrap();
        assert!(request.adopted && request.id == last.id, "{which}");
        assert_eq!(request.commit != last.commit, is_anew, "{which}");
        last = request;
    }
}
