//! Turns on a real server, and on one that wants none.

use ledger::{Branch, Draft, Push, Remote, Turn, Turns};
use release::RunId;

use crate::hosted::{Hosted, accepted, manifest};

fn main() -> Branch {
    "main".parse().unwrap()
}

fn turn(number: u128) -> Turn {
    Turn { run: RunId::new(1_800_000_000_000, number), branch: main() }
}

fn draft(number: usize) -> Draft {
    let run = turn(number as u128).run;
    let message = format!("Change {number}\n\nConveyor-Run: {run}\n");
    Draft { files: vec![(manifest(number), format!("tag: {number}\n").into())], message, run }
}

fn refs(hosted: &Hosted) -> String {
    hosted.git(&["for-each-ref", "--format=%(refname)"])
}

#[tokio::test]
async fn a_push_and_the_end_of_its_turn_are_one_request() {
    let hosted = Hosted::new().await;
    let client = hosted.client();
    let queue = client.queue(&main()).await.unwrap();
    assert_eq!(queue.turns, []);
    for number in [2, 1] {
        assert!(client.take(&turn(number), &queue.head).await.unwrap());
    }
    // Whoever tries again stands already.
    assert!(client.take(&turn(1), &queue.head).await.unwrap());
    let seen = hosted.client().queue(&main()).await.unwrap();
    assert_eq!(seen.turns, [turn(1), turn(2)]);
    client.read(&queue.head, &[manifest(1)]).await.unwrap();
    let before = client.requests();
    let push = client.push_and_end(&turn(1), &queue.head, &draft(1)).await.unwrap();
    assert_eq!(client.requests() - before, 1);
    assert_eq!(client.queue(&main()).await.unwrap().head, accepted(&push));
    assert_eq!(refs(&hosted), format!("{}\nrefs/heads/main\n", turn(2)));
    // Another client ends what it did not make, and twice.
    let other = hosted.client();
    other.end(&turn(2)).await.unwrap();
    other.end(&turn(2)).await.unwrap();
    assert_eq!(refs(&hosted), "refs/heads/main\n");
    hosted.assert_clean();
}

#[tokio::test]
async fn a_lost_race_leaves_the_turn() {
    let hosted = Hosted::new().await;
    let client = hosted.client();
    let head = client.head(&main()).await.unwrap();
    assert!(client.take(&turn(1), &head).await.unwrap());
    hosted.import("M 100644 inline README.md\ndata 2\nx\n");
    assert_eq!(client.push_and_end(&turn(1), &head, &draft(1)).await.unwrap(), Push::Stale);
    assert_eq!(client.queue(&main()).await.unwrap().turns, [turn(1)]);
}

#[tokio::test]
async fn a_turn_that_somebody_ended_is_in_nobodys_way() {
    let hosted = Hosted::new().await;
    let client = hosted.client();
    let head = client.head(&main()).await.unwrap();
    assert!(client.take(&turn(1), &head).await.unwrap());
    hosted.client().end(&turn(1)).await.unwrap();
    accepted(&client.push_and_end(&turn(1), &head, &draft(1)).await.unwrap());
    assert_eq!(refs(&hosted), "refs/heads/main\n");
}

#[tokio::test]
async fn a_server_may_refuse_turns_or_keep_them() {
    let hosted = Hosted::new().await;
    hosted.hook("update", "case $3 in 0000*) exit 1;; esac");
    let client = hosted.client();
    let head = client.head(&main()).await.unwrap();
    assert!(client.take(&turn(1), &head).await.unwrap());
    let commit = accepted(&client.push_and_end(&turn(1), &head, &draft(1)).await.unwrap());
    assert!(client.end(&turn(1)).await.is_err());
    hosted.hook("update", "case $1 in refs/conveyor/*) exit 1;; esac");
    assert!(!client.take(&turn(2), &commit).await.unwrap());
    assert_eq!(refs(&hosted), format!("{}\nrefs/heads/main\n", turn(1)));
}
