//! The contract of [`Remote`] as a suite that every backend passes.

mod oddities;
mod pull_requests;
mod turns;

use std::fmt::Debug;

use bytes::Bytes;
use release::{CommitId, ObjectId, RunId};

use crate::{
    Branch, Draft, Entry, FILE_LIMIT, Found, Kind, LedgerError, Push, Remote, RepoPath, Unanswered, run_trailer,
};

pub use self::{
    oddities::{check_oddities, oddities},
    pull_requests::check_pull_requests,
    turns::check_turns,
};

/// A clause of the contract that a backend does not keep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{clause}: {seen}")]
pub struct Breach {
    /// What the contract says.
    pub clause: &'static str,
    /// What was seen instead.
    pub seen: String,
}

/// Runs the suite on a branch that exists, that nobody else writes to, and that has nothing under `conformance/`.
/// `rewind` forces the branch to a commit past every lock, as an administrator would.
///
/// # Errors
/// The first [`Breach`].
pub async fn check(remote: &dyn Remote, branch: &Branch, rewind: impl AsyncFn(CommitId)) -> Result<(), Breach> {
    let suite = Suite { remote, branch };
    let start = suite.nothing_yet().await?;
    let first = suite.first_commit(start).await?;
    let second = suite.second_commit(first).await?;
    suite.stale_push(first, second).await?;
    suite.wrong_places(second).await?;
    suite.size_limit(second).await?;
    let third = suite.race(second).await?;
    suite.history(start, first, second).await?;
    suite.landed(start, first, second, third).await?;
    rewind(first).await;
    suite.rewound(first, third).await
}

const UNKNOWN: [u8; 20] = [0x5a; 20];
const HELLO: &[u8] = b"hello\n";
/// What `git hash-object` says of [`HELLO`].
const HELLO_ID: &str = "ce013625030ba8dba906f756967f9e9ca394464a";
const BINARY: &[u8] = b"\xff\x00 lines\r\nand no last one\r";

struct Suite<'a> {
    remote: &'a dyn Remote,
    branch: &'a Branch,
}

