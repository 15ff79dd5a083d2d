use std::iter;

use release::{CommitId, RunId};
use tokio::time::Instant;

use crate::{
    Change, Edit, Found, From, LedgerError, Meta, Remote, RepoPath, Restore, persist,
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
    /// The commit changed something whose name is no [`RepoPath`].
    #[error(
        "{commit} changed something of an unusual name, which is not taken back; do that by hand, with git revert and a \
         review"
    )]
    OddName {
        /// The commit.
        commit: CommitId,
    },
    /// The commit changed nothing.
    #[error("{commit} changed nothing")]
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

/// The change that undoes what a commit changed against its first parent: all of it, or none where that commit did
/// anything but set scalars that can be set back. Bring it to a branch with [`update`](crate::update) or
/// [`propose`](crate::propose); run again, it is [`Unchanged`](crate::Outcome::Unchanged).
///
/// A file that nobody touched since becomes what it was, byte for byte. In one that others have touched, what they
/// changed stays: each scalar gets the value that it had, if it still holds the commit's; where one does not, nothing is
/// written and the outcome is [`Superseded`](crate::Outcome::Superseded). Such a file is refused with
/// [`LedgerError::Touched`] where a document is found by nothing but its number (it has no kind and name that are its own), a
/// list's entry by anything but its `name`, or where the value was no text for every reader: a number would come back as
/// a text. A mode that the commit changed together with a file's content is not seen, and stays.
///
/// # Errors
/// A fault of the Ledger that no retry mends, the last one at the deadline, or a commit that cannot be undone in this way.
pub async fn revert(remote: &dyn Remote, of: &CommitId, run: RunId, deadline: Instant) -> Result<Change, RevertError> {
    persist(deadline, async || Versions::read(remote, of).await).await?.undo(run)
}

/// A commit, and the files that it changed, as they were and as it left them.
struct Versions {
    of: Meta,
    files: Vec<(RepoPath, Option<Found>, Option<Found>)>,
}

impl Versions {
    async fn read(remote: &dyn Remote, of: &CommitId) -> Result<Self, LedgerError> {
        let meta = remote.commit(of).await?;
        let paths: Vec<RepoPath> = meta.changed.iter().cloned().collect();
        let before = match meta.parents.first() {
            Some(parent) => remote.read(parent, &paths).await?,
            None => Vec::new(),
        };
        let after = remote.read(of, &paths).await?;
        let files = iter::zip(paths, iter::zip(before, after)).map(|(path, (was, is))| (path, was, is)).collect();
        Ok(Self { of: meta, files })
    }

    fn undo(self, run: RunId) -> Result<Change, RevertError> {
        let Self { of: Meta { id: commit, parents, message, changed_others, .. }, files } = self;
        if parents.is_empty() {
            return Err(RevertError::First { commit });
        }
        if changed_others {
            return Err(RevertError::OddName { commit });
        }
        let (mut edits, mut restores) = (Vec::new(), Vec::new());
        for (file, was, is) in files {
            let both = was.zip(is);
            let changed = both.as_ref().and_then(|(was, is)| changed_scalars(&was.bytes, &is.bytes));
            // Without any, the file's mode has changed.
            let (Some(changed), Some((was, is))) = (changed.filter(|changed| !changed.is_empty()), both) else {
                return Err(RevertError::NotScalars { commit, file });
            };
            let in_part = changed.iter().all(|scalar| scalar.by_name);
            edits.extend(changed.into_iter().map(|ChangedScalar { document, key, from, to, .. }| Edit {
                file: file.clone(),
                document,
                key,
                from: From::Exactly(to),
                to: from,
            }));
            restores.push(Restore { file, from: is.id, to: was, in_part });
        }
        if edits.is_empty() {
            return Err(RevertError::Nothing { commit });
        }
        let short: String = commit.to_string().chars().take(12).collect();
        let message = format!("Revert {short}: {}", message.lines().next().unwrap_or_default());
        Ok(Change { run, edits, reads: Vec::new(), prepends: Vec::new(), restores, message })
    }
}
