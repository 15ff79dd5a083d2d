//! A [`Remote`] over Git's smart HTTP (gitprotocol-http(5)), in process: no program, no store on disk, no work tree.
//!
//! One update is four requests on one connection: the branch's head, the trees of its commit, the files on the paths,
//! the push. Protocol v2 is spoken at once; a server that does not answer so is asked what it can. Then versions 0
//! and 1 are spoken, and what a server does not offer (filters, objects by their ids) is done without, at the price of
//! a larger answer.

mod cache;
mod connection;
mod history;
mod look;
mod push;
mod talk;
mod turns;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use guarded_http::{Authorize, Client, Credentials, Limits};
use release::CommitId;

use self::{cache::Cache, connection::Connection, talk::Known};
use crate::{
    Authorship, Branch, Draft, Entry, Found, LedgerError, LedgerUrl, Meta, Push, Remote, RepoPath, Turn, Turns,
    Unanswered,
};

/// Who speaks, and how long.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who commits are by.
    pub authorship: Authorship,
    /// What the Ledger's origin is told, and no other.
    pub credentials: Credentials,
    /// How long things may take. What only reads is repeated on temporary faults until the deadline, a push never.
    pub limits: Limits,
}

/// A Ledger behind a Git server. Calls may run at once; nothing is sent before the first one.
///
/// Up to 128 MiB of objects, and what was learnt about the server, are kept as long as it lives: what is read again at
/// one commit costs no request, and a later head only what is new in it. Packs are read within the bounds of
/// [`PackError`](crate::PackError). History is fetched without files, and no deeper than a call needs.
#[derive(Debug)]
pub struct Server {
    connection: Connection,
    authorship: Authorship,
    known: Mutex<Known>,
    cache: Mutex<Cache>,
    /// Where turns stand, as far as they were seen or made.
    turns: Mutex<BTreeMap<Turn, CommitId>>,
}

impl Server {
    /// A client of the Ledger at `url`.
    ///
    /// # Errors
    /// [`LedgerError::NoServer`] for a folder, [`LedgerError::Http`] for credentials that cannot be sent.
    pub fn new(url: &LedgerUrl, settings: Settings) -> Result<Self, LedgerError> {
        let Settings { authorship, credentials, limits } = settings;
        let connection = Connection::new(url, |origin| Client::new(origin, &credentials, limits))?;
        Ok(Self::over(connection, authorship))
    }

    /// A client that sends what `authorize` gives.
    ///
    /// # Errors
    /// [`LedgerError::NoServer`] for a folder.
    pub fn authorized_by(
        url: &LedgerUrl,
        authorize: Arc<dyn Authorize>,
        authorship: Authorship,
        limits: Limits,
    ) -> Result<Self, LedgerError> {
        let connection = Connection::new(url, |origin| Client::authorized_by(origin, authorize, limits))?;
        Ok(Self::over(connection, authorship))
    }

    fn over(connection: Connection, authorship: Authorship) -> Self {
        let (known, cache, turns) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { connection, authorship, known, cache, turns }
    }

    /// How many requests were sent so far, repeated ones included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.connection.requests()
    }

    /// Where the server has a branch now.
    async fn tip(&self, branch: &Branch) -> Result<Option<CommitId>, LedgerError> {
        let name = branch.to_string();
        Ok(self.refs(&[&name]).await?.remove(&name))
    }
}

#[async_trait]
impl Remote for Server {
    async fn head(&self, branch: &Branch) -> Result<CommitId, LedgerError> {
        self.tip(branch).await?.ok_or_else(|| LedgerError::NoBranch { branch: branch.clone() })
    }

    async fn read(&self, at: &CommitId, paths: &[RepoPath]) -> Result<Vec<Option<Found>>, LedgerError> {
        self.read_files(at, paths).await
    }

    async fn list(&self, at: &CommitId, folder: &RepoPath) -> Result<Vec<Entry>, LedgerError> {
        self.list_folder(at, folder).await
    }

    async fn history(&self, branch: &Branch, path: &RepoPath, limit: usize) -> Result<Vec<Meta>, LedgerError> {
        self.history_of(branch, path, limit).await
    }

    async fn commit(&self, id: &CommitId) -> Result<Meta, LedgerError> {
        self.one_commit(id).await
    }

    async fn push(&self, branch: &Branch, expected: &CommitId, draft: &Draft) -> Result<Push, LedgerError> {
        self.push_draft(branch, expected, draft).await
    }

    async fn landed(&self, branch: &Branch, push: &Unanswered) -> Result<Option<CommitId>, LedgerError> {
        self.find_landed(branch, push).await
    }

    fn turns(&self) -> Option<&dyn Turns> {
        Some(self)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
