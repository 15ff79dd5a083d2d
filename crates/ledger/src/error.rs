use std::{fmt, io, time::Duration};

use guarded_http::{HttpError, InvalidCredentials};
use release::CommitId;

use crate::{Branch, EditError, LedgerUrl, ObjectError, PackError, RepoPath, SignerError, Turn, WireError};

/// The largest file that is read or written, in bytes: 1 MiB.
pub const FILE_LIMIT: usize = 1 << 20;

/// Why the Ledger could not be read or written. A lost race and a refusal are no errors, but
/// [outcomes](crate::Outcome).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The Ledger has no such branch.
    #[error("the Ledger has no branch {branch}")]
    NoBranch {
        /// The branch that was asked for.
        branch: Branch,
    },
    /// The Ledger has no such commit, or does not hand it out.
    #[error("the Ledger has no commit {commit}")]
    NoCommit {
        /// The commit that was asked for.
        commit: CommitId,
    },
    /// A commit changes so much that it is not told: 100,000 files and folders and more, or folders of millions.
    #[error("commit {commit} changes more files and folders than the 100,000 that are looked at")]
    ManyChanges {
        /// The commit.
        commit: CommitId,
    },
    /// There is no repository at the Ledger's URL, or these credentials do not see it.
    #[error("the server has no such repository: {said}")]
    NoRepository {
        /// The server's words.
        said: Said,
    },
    /// The Ledger is a folder of another user, where git reads nothing (git-config(1), `safe.directory`).
    #[error(
        "the Ledger's folder belongs to another user, and git reads such a folder for nobody else: run as its owner"
    )]
    ForeignOwner {
        /// Git's words.
        said: Said,
    },
    /// The server gave no usable answer.
    #[error("the Ledger's server cannot be reached: {said}")]
    Unreachable {
        /// What was heard instead.
        said: Said,
    },
    /// The server gave no usable answer over HTTP.
    #[error("the Ledger's server gave no usable answer")]
    Http {
        /// What was heard instead.
        source: HttpError,
    },
    /// The server gave an answer that is not Git's, or not whole, or an error instead of one.
    #[error("the Ledger's server gave an answer that cannot be used")]
    Wire {
        /// What is wrong with it.
        #[from]
        source: WireError,
    },
    /// The URL names a folder, where a server is needed.
    #[error("{url} is no server's URL")]
    NoServer {
        /// The URL.
        url: LedgerUrl,
    },
    /// The server keeps a turn's ref although it was told to remove it.
    #[error("the Ledger's server does not remove the ref {turn}")]
    TurnStays {
        /// The turn.
        turn: Turn,
    },
    /// The server wants other credentials, or any.
    #[error("the Ledger's server denies access: {said}")]
    Denied {
        /// The server's words.
        said: Said,
    },
    /// The credentials cannot be sent to any server.
    #[error("the Ledger's credentials cannot be sent")]
    Credentials {
        /// Why not.
        source: InvalidCredentials,
    },
    /// A step took longer than it may.
    #[error("{operation} took longer than {} s", after.as_secs())]
    TimedOut {
        /// What took so long.
        operation: &'static str,
        /// The limit.
        after: Duration,
    },
    /// The deadline of the whole update passed before the Ledger could be read once.
    #[error("the deadline passed while the Ledger was read")]
    Deadline,
    /// A push got no answer: it may have been carried out. [`landed`](crate::Remote::landed) tells.
    #[error("a push got no answer, so it may have been carried out")]
    MaybeLanded {
        /// The id of what was pushed, where the client made it.
        commit: Option<CommitId>,
        /// Why there was no answer.
        source: Box<LedgerError>,
    },
    /// A manifest to edit is absent.
    #[error("the Ledger has no file {file}")]
    NoFile {
        /// The manifest.
        file: RepoPath,
    },
    /// A path is something else than what it must be.
    #[error("{path} is {kind} in the Ledger")]
    WrongKind {
        /// The path.
        path: RepoPath,
        /// What it is.
        kind: Kind,
    },
    /// A folder has an entry whose name is no [`RepoPath`]. Leaving it out of a listing would hide it.
    #[error("{folder} has an entry of an unusual name in the Ledger: {name}")]
    OddName {
        /// The folder.
        folder: RepoPath,
        /// The name, made safe to show.
        name: Said,
    },
    /// A file is larger than [`FILE_LIMIT`].
    #[error("{path} has {bytes} bytes, more than the {FILE_LIMIT} that a Ledger file may have")]
    TooLarge {
        /// The file.
        path: RepoPath,
        /// Its size.
        bytes: u64,
    },
    /// A manifest cannot be edited.
    #[error("{file}{} cannot be edited", Place(source))]
    Edit {
        /// The manifest.
        file: RepoPath,
        /// Why not.
        source: EditError,
    },
    /// A file of a commit that is to be taken back was touched since, and its values cannot be set back by themselves.
    #[error(
        "{file} was changed after that commit, so that what the commit changed in it cannot be set back for certain; \
         take that back by hand, with git revert and a review"
    )]
    Touched {
        /// The file.
        file: RepoPath,
    },
    /// A record file is no array of one JSON value a line.
    #[error("{file} is broken in line {line}: {because}")]
    BrokenArray {
        /// The file.
        file: RepoPath,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        because: &'static str,
    },
    /// An item for a record file is no single line of JSON.
    #[error("an item for {file} is not one line of JSON")]
    BrokenItem {
        /// The record file.
        file: RepoPath,
    },
    /// A change was applied to a snapshot that lacks one of its paths.
    #[error("{path} was not read before the change was applied")]
    NotRead {
        /// The path.
        path: RepoPath,
    },
    /// The branch that a proposal would be put on holds what no run put there, and it would be lost.
    #[error(
        "the branch {topic} of the pull request is at {at}, which is not a run's commit on the target: merge it, or \
         keep it elsewhere and delete the branch; then run again"
    )]
    TopicTaken {
        /// The branch.
        topic: Branch,
        /// Where it is.
        at: CommitId,
    },
    /// A proposal would be put on the very branch that it asks to change.
    #[error("a pull request to {target} cannot be from {target}: name another branch for it")]
    TopicIsTarget {
        /// The branch.
        target: Branch,
    },
    /// A commit or tree of the Ledger is not as Git writes them, so that others may read something else in it.
    #[error("the Ledger has an object that cannot be used")]
    Object {
        /// Why not.
        #[from]
        source: ObjectError,
    },
    /// The server sent a pack that is broken, or too large to be unpacked.
    #[error("the Ledger's server sent objects that cannot be unpacked")]
    Pack {
        /// Why not.
        source: PackError,
    },
    /// The commit could not be signed, and so was not pushed.
    #[error("the commit could not be signed")]
    Signer {
        /// Why not.
        source: SignerError,
    },
    /// Ssh does not know the server, or knows it by another key.
    #[error(
        "ssh does not trust the Ledger's server: put its host key into known_hosts, from a source that you trust: {said}"
    )]
    UnknownHost {
        /// Ssh's words.
        said: Said,
    },
    /// The git program said something that it never says.
    #[error("git gave an answer that cannot be read while it was to {operation}")]
    Garbled {
        /// What it was to do.
        operation: &'static str,
    },
    /// The git program failed at something local.
    #[error("git could not {operation}: {said}")]
    Git {
        /// What it was to do.
        operation: &'static str,
        /// Its words.
        said: Said,
    },
    /// The git program ran, but what it said did not arrive.
    #[error("git could not be heard to its end while it was to {operation}")]
    Interrupted {
        /// What it was to do.
        operation: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The git program could not be started, or its temporary store not be made.
    #[error("git could not be run to {operation}")]
    Io {
        /// What it was to do.
        operation: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A backend of another crate failed.
    #[error("the Ledger's server did not do it")]
    Backend {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
        /// Whether the same call may succeed later.
        retryable: bool,
    },
}

impl LedgerError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Deadline => true,
            Self::MaybeLanded { source, .. } => source.is_retryable(),
            Self::Backend { retryable, .. } => *retryable,
            Self::Http { source } => source.is_retryable(),
            Self::Wire { source } => source.is_retryable(),
            _ => false,
        }
    }

    /// Whether a push may have been carried out although it failed.
    #[must_use]
    pub fn may_have_landed(&self) -> bool {
        matches!(self, Self::MaybeLanded { .. })
    }
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// An ordinary file, where a folder is needed.
    File,
    /// A folder, where a file is needed.
    Folder,
    /// A symbolic link, which is never followed.
    SymbolicLink,
    /// Another repository's commit.
    Submodule,
    /// An entry whose mode is neither a folder's nor 100644 or 100755.
    Other,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "a file",
            Self::Folder => "a folder",
            Self::SymbolicLink => "a symbolic link",
            Self::Submodule => "a submodule",
            Self::Other => "an entry of an unusual mode",
        })
    }
}

/// Words of a server or of the git program: a hint for people. Only printable ASCII is kept, 300 characters at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said(String);

impl Said {
    /// Makes untrusted words safe to show: runs of spaces, line ends and control characters become one space, other
    /// characters outside printable ASCII become `?`.
    #[must_use]
    pub fn new(words: &str) -> Self {
        const LONGEST: usize = 300;
        let printable = |c: char| if c.is_ascii_graphic() { c } else { '?' };
        let words = words.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        let line = words.collect::<Vec<_>>().join(" ");
        Self(line.chars().take(LONGEST).map(|c| if c == ' ' { c } else { printable(c) }).collect())
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "no reason given" } else { &self.0 })
    }
}

/// A line and column as they stand behind a file's name.
struct Place<'a>(&'a EditError);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [self.0.line(), self.0.column()];
        parts.into_iter().flatten().try_for_each(|number| write!(f, ":{number}"))
    }
}
