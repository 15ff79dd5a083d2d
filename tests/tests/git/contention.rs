//! Many writers of one branch.

use std::time::Duration;

use futures_util::future::join_all;
use ledger::{Branch, Change, Edit, From, Outcome, Remote, Scalar, update};
use release::RunId;
use tokio::time::Instant;

use crate::hosted::{Hosted, manifest};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_racing_writers_none_is_lost() {
    const WRITERS: usize = 20;
    let (hosted, main) = (Hosted::new().await, "main".parse::<Branch>().unwrap());
    let deadline = Instant::now() + Duration::from_secs(60);
    let write = async |number| {
        let client = hosted.client();
        update(&client, &main, &bring(number), deadline).await
    };
    let outcomes = join_all((0..WRITERS).map(write)).await;
    let updated = |outcome: &Result<Outcome, _>| matches!(outcome, Ok(Outcome::Updated { .. }));
    assert!(outcomes.iter().all(updated), "{outcomes:?}");

    let log = hosted.git(&["log", "--format=%(trailers:key=Conveyor-Run,valueonly,separator=)", "main"]);
    let mut runs: Vec<&str> = log.lines().filter(|run| !run.is_empty()).collect();
    runs.sort_unstable();
    let expected: Vec<String> = (0..WRITERS).map(|number| run(number).to_string()).collect();
    assert_eq!(runs, expected);
    let client = hosted.client();
    let head = client.head(&main).await.unwrap();
    let paths: Vec<_> = (0..WRITERS).map(manifest).collect();
    for (number, file) in client.read(&head, &paths).await.unwrap().into_iter().enumerate() {
        assert_eq!(file.unwrap().bytes, format!("image:\n  tag: \"2\"\n# {number}\n"));
    }
    assert_eq!(hosted.git(&["for-each-ref", "--format=%(refname)"]), "refs/heads/main\n");
    hosted.assert_clean();
}

fn run(number: usize) -> RunId {
    RunId::new(1_800_000_000_000, number as u128)
}

/// Sets the tag of the manifest of a number to 2.
pub(crate) fn bring(number: usize) -> Change {
    let key = "image.tag".parse().unwrap();
    let edit = Edit { file: manifest(number), document: None, key, from: From::Any, to: Scalar::new("2") };
    let message = format!("Bring 2 to app {number}");
    Change { run: run(number), edits: vec![edit], reads: vec![], prepends: vec![], restores: vec![], message }
}
