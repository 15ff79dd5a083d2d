//! A Ledger in Azure Repos, over REST, API version 7.1: [`ledger::Remote`] without a clone and without Git's protocol.
//!
//! One update of one file is three requests: the branch's head (`refs`), the file at that commit (`items`), the push
//! (`pushes`, whose `oldObjectId` is the lock). Each further file is one more, at the same time as the first; a file that
//! is new is one more for each look at the folders around it. A lost race costs the same three again.
//!
//! The server makes the commit, by whoever the credentials are, so that a client cannot sign it, and names its id in its
//! answer only. An answer that never came is looked for by the run's trailer and the first parent.
//!
//! Sources: the REST reference for
//! [refs](https://learn.microsoft.com/rest/api/azure/devops/git/refs/list),
//! [items](https://learn.microsoft.com/rest/api/azure/devops/git/items),
//! [commits](https://learn.microsoft.com/rest/api/azure/devops/git/commits),
//! [pushes](https://learn.microsoft.com/rest/api/azure/devops/git/pushes/create) and
//! [pull requests](https://learn.microsoft.com/rest/api/azure/devops/git/pull-requests). Not said there, and assumed:
//! an item says `isSymLink` of a symbolic link; an edit keeps its file's mode; the changes of a merge are those against its
//! first parent.

mod address;
mod api;
mod commits;
mod documents;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod items;
mod places;
mod pull_requests;
mod push;
mod server_error;

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use guarded_http::{Credentials, Limits};
use ledger::{
    Branch, Draft, Entry, Found, LedgerError, LedgerUrl, Meta, PullRequests, Push, Remote, RepoPath, Unanswered,
};
use release::CommitId;

pub use self::error::GitError;
use self::{api::Api, places::Places};

/// A repository of Azure Repos. Calls may run at once; nothing is sent before the first one.
///
/// What was seen of a branch's head and of the paths at one commit is kept, so that a push of what was read asks for
/// nothing again. A push is sent once. A branch that somebody removes between its head being read and the push is made
/// again by the push, at a child of that head: the server takes the lock of a branch that is not there for a starting point.
#[derive(Debug)]
pub struct Repository {
    api: Api,
    /// Where people see it.
    page: url::Url,
    seen: Mutex<Seen>,
}

/// What was seen last.
#[derive(Debug, Default)]
struct Seen {
    head: Option<(Branch, CommitId)>,
    places: Places,
}

impl Repository {
    /// The repository at `url`: `https://dev.azure.com/ORGANIZATION/PROJECT/_git/REPOSITORY`, or the like on another
    /// server, with whatever path that has before its project. A personal access token is the password of a Basic
    /// credential with an empty user; a job's own token is a Bearer credential.
    ///
    /// # Errors
    /// [`LedgerError::Backend`] with [`GitError::Address`] for a URL of another shape, [`LedgerError::Http`] for
    /// credentials that cannot be sent.
    pub fn new(url: &LedgerUrl, credentials: &Credentials, limits: Limits) -> Result<Self, LedgerError> {
        let (origin, root, page) = address::parse(url)?;
        Ok(Self { api: Api::new(origin, root, credentials, limits)?, page, seen: Mutex::default() })
    }

    /// How many requests were sent so far, repeated ones included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.api.requests()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Remote for Repository {
    async fn head(&self, branch: &Branch) -> Result<CommitId, LedgerError> {
        let head = self.tip(branch).await?.ok_or_else(|| LedgerError::NoBranch { branch: branch.clone() })?;
        self.seen().head = Some((branch.clone(), head));
        Ok(head)
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

    fn pull_requests(&self) -> Option<&dyn PullRequests> {
        Some(self)
    }
}
