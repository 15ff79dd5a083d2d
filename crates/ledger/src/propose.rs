use std::{collections::BTreeSet, iter};

use release::CommitId;
use tokio::time::Instant;

use crate::{
    Applied, Branch, Change, LedgerError, Proposal, PullRequest, PullRequests, Remote, RepoPath, Scalar, apply,
    update::persist,
};

/// What became of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposed {
    /// A pull request is open for it.
    Open(PullRequest),
    /// There is nothing to write.
    Unchanged {
        /// The head that says so.
        at: CommitId,
    },
    /// A place holds a newer build, or not what it must; nothing is proposed.
    Superseded {
        /// The edit's index in [`Change::edits`].
        edit: usize,
        /// What the place holds.
        found: Scalar,
    },
    /// Something that the decision read has changed: decide again.
    ReadsMoved {
        /// The first path that differs.
        path: RepoPath,
        /// The head that says so.
        at: CommitId,
    },
    /// This server has no pull requests.
    NotOffered,
}

/// Opens a pull request that brings a change to a branch, or adopts the one that is open from `topic`: reads,
/// [applies](apply) and proposes. Temporary faults are retried until `deadline`. The topic's name must follow from the
/// change and from the branch.
///
/// # Errors
/// What [`apply`] refuses; a topic that holds other people's work ([`PullRequests::propose`]); a fault that no retry mends; at the deadline, the last temporary fault.
pub async fn propose(
    remote: &dyn Remote,
    branch: &Branch,
    change: &Change,
    topic: &Branch,
    title: &str,
    deadline: Instant,
) -> Result<Proposed, LedgerError> {
    let Some(requests) = remote.pull_requests() else { return Ok(Proposed::NotOffered) };
    let paths: Vec<RepoPath> = change.paths().into_iter().collect();
    persist(deadline, async || once(remote, requests, branch, change, &paths, topic, title).await).await
}

async fn once(
    remote: &dyn Remote,
    requests: &dyn PullRequests,
    target: &Branch,
    change: &Change,
    paths: &[RepoPath],
    topic: &Branch,
    title: &str,
) -> Result<Proposed, LedgerError> {
    let head = remote.head(target).await?;
    let found = remote.read(&head, paths).await?;
    Ok(match apply(&iter::zip(paths.iter().cloned(), found).collect(), change)? {
        Applied::Draft { draft, .. } => {
            let manifests: BTreeSet<RepoPath> = change.edits.iter().map(|edit| edit.file.clone()).collect();
            let proposal = Proposal { target, expected: &head, draft: &draft, manifests: &manifests, topic, title };
            Proposed::Open(requests.propose(proposal).await?)
        }
        Applied::Unchanged => Proposed::Unchanged { at: head },
        Applied::Superseded { edit, found } => Proposed::Superseded { edit, found },
        Applied::ReadsMoved { path } => Proposed::ReadsMoved { path, at: head },
    })
}
