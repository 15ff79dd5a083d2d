use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use ledger::{
    Branch, Draft, Entry, Found, LedgerError, Meta, PullRequests, Push, Queue, Remote, RepoPath, Turn, Turns,
    Unanswered,
};
use release::CommitId;

/// A Ledger's server whose pushes are counted, however they end: when it is dropped, `total` has them too.
#[derive(Debug)]
pub(crate) struct Counted<'a> {
    remote: &'a dyn Remote,
    pushes: AtomicU32,
    total: &'a mut u32,
}

impl<'a> Counted<'a> {
    pub(crate) fn new(remote: &'a dyn Remote, total: &'a mut u32) -> Self {
        Self { remote, pushes: AtomicU32::new(0), total }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        *self.total += *self.pushes.get_mut();
    }
}

#[async_trait]
impl Remote for Counted<'_> {
    async fn head(&self, branch: &Branch) -> Result<CommitId, LedgerError> {
        self.remote.head(branch).await
    }

    async fn read(&self, at: &CommitId, paths: &[RepoPath]) -> Result<Vec<Option<Found>>, LedgerError> {
        self.remote.read(at, paths).await
    }

    async fn list(&self, at: &CommitId, folder: &RepoPath) -> Result<Vec<Entry>, LedgerError> {
        self.remote.list(at, folder).await
    }

    async fn history(&self, branch: &Branch, path: &RepoPath, limit: usize) -> Result<Vec<Meta>, LedgerError> {
        self.remote.history(branch, path, limit).await
    }

    async fn commit(&self, id: &CommitId) -> Result<Meta, LedgerError> {
        self.remote.commit(id).await
    }

    async fn push(&self, branch: &Branch, expected: &CommitId, draft: &Draft) -> Result<Push, LedgerError> {
        self.pushes.fetch_add(1, Ordering::Relaxed);
        self.remote.push(branch, expected, draft).await
    }

    async fn landed(&self, branch: &Branch, push: &Unanswered) -> Result<Option<CommitId>, LedgerError> {
        self.remote.landed(branch, push).await
    }
    fn turns(&self) -> Option<&dyn Turns> {
        Some(self)
    }

    fn pull_requests(&self) -> Option<&dyn PullRequests> {
        self.remote.pull_requests()
    }
}

/// A server without turns has an empty queue and lets nobody into it.
#[async_trait]
impl Turns for Counted<'_> {
    async fn queue(&self, branch: &Branch) -> Result<Queue, LedgerError> {
        match self.remote.turns() {
            Some(turns) => turns.queue(branch).await,
            None => Ok(Queue { head: self.remote.head(branch).await?, turns: Vec::new() }),
        }
    }

    async fn take(&self, turn: &Turn, at: &CommitId) -> Result<bool, LedgerError> {
        match self.remote.turns() {
            Some(turns) => turns.take(turn, at).await,
            None => Ok(false),
        }
    }

    async fn end(&self, turn: &Turn) -> Result<(), LedgerError> {
        match self.remote.turns() {
            Some(turns) => turns.end(turn).await,
            None => Ok(()),
        }
    }

    async fn push_and_end(&self, turn: &Turn, expected: &CommitId, draft: &Draft) -> Result<Push, LedgerError> {
        self.pushes.fetch_add(1, Ordering::Relaxed);
        match self.remote.turns() {
            Some(turns) => turns.push_and_end(turn, expected, draft).await,
            None => self.remote.push(&turn.branch, expected, draft).await,
        }
    }
}
