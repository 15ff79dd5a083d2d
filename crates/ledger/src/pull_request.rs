use std::{collections::BTreeSet, fmt};

use async_trait::async_trait;
use bytes::Bytes;
use release::CommitId;
use url::Url;

use crate::{Branch, Draft, LedgerError, RepoPath};

/// A draft that people decide on.
#[derive(Debug, Clone, Copy)]
pub struct Proposal<'a> {
    /// Where it shall go.
    pub target: &'a Branch,
    /// The target's head that it was made on.
    pub expected: &'a CommitId,
    /// What it writes.
    pub draft: &'a Draft,
    /// The files of the draft that ask for something. The others only put it on record, anew in each run.
    pub manifests: &'a BTreeSet<RepoPath>,
    /// The branch that holds it until then. Its name follows from what is proposed, so that a second run finds the first's.
    pub topic: &'a Branch,
    /// Its title, one line.
    pub title: &'a str,
}

impl Proposal<'_> {
    /// That its topic is another branch than its target.
    ///
    /// # Errors
    /// [`LedgerError::TopicIsTarget`].
    pub fn check_topic(&self) -> Result<(), LedgerError> {
        if self.topic == self.target {
            return Err(LedgerError::TopicIsTarget { target: self.target.clone() });
        }
        Ok(())
    }

    /// The files that a commit must hold to ask for the same: the manifests where a pull request of it is open, whatever
    /// run put that on record; else all.
    pub fn asked(&self, is_open: bool) -> impl Iterator<Item = &(RepoPath, Bytes)> {
        self.draft.files.iter().filter(move |(path, _)| !is_open || self.manifests.contains(path))
    }

    /// The files that it writes.
    #[must_use]
    pub fn paths(&self) -> BTreeSet<RepoPath> {
        self.draft.files.iter().map(|(path, _)| path.clone()).collect()
    }
}

/// A pull request that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number.
    pub id: u64,
    /// Its page, for people.
    pub url: Url,
    /// The topic's head.
    pub commit: CommitId,
    /// Whether it was open before.
    pub adopted: bool,
}

/// A server where people decide on changes.
///
/// # Contract
/// Every backend passes [`conformance::check_pull_requests`](crate::conformance::check_pull_requests).
#[async_trait]
pub trait PullRequests: fmt::Debug + Send + Sync {
    /// Opens a pull request for the draft, or adopts the one that is open from this topic to this target. The topic's
    /// branch is made or moved to a commit of the draft on the expected head; nothing else is touched.
    ///
    /// The topic stays as it is where its pull request is open and asks for the same: what it holds of the manifests is
    /// what the draft does, and, if it is a run's commit, that writes the draft's files and the target has had no other
    /// change of them since. Else it is moved only from a commit that the target has, or from a run's one commit on such
    /// a commit; whether there is one may be looked for among the target's newest thousand.
    ///
    /// # Errors
    /// [`LedgerError::TopicIsTarget`], [`LedgerError::TopicTaken`] for a topic that must stay and does not ask for the
    /// same, [`LedgerError::NoBranch`] for the target, and whatever a push may fail with.
    async fn propose(&self, proposal: Proposal<'_>) -> Result<PullRequest, LedgerError>;
}
