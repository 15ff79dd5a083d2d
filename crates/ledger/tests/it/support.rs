//! What several modules say in the same words.

use std::{future::poll_fn, task::Poll, time::Duration};

use bytes::Bytes;
use ledger::{
    Branch, Change, Draft, Edit, From, Outcome, Prepend, Remote, RepoPath, Scalar, Unanswered, memory::Repository,
    update,
};
use release::{BuildId, CommitId, RunId};
use tokio::time::Instant;

pub(crate) fn path(text: &str) -> RepoPath {
    text.parse().unwrap()
}

pub(crate) fn main() -> Branch {
    "main".parse().unwrap()
}

pub(crate) fn run(which: u64) -> RunId {
    RunId::new(1_800_000_000_000, which.into())
}

/// A manifest whose image.tag is `value`.
pub(crate) fn manifest(value: &str) -> Bytes {
    format!("image:\n  repository: forge/app # not touched\n  tag: {value}\n").into()
}

/// Sets image.tag of a file to a build, if it is older.
pub(crate) fn forward(file: &str, build: u64) -> Edit {
    let build: BuildId = build.to_string().parse().unwrap();
    Edit { from: From::OlderThan(build), ..edit(file, From::Any, &build.to_string()) }
}

pub(crate) fn edit(file: &str, from: From, to: &str) -> Edit {
    Edit { file: path(file), document: None, key: "image.tag".parse().unwrap(), from, to: Scalar::new(to) }
}

pub(crate) fn record(file: &str, item: &str, of: Option<usize>) -> Prepend {
    Prepend { file: path(file), item: Bytes::copy_from_slice(item.as_bytes()), keep: 32, of }
}

pub(crate) fn change(which: u64, edits: Vec<Edit>) -> Change {
    Change {
        run: run(which),
        edits,
        reads: vec![],
        prepends: vec![],
        restores: vec![],
        message: format!("Change {which}"),
    }
}

/// A draft of one file, by run 1.
pub(crate) fn draft(file: &str, bytes: &'static str) -> Draft {
    let files = vec![(path(file), bytes.into())];
    Draft { files, message: format!("title\n\nConveyor-Run: {}\n", run(1)), run: run(1) }
}

/// The push of [`draft`] on a head, as it is looked for without its id.
pub(crate) fn unanswered(expected: CommitId) -> Unanswered {
    Unanswered { expected, run: run(1), commits: vec![] }
}

/// A server whose main has these files.
pub(crate) fn server(files: &[(&str, Bytes)]) -> Repository {
    let server = Repository::new();
    let files: Vec<_> = files.iter().map(|(file, bytes)| (path(file), Some(bytes.clone()))).collect();
    server.commit_files(&main(), &files, "seed\n").unwrap();
    server
}

pub(crate) fn in_a_minute() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// What comes of it within so many polls; `None` where it is not over by then, and is dropped as if its process were
/// killed.
pub(crate) async fn killed_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = Box::pin(future);
    let mut left = polls;
    let outcome = poll_fn(|context| {
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Pending if left == 0 => Poll::Ready(None),
            poll => poll.map(Some),
        }
    });
    outcome.await
}

/// Brings the change to main within a minute.
pub(crate) async fn bring(remote: &dyn Remote, change: &Change) -> Result<Outcome, ledger::LedgerError> {
    update(remote, &main(), change, in_a_minute()).await
}

pub(crate) fn head(server: &Repository) -> CommitId {
    server.log(&main())[0].id
}

/// What a file of main says now.
pub(crate) fn now(server: &Repository, file: &str) -> String {
    String::from_utf8(server.file(&head(server), &path(file)).unwrap().to_vec()).unwrap()
}