impl Suite<'_> {
    async fn nothing_yet(&self) -> Result<CommitId, Breach> {
        let clause = "a branch that is not there is NoBranch";
        let absent = branch("conformance-has-no-such-branch", clause)?;
        let head = self.remote.head(&absent).await;
        ensure(matches!(head, Err(LedgerError::NoBranch { .. })), clause, &head)?;
        let clause = "a path that is absent is None, and its listing empty";
        let start = got(self.remote.head(self.branch).await, "the branch has a head")?;
        let folder = path("conformance", clause)?;
        let found = self.remote.read(&start, &[folder.clone(), path("conformance/no/file", clause)?]).await;
        ensure(matches!(&found, Ok(found) if *found == [None, None]), clause, &found)?;
        let listed = self.remote.list(&start, &folder).await;
        ensure(matches!(&listed, Ok(listed) if listed.is_empty()), clause, &listed)?;
        let clause = "a commit that is not there is NoCommit";
        let unknown = CommitId::from(ObjectId::from(UNKNOWN));
        let found = self.remote.read(&unknown, &[folder]).await;
        ensure(matches!(found, Err(LedgerError::NoCommit { commit }) if commit == unknown), clause, &found)?;
        let commit = self.remote.commit(&unknown).await;
        ensure(matches!(commit, Err(LedgerError::NoCommit { commit }) if commit == unknown), clause, &commit)?;
        Ok(start)
    }

    async fn first_commit(&self, start: CommitId) -> Result<CommitId, Breach> {
        let clause = "an accepted push makes a child of the expected commit the head";
        let (hello, binary) = (path("conformance/hello", clause)?, path("conformance/deep/er/binary", clause)?);
        let files = [(hello.clone(), HELLO.into()), (binary.clone(), BINARY.into())];
        let draft = draft(1, "A title with \"quotes\" and \u{fc}nicode\n\n body\n", &files);
        let first = self.accepted(start, &draft, clause).await?;
        let meta = got(self.remote.commit(&first).await, clause)?;
        ensure(meta.id == first && meta.parents == [start], clause, &meta)?;
        let clause = "a commit has its draft's message and run, and says which files it changed";
        ensure(meta.message == draft.message && meta.run == Some(draft.run), clause, &meta)?;
        ensure(meta.changed == [hello.clone(), binary.clone()].into(), clause, &meta)?;

        let clause = "files are read byte for byte, under Git's own ids, in the order asked for";
        let deep = path("conformance/deep", clause)?;
        let asked = [binary.clone(), deep.clone(), hello.clone(), binary.clone(), path("conformance/hello/x", clause)?];
        let found = got(self.remote.read(&first, &asked).await, clause)?;
        let [Some(one), Some(folder), Some(text), Some(again), None] = &*found else { return breach(clause, &found) };
        ensure(one.bytes == BINARY && one == again && text.bytes == HELLO, clause, &found)?;
        ensure(text.id.to_string() == HELLO_ID && folder.bytes.is_empty(), clause, &found)?;

        let clause = "a folder's entries are listed by path, each with the id that reading gives it";
        let listed = got(self.remote.list(&first, &path("conformance", clause)?).await, clause)?;
        let expected = [
            Entry { path: deep, id: folder.id, is_folder: true },
            Entry { path: hello, id: text.id, is_folder: false },
        ];
        ensure(listed == expected, clause, &listed)?;
        Ok(first)
    }

    async fn second_commit(&self, first: CommitId) -> Result<CommitId, Breach> {
        let clause = "a push changes its own files and nothing else";
        let (hello, binary) = (path("conformance/hello", clause)?, path("conformance/deep/er/binary", clause)?);
        let draft = draft(2, "Change one file", &[(hello.clone(), "bye".into())]);
        let second = self.accepted(first, &draft, clause).await?;
        let asked = [hello.clone(), binary];
        let (old, new) = (self.read(first, &asked, clause).await?, self.read(second, &asked, clause).await?);
        let ([Some(was), kept], [Some(is), still]) = (&*old, &*new) else { return breach(clause, &(old, new)) };
        ensure(was.bytes == HELLO && *is.bytes == *b"bye" && kept.is_some() && kept == still, clause, &(&old, &new))?;
        let meta = got(self.remote.commit(&second).await, clause)?;
        ensure(meta.changed == [hello].into(), clause, &meta)?;
        Ok(second)
    }

    async fn stale_push(&self, old: CommitId, head: CommitId) -> Result<(), Breach> {
        let clause = "a push on a commit that is not the head any more is Stale and writes nothing";
        let draft = draft(3, "Too late", &[(path("conformance/late", clause)?, "late".into())]);
        let push = self.remote.push(self.branch, &old, &draft).await;
        ensure(matches!(push, Ok(Push::Stale)), clause, &push)?;
        self.head_is(head, clause).await?;
        let clause = "a push on a commit that the server does not have is NoCommit";
        let push = self.remote.push(self.branch, &CommitId::from(ObjectId::from(UNKNOWN)), &draft).await;
        ensure(matches!(push, Err(LedgerError::NoCommit { .. })), clause, &push)?;
        let clause = "a push to a branch that is not there is NoBranch and does not make it";
        let absent = branch("conformance-has-no-such-branch", clause)?;
        let push = self.remote.push(&absent, &head, &draft).await;
        ensure(matches!(push, Err(LedgerError::NoBranch { .. })), clause, &push)?;
        let still = self.remote.head(&absent).await;
        ensure(matches!(still, Err(LedgerError::NoBranch { .. })), clause, &still)
    }

    async fn wrong_places(&self, head: CommitId) -> Result<(), Breach> {
        let clause = "a push never puts a file where a folder is, nor the other way round";
        let draft_of = |place| Ok(draft(4, "In the way", &[(path(place, clause)?, "x".into())]));
        for (place, wrong) in [("conformance/deep/er", Kind::Folder), ("conformance/hello/x", Kind::File)] {
            let push = self.remote.push(self.branch, &head, &draft_of(place)?).await;
            ensure(matches!(push, Err(LedgerError::WrongKind { kind, .. }) if kind == wrong), clause, &push)?;
        }
        self.head_is(head, clause).await?;
        let clause = "only a folder is listed";
        let listed = self.remote.list(&head, &path("conformance/hello", clause)?).await;
        ensure(matches!(listed, Err(LedgerError::WrongKind { kind: Kind::File, .. })), clause, &listed)
    }

    async fn size_limit(&self, head: CommitId) -> Result<(), Breach> {
        let clause = "a file above the limit is TooLarge and not written";
        let large = path("conformance/large", clause)?;
        let draft = draft(5, "Large", &[(large, vec![b'x'; FILE_LIMIT + 1].into())]);
        let push = self.remote.push(self.branch, &head, &draft).await;
        ensure(matches!(push, Err(LedgerError::TooLarge { .. })), clause, &push)?;
        self.head_is(head, clause).await
    }

    async fn race(&self, head: CommitId) -> Result<CommitId, Breach> {
        let clause = "of two pushes on one commit, one is accepted and one is Stale";
        let draft_of = |run, place| Ok(draft(run, "A race", &[(path(place, clause)?, "run".into())]));
        let (left, right) = (draft_of(6, "conformance/left")?, draft_of(7, "conformance/right")?);
        let push = |draft| self.remote.push(self.branch, &head, draft);
        let (left, right) = tokio::join!(push(&left), push(&right));
        let ((Ok(Push::Accepted(id)), Ok(Push::Stale)) | (Ok(Push::Stale), Ok(Push::Accepted(id)))) = (&left, &right)
        else {
            return breach(clause, &(left, right));
        };
        self.head_is(*id, clause).await?;
        Ok(*id)
    }

    async fn history(&self, start: CommitId, first: CommitId, second: CommitId) -> Result<(), Breach> {
        let clause = "history is the commits that changed a file or folder, newest first, at most as many as asked for";
        let wanted: [(&str, usize, &[CommitId]); 4] = [
            ("conformance/hello", 9, &[second, first]),
            ("conformance/hello", 1, &[second]),
            ("conformance/deep", 9, &[first]),
            ("conformance/never", 9, &[]),
        ];
        for (place, limit, expected) in wanted {
            let history = got(self.remote.history(self.branch, &path(place, clause)?, limit).await, clause)?;
            let ids: Vec<CommitId> = history.iter().map(|meta| meta.id).collect();
            ensure(ids == expected, clause, &history)?;
            let oldest = history.iter().find(|meta| meta.id == first);
            ensure(oldest.is_none_or(|meta| meta.parents == [start]), clause, &history)?;
        }
        Ok(())
    }

    async fn landed(&self, start: CommitId, first: CommitId, second: CommitId, head: CommitId) -> Result<(), Breach> {
        let unknown = CommitId::from(ObjectId::from(UNKNOWN));
        let clause = "without ids, landed finds the run's commit on the expected head, and no other of the run's";
        let cases = [
            (start, 1, Some(first)),
            (first, 2, Some(second)),
            (start, 2, None),
            (first, 1, None),
            (head, 2, None),
            (unknown, 1, None),
            (start, 99, None),
        ];
        for (expected, which, landed) in cases {
            self.landed_is(&unanswered(expected, which, &[]), landed, clause).await?;
        }
        let clause = "with ids, landed finds the commit of one of them, and no other of the run's";
        let cases = [
            (start, 1, vec![unknown, first], Some(first)),
            (first, 2, vec![second, unknown], Some(second)),
            (unknown, 2, vec![second], Some(second)),
            (start, 1, vec![unknown], None),
            (second, 1, vec![first], None),
        ];
        for (expected, which, ids, landed) in cases {
            self.landed_is(&unanswered(expected, which, &ids), landed, clause).await?;
        }
        Ok(())
    }

    async fn rewound(&self, to: CommitId, from: CommitId) -> Result<(), Breach> {
        let clause = "a push on the former head of a branch that was rewound is Stale and brings nothing back";
        self.head_is(to, clause).await?;
        let late = draft(8, "After a rewind", &[(path("conformance/rewound", clause)?, "x".into())]);
        let push = self.remote.push(self.branch, &from, &late).await;
        ensure(matches!(push, Ok(Push::Stale)), clause, &push)?;
        self.head_is(to, clause).await?;
        let clause = "what a rewind dropped has not landed, and the branch goes on from where it is";
        self.landed_is(&unanswered(from, 2, &[]), None, clause).await?;
        self.landed_is(&unanswered(to, 6, &[from]), None, clause).await?;
        let next = self.accepted(to, &late, clause).await?;
        self.landed_is(&unanswered(to, 8, &[]), Some(next), clause).await?;
        self.landed_is(&unanswered(from, 8, &[next]), Some(next), clause).await
    }

    async fn landed_is(
        &self,
        push: &Unanswered,
        expected: Option<CommitId>,
        clause: &'static str,
    ) -> Result<(), Breach> {
        let landed = self.remote.landed(self.branch, push).await;
        ensure(matches!(&landed, Ok(landed) if *landed == expected), clause, &(push, expected, landed))
    }

    async fn accepted(&self, expected: CommitId, draft: &Draft, clause: &'static str) -> Result<CommitId, Breach> {
        let push = self.remote.push(self.branch, &expected, draft).await;
        let Ok(Push::Accepted(commit)) = push else { return breach(clause, &push) };
        self.head_is(commit, clause).await?;
        Ok(commit)
    }

    async fn head_is(&self, expected: CommitId, clause: &'static str) -> Result<(), Breach> {
        let head = self.remote.head(self.branch).await;
        ensure(matches!(head, Ok(head) if head == expected), clause, &head)
    }

    async fn read(&self, at: CommitId, paths: &[RepoPath], clause: &'static str) -> Result<Vec<Option<Found>>, Breach> {
        got(self.remote.read(&at, paths).await, clause)
    }
}

fn run(which: u128) -> RunId {
    RunId::new(1_800_000_000_000, which)
}

fn unanswered(expected: CommitId, which: u128, commits: &[CommitId]) -> Unanswered {
    Unanswered { expected, run: run(which), commits: commits.to_vec() }
}

fn draft(which: u128, message: &str, files: &[(RepoPath, Bytes)]) -> Draft {
    Draft { files: files.to_vec(), message: run_trailer::signed(message, run(which)), run: run(which) }
}

fn path(text: &str, clause: &'static str) -> Result<RepoPath, Breach> {
    got(text.parse(), clause)
}

fn branch(text: &str, clause: &'static str) -> Result<Branch, Breach> {
    got(text.parse(), clause)
}

fn got<T, E: Debug>(result: Result<T, E>, clause: &'static str) -> Result<T, Breach> {
    result.or_else(|error| breach(clause, &error))
}

fn ensure(holds: bool, clause: &'static str, seen: &impl Debug) -> Result<(), Breach> {
    if holds { Ok(()) } else { breach(clause, seen) }
}

fn breach<T>(clause: &'static str, seen: &impl Debug) -> Result<T, Breach> {
    Err(Breach { clause, seen: format!("{seen:?}") })
}
