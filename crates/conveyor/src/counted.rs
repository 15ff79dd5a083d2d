use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

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
    turns: Option<CountedTurns<'a>>,
    pushes: Arc<AtomicU32>,
    total: &'a mut u32,
}

/// Its turns: some pushes go through them.
#[derive(Debug)]
struct CountedTurns<'a> {
    turns: &'a dyn Turns,
    pushes: Arc<AtomicU32>,
}

impl<'a> Counted<'a> {
    pub(crate) fn new(remote: &'a dyn Remote, total: &'a mut u32) -> Self {
        let pushes = Arc::new(AtomicU32::new(0));
        let turns = remote.turns().map(|turns| CountedTurns { turns, pushes: Arc::clone(&pushes) });
        Self { remote, turns, pushes, total }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        *self.total += self.pushes.load(Ordering::Relaxed);
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
        self.turns.as_ref().map(|turns| turns as &dyn Turns)
    }

    fn pull_requests(&self) -> Option<&dyn PullRequests> {
        self.remote.pull_requests()
    }
}

#[async_trait]
impl Turns for CountedTurns<'_> {
    async fn queue(&self, branch: &Branch) -> Result<Queue, LedgerError> {
        self.turns.queue(branch).await
    }

    async fn take(&self, turn: &Turn, at: &CommitId) -> Result<bool, LedgerError> {
        self.turns.take(turn, at).await
    }

    async fn end(&self, turn: &Turn) -> Result<(), LedgerError> {
        self.turns.end(turn).await
    }

    async fn push_and_end(&self, turn: &Turn, expected: &CommitId, draft: &Draft) -> Result<Push, LedgerError> {
        self.pushes.fetch_add(1, Ordering::Relaxed);
        self.turns.push_and_end(turn, expected, draft).await
    }
}
