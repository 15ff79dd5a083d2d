use std::{collections::BTreeSet, fmt};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use release::{CommitId, ObjectId, RunId};

use crate::{
    Branch, LedgerError, PullRequests, RepoPath, Turns,
    objects::{Kind, Object},
    run_trailer,
};

/// What one push writes: whole files on top of the commit that it expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The files that change, each with all of its new bytes. Their modes stay as they are; a new file is 100644.
    pub files: Vec<(RepoPath, Bytes)>,
    /// The commit message, trailers included.
    pub message: String,
    /// The run that writes; also the message's `Conveyor-Run` trailer.
    pub run: RunId,
}

/// What became of a push. A lost race and a refusal are outcomes, not errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Push {
    /// The branch is now at this commit, whose parent is the expected one.
    Accepted(CommitId),
    /// Somebody else has moved the branch from the expected commit, or is about to; nothing was written.
    Stale,
    /// The branch stands where it was expected and the server does not want this commit.
    Refused(Refusal),
}

/// Why a server refused a push although the branch had not moved.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The branch takes changes through pull requests only.
    BranchPolicy,
    /// These credentials may not push here.
    Permission,
    /// A hook, a quota or something else said no; the server's sanitised words are a hint, not a fact.
    Other(String),
}

/// A push without an answer: what tells its commit from all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// The head that the push expected: the first parent of its commit, if it landed.
    pub expected: CommitId,
    /// The run that pushed.
    pub run: RunId,
    /// The ids that the client gave to what it pushed ([`LedgerError::MaybeLanded`]), one for each try; empty where the
    /// server makes its own.
    pub commits: Vec<CommitId>,
}

impl Unanswered {
    /// Whether a commit that the branch gained since is the one that was pushed: by its id where the client knows that.
    /// A server that makes its own ids leaves the first parent, which compare-and-swap ensures, together with the run,
    /// which is in the commit's trailer. The run alone would take a cherry-picked or imitated commit for it.
    #[must_use]
    pub fn is(&self, id: &CommitId, parents: &[CommitId], run: Option<RunId>) -> bool {
        if self.commits.is_empty() {
            parents.first() == Some(&self.expected) && run == Some(self.run)
        } else {
            self.commits.contains(id)
        }
    }
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path from the root.
    pub path: RepoPath,
    /// Its blob or tree.
    pub id: ObjectId,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// A commit without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// Its name.
    pub id: CommitId,
    /// Its parents; none for the first commit.
    pub parents: Vec<CommitId>,
    /// When it was committed, as its author's clock had it: for display.
    pub time: Timestamp,
    /// Its whole message.
    pub message: String,
    /// The run in its `Conveyor-Run` trailer, where it has exactly one.
    pub run: Option<RunId>,
    /// The files that differ from the first parent, of those that have a [`RepoPath`].
    pub changed: BTreeSet<RepoPath>,
    /// Whether something without a [`RepoPath`] differs too.
    pub changed_others: bool,
}

impl Meta {
    /// The run in a message's `Conveyor-Run` trailer, where it has exactly one: for a backend that reads messages.
    #[must_use]
    pub fn run_of(message: &str) -> Option<RunId> {
        run_trailer::run_of(message)
    }
}

/// A file as it stands at a commit; for a folder the bytes are empty and the id is its tree's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The blob's or tree's id.
    pub id: ObjectId,
    /// The blob's bytes; at most 1 MiB.
    pub bytes: Bytes,
}

impl Found {
    /// A file of these bytes, under Git's own id for them.
    ///
    /// # Errors
    /// [`LedgerError::Object`] for bytes that are an attack on SHA-1.
    pub fn file(bytes: Bytes) -> Result<Self, LedgerError> {
        let blob = Object::new(Kind::Blob, bytes)?;
        Ok(Self { id: blob.id(), bytes: blob.bytes })
    }
}

/// The Ledger's server: one repository, read and written by compare-and-swap on a branch's head.
///
/// # Contract
/// Every backend passes [`conformance::check`](crate::conformance::check), and
/// [`check_oddities`](crate::conformance::check_oddities) where its repository can be seeded with them:
/// * [`push`](Remote::push) moves the branch from `expected` to a child of it, or does not touch it. It never merges,
///   never forces, and notices a branch that was rewound.
/// * After an error of `push` that [`may_have_landed`](LedgerError::may_have_landed), only
///   [`landed`](Remote::landed) tells. A client that makes the commit itself says its id in that error; one whose
///   server makes the ids says none.
/// * A path that is absent is `None`; a symbolic link, a submodule or a file above 1 MiB is an error, never bytes.
#[async_trait]
pub trait Remote: fmt::Debug + Send + Sync {
    /// The branch's head. [`LedgerError::NoBranch`] where there is none.
    async fn head(&self, branch: &Branch) -> Result<CommitId, LedgerError>;

    /// Files and folders at a commit, in the order asked for, in one go.
    async fn read(&self, at: &CommitId, paths: &[RepoPath]) -> Result<Vec<Option<Found>>, LedgerError>;

    /// A folder's entries at a commit, sorted by path; none where it is absent. All of them: an entry that has no
    /// [`RepoPath`], or is no file or folder, is an error.
    async fn list(&self, at: &CommitId, folder: &RepoPath) -> Result<Vec<Entry>, LedgerError>;

    /// The newest commits that changed a path, newest first, at most `limit`.
    async fn history(&self, branch: &Branch, path: &RepoPath, limit: usize) -> Result<Vec<Meta>, LedgerError>;

    /// One commit.
    async fn commit(&self, id: &CommitId) -> Result<Meta, LedgerError>;

    /// Commits a draft on top of `expected` and moves the branch there, if it still is at `expected`.
    async fn push(&self, branch: &Branch, expected: &CommitId, draft: &Draft) -> Result<Push, LedgerError>;

    /// The commit that [is](Unanswered::is) the push's among those that the branch gained since the expected head,
    /// looked up afresh. A branch that does not have that head, or a server that forgot it, is searched as a whole.
    async fn landed(&self, branch: &Branch, push: &Unanswered) -> Result<Option<CommitId>, LedgerError>;

    /// Turns at this server's branches, where it keeps them.
    fn turns(&self) -> Option<&dyn Turns> {
        None
    }

    /// Pull requests, where this server has them.
    fn pull_requests(&self) -> Option<&dyn PullRequests> {
        None
    }
}
