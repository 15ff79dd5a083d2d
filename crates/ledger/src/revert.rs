use std::iter;

use bytes::Bytes;
use release::{CommitId, ObjectId, RunId};
use tokio::time::Instant;

use crate::{
    Applied, Branch, Change, Edit, Found, From, LedgerError, Meta, Outcome, Remote, RepoPath, Snapshot, apply,
    update::{Task, persist},
    yaml::{ChangedScalar, changed_scalars},
};

/// Why a commit cannot be undone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevertError {
    /// The Ledger could not be read or written.
    #[error(transparent)]
    Ledger {
        /// Why not.
        #[from]
        source: LedgerError,
    },
    /// Nothing was there before the commit.
    #[error("{commit} is the Ledger's first commit, so there is nothing to go back to")]
    First {
        /// The commit.
        commit: CommitId,
    },
    /// The commit did more to a file than setting scalars that can be set back.
    #[error(
        "{commit} changed more of {file} than values of YAML keys; take that back by hand, with git revert and a review"
    )]
    NotScalars {
        /// The commit.
        commit: CommitId,
        /// The first such file.
        file: RepoPath,
    },
    /// The commit changed no manifest.
    #[error("{commit} changed no manifest, and what it recorded stays on record")]
    Nothing {
        /// The commit.
        commit: CommitId,
    },
}

impl RevertError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Ledger { source } if source.is_retryable())
    }
}

/// Undoes what a commit changed against its first parent: each scalar gets the value that it had, if it still holds
/// the commit's; where one does not, nothing is written and the outcome is [`Outcome::Superseded`]. Whatever others
/// changed since stays. A file that nobody touched since becomes what it was, byte for byte.
///
/// Files of records (`records/….json`) stay as they are: what happened is not made to not have happened. Only files that
/// have a [`RepoPath`] are looked at. Otherwise as [`update`](crate::update).
///
/// # Errors
/// As [`update`](crate::update), and a commit that cannot be undone in this way.
pub async fn revert(
    remote: &dyn Remote,
    branch: &Branch,
    of: &CommitId,
    run: RunId,
    deadline: Instant,
) -> Result<Outcome, RevertError> {
    let versions = persist(deadline, async || Versions::read(remote, of).await).await?;
    let undo = versions.undo(run)?;
    let paths = undo.change.paths().into_iter().collect();
    let task = Task { remote, branch, run, paths, apply: &|parent| undo.apply(parent) };
    Ok(task.bring(deadline).await?)
}

/// The change that [`revert`] brings, to look at before. In a file that nobody touched since, `revert` also restores how
/// the values were written.
///
/// # Errors
/// A fault of the Ledger, or a commit that cannot be undone in this way.
pub async fn revert_change(remote: &dyn Remote, of: &CommitId, run: RunId) -> Result<Change, RevertError> {
    Ok(Versions::read(remote, of).await?.undo(run)?.change)
}

/// A commit, and the files that it changed but for records, as they were and as it left them.
struct Versions {
    of: Meta,
    files: Vec<(RepoPath, Option<Found>, Option<Found>)>,
}

impl Versions {
    async fn read(remote: &dyn Remote, of: &CommitId) -> Result<Self, LedgerError> {
        let meta = remote.commit(of).await?;
        let paths: Vec<RepoPath> = meta.changed.iter().filter(|path| !is_record(path)).cloned().collect();
        let before = match meta.parents.first() {
            Some(parent) => remote.read(parent, &paths).await?,
            None => Vec::new(),
        };
        let after = remote.read(of, &paths).await?;
        let files = iter::zip(paths, iter::zip(before, after)).map(|(path, (was, is))| (path, was, is)).collect();
        Ok(Self { of: meta, files })
    }

    fn undo(self, run: RunId) -> Result<Undo, RevertError> {
        let Self { of: Meta { id: commit, parents, message, .. }, files } = self;
        if parents.is_empty() {
            return Err(RevertError::First { commit });
        }
        let mut edits = Vec::new();
        let mut untouched = Vec::new();
        for (path, was, is) in files {
            let both = was.zip(is);
            let changed = both.as_ref().and_then(|(was, is)| changed_scalars(&was.bytes, &is.bytes));
            let (Some(changed), Some((was, is))) = (changed, both) else {
                return Err(RevertError::NotScalars { commit, file: path });
            };
            edits.extend(changed.into_iter().map(|ChangedScalar { document, key, from, to }| Edit {
                file: path.clone(),
                document,
                key,
                from: From::Exactly(to),
                to: from,
            }));
            untouched.push(Version { path, after: is.id, before: was.bytes });
        }
        if edits.is_empty() {
            return Err(RevertError::Nothing { commit });
        }
        let short: String = commit.to_string().chars().take(12).collect();
        let message = format!("Revert {short}: {}", message.lines().next().unwrap_or_default());
        Ok(Undo { change: Change { run, edits, reads: Vec::new(), prepends: Vec::new(), message }, untouched })
    }
}

/// What happened is not made to not have happened.
fn is_record(path: &RepoPath) -> bool {
    path.as_str().starts_with("records/") && path.as_str().ends_with(".json")
}

struct Undo {
    change: Change,
    untouched: Vec<Version>,
}

/// What a manifest is to be again where it still is as the commit left it.
struct Version {
    path: RepoPath,
    after: ObjectId,
    before: Bytes,
}

impl Undo {
    /// The change, judged as any other. Setting a value keeps the style in which it is written now, which need not be
    /// the one before.
    fn apply(&self, parent: &Snapshot) -> Result<Applied, LedgerError> {
        let mut applied = apply(parent, &self.change)?;
        if let Applied::Draft { draft, .. } = &mut applied {
            for (path, bytes) in &mut draft.files {
                let now = parent.get(path).and_then(Option::as_ref).map(|found| found.id);
                let version = self.untouched.iter().find(|version| version.path == *path && now == Some(version.after));
                if let Some(version) = version {
                    *bytes = version.before.clone();
                }
            }
        }
        Ok(applied)
    }
}
