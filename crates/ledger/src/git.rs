//! A [`Remote`] by way of the `git` program (2.39 or later), over every scheme that a [`LedgerUrl`] may have.
//!
//! Everything goes through a bare, temporary store without a work tree. The program sees none of the user's or the
//! system's configuration, runs no hook of its own, follows no redirect, asks nobody anything and speaks the one protocol of the
//! URL. Ssh alone is the user's own, with its configuration, keys, agent and known hosts; it asks nothing either, so that
//! a server that is not known, or wants a password, is an error.

mod command;
mod commit;
mod history;
mod import;
mod store;
mod transport;
mod tree;

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use guarded_http::Credentials;
use release::CommitId;
use tokio::{
    sync::{Mutex, MutexGuard},
    time::timeout,
};

use self::store::Store;
pub use crate::Identity;
use crate::{
    Authorship, Branch, Draft, Entry, Found, LedgerError, LedgerUrl, Meta, Push, Remote, RepoPath, Unanswered,
};

/// How the `git` program is used.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The program, looked up on `PATH` where it is a bare name.
    pub program: PathBuf,
    /// Who commits, and who signs.
    pub authorship: Authorship,
    /// What the Ledger's origin is told, and no other; never used for `file://`.
    pub credentials: Credentials,
    /// How long one run of the program may take, a signer's apart. A call may wait for others four times as long, and a call that reads
    /// may run the program for as long again; a push is a handful of runs.
    pub timeout: Duration,
}

impl Default for Settings {
    /// `git` on `PATH`, anonymous, a minute a run.
    fn default() -> Self {
        Self {
            program: "git".into(),
            authorship: Authorship::default(),
            credentials: Credentials::Anonymous,
            timeout: Duration::from_secs(60),
        }
    }
}

/// A Ledger behind the `git` program. Calls take turns; nothing is done before the first one.
///
/// History is fetched only for [`history`](Remote::history), [`commit`](Remote::commit) and
/// [`landed`](Remote::landed), and no deeper than they need. Files whose names are no [`RepoPath`] are left alone.
/// Where a push is rejected in words that are not those of a lost race, the head is looked at again a second later.
#[derive(Debug)]
pub struct Program {
    url: LedgerUrl,
    settings: Settings,
    store: Mutex<Option<Store>>,
}

impl Program {
    /// A client of the Ledger at `url`.
    #[must_use]
    pub fn new(url: LedgerUrl, settings: Settings) -> Self {
        Self { url, settings, store: Mutex::new(None) }
    }

    async fn lease(&self) -> Result<Lease<'_>, LedgerError> {
        let mut slot = self.limited("waiting for other calls", async { Ok(self.store.lock().await) }).await?;
        let store = match slot.take() {
            Some(store) => store,
            None => Store::create(&self.url, &self.settings).await?,
        };
        Ok(Lease { slot, store })
    }

    /// A step of many runs, or none, that ends in time all the same.
    async fn limited<T>(
        &self,
        operation: &'static str,
        step: impl Future<Output = Result<T, LedgerError>>,
    ) -> Result<T, LedgerError> {
        let after = self.settings.timeout.saturating_mul(4);
        timeout(after, step).await.unwrap_or(Err(LedgerError::TimedOut { operation, after }))
    }
}

/// A store while a call uses it. It goes back only when the call ends: one that is dropped half-way, or that git did
/// not finish in time, may leave git's lock files behind, and its store goes with it.
struct Lease<'a> {
    slot: MutexGuard<'a, Option<Store>>,
    store: Store,
}

impl Lease<'_> {
    fn end<T>(mut self, result: Result<T, LedgerError>) -> Result<T, LedgerError> {
        let unfinished = |error: &LedgerError| match error {
            LedgerError::MaybeLanded { source, .. } => matches!(**source, LedgerError::TimedOut { .. }),
            error => matches!(error, LedgerError::TimedOut { .. }),
        };
        if !result.as_ref().is_err_and(unfinished) {
            *self.slot = Some(self.store);
        }
        result
    }
}

#[async_trait]
impl Remote for Program {
    async fn head(&self, branch: &Branch) -> Result<CommitId, LedgerError> {
        let lease = self.lease().await?;
        let head = self.limited("looking for the branch's head", lease.store.fetch_branch(branch, 1)).await;
        lease.end(head)
    }

    async fn read(&self, at: &CommitId, paths: &[RepoPath]) -> Result<Vec<Option<Found>>, LedgerError> {
        let lease = self.lease().await?;
        let found = self.limited("reading files", lease.store.read(at, paths)).await;
        lease.end(found)
    }

    async fn list(&self, at: &CommitId, folder: &RepoPath) -> Result<Vec<Entry>, LedgerError> {
        let lease = self.lease().await?;
        let entries = self.limited("listing a folder", lease.store.list(at, folder)).await;
        lease.end(entries)
    }

    async fn history(&self, branch: &Branch, path: &RepoPath, limit: usize) -> Result<Vec<Meta>, LedgerError> {
        let lease = self.lease().await?;
        let commits = self.limited("reading history", lease.store.history(branch, path, limit)).await;
        lease.end(commits)
    }

    async fn commit(&self, id: &CommitId) -> Result<Meta, LedgerError> {
        let lease = self.lease().await?;
        let commit = self.limited("reading a commit", lease.store.commit(id)).await;
        lease.end(commit)
    }

    async fn push(&self, branch: &Branch, expected: &CommitId, draft: &Draft) -> Result<Push, LedgerError> {
        let lease = self.lease().await?;
        let push = lease.store.commit_and_push(branch, expected, draft, &self.settings.authorship).await;
        lease.end(push)
    }

    async fn landed(&self, branch: &Branch, push: &Unanswered) -> Result<Option<CommitId>, LedgerError> {
        let lease = self.lease().await?;
        let commit = self.limited("looking for a push", lease.store.landed(branch, push)).await;
        lease.end(commit)
    }
}
