use std::fmt;

use async_trait::async_trait;
use release::CommitId;
use url::Url;

use crate::{Branch, Draft, LedgerError};

/// A draft that people decide on.
#[derive(Debug, Clone, Copy)]
pub struct Proposal<'a> {
    /// Where it shall go.
    pub target: &'a Branch,
    /// The target's head that it was made on.
    pub expected: &'a CommitId,
    /// What it writes.
    pub draft: &'a Draft,
    /// The branch that holds it until then. Its name follows from what is proposed, so that a second run finds the first's.
    pub topic: &'a Branch,
    /// Its title, one line.
    pub title: &'a str,
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
    async fn propose(&self, proposal: Proposal<'_>) -> Result<PullRequest, LedgerError>;
}
