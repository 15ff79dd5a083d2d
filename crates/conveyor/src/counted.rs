use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use ledger::{Branch, Draft, Entry, Found, LedgerError, Meta, Push, Remote, RepoPath, Unanswered};
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
}
