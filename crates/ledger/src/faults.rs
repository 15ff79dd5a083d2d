//! A wrapper around any [`Remote`] that does what networks and colleagues do, at the calls that a test names.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use release::CommitId;
use tokio::task::yield_now;

use crate::{Branch, Draft, Entry, Found, LedgerError, Meta, Push, Refusal, Remote, RepoPath, Said, Unanswered};

/// What goes wrong at a call.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Fault {
    /// The call does not reach the server, and the caller knows.
    NotSent,
    /// The call does not reach the server, and the caller cannot know.
    RequestLost,
    /// The server does what it was asked, and the caller does not learn.
    AnswerLost,
    /// As [`RequestLost`](Self::RequestLost), but a push arrives after all, just before this client's next push.
    Delayed,
    /// The server never answers.
    Hangs,
    /// The server refuses a [`push`](Remote::push) of the branch that it has; nothing at other calls.
    Refused,
    /// Somebody else commits these files to the branch just before a [`push`](Remote::push); nothing at other calls.
    Race(Vec<(RepoPath, Bytes)>),
}

/// A client of a server, with faults at chosen calls. Each call of the trait counts, from 0, and yields to the runtime
/// once before and once after it reaches the server, so that a test can stop it at either place.
pub struct Faulty {
    server: Arc<dyn Remote>,
    faults: BTreeMap<usize, Fault>,
    calls: AtomicUsize,
    delayed: Mutex<Vec<(Branch, CommitId, Draft)>>,
}

impl Faulty {
    /// A client without faults.
    #[must_use]
    pub fn new(server: Arc<dyn Remote>) -> Self {
        Self { server, faults: BTreeMap::new(), calls: AtomicUsize::new(0), delayed: Mutex::default() }
    }

    /// The client with a fault at its call number `call`, from 0.
    #[must_use]
    pub fn with(mut self, call: usize, fault: Fault) -> Self {
        self.faults.insert(call, fault);
        self
    }

    /// How many calls there were.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    fn next(&self) -> Option<&Fault> {
        self.faults.get(&self.calls.fetch_add(1, Ordering::Relaxed))
    }

    async fn call<T>(&self, call: impl Future<Output = Result<T, LedgerError>>) -> Result<T, LedgerError> {
        let fault = self.next();
        yield_now().await;
        match fault {
            Some(Fault::NotSent | Fault::RequestLost | Fault::Delayed) => return Err(unreachable()),
            Some(Fault::Hangs) => std::future::pending().await,
            Some(Fault::AnswerLost | Fault::Refused | Fault::Race(_)) | None => {}
        }
        let answer = call.await;
        yield_now().await;
        if let Some(Fault::AnswerLost) = fault { Err(unreachable()) } else { answer }
    }

    /// Carries out what was on its way all along.
    async fn deliver(&self) -> Result<(), LedgerError> {
        let delayed = std::mem::take(&mut *self.delayed.lock().unwrap_or_else(PoisonError::into_inner));
        for (branch, expected, draft) in delayed {
            self.server.push(&branch, &expected, &draft).await?;
        }
        Ok(())
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty").field("faults", &self.faults).field("calls", &self.calls()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Remote for Faulty {
    async fn head(&self, branch: &Branch) -> Result<CommitId, LedgerError> {
        self.call(self.server.head(branch)).await
    }

    async fn read(&self, at: &CommitId, paths: &[RepoPath]) -> Result<Vec<Option<Found>>, LedgerError> {
        self.call(self.server.read(at, paths)).await
    }

    async fn list(&self, at: &CommitId, folder: &RepoPath) -> Result<Vec<Entry>, LedgerError> {
        self.call(self.server.list(at, folder)).await
    }

    async fn history(&self, branch: &Branch, path: &RepoPath, limit: usize) -> Result<Vec<Meta>, LedgerError> {
        self.call(self.server.history(branch, path, limit)).await
    }

    async fn commit(&self, id: &CommitId) -> Result<Meta, LedgerError> {
        self.call(self.server.commit(id)).await
    }

    async fn push(&self, branch: &Branch, expected: &CommitId, draft: &Draft) -> Result<Push, LedgerError> {
        let fault = self.next().cloned();
        yield_now().await;
        self.deliver().await?;
        match &fault {
            Some(Fault::NotSent) => return Err(unreachable()),
            Some(Fault::RequestLost) => return Err(maybe_landed()),
            Some(Fault::Delayed) => {
                let request = (branch.clone(), *expected, draft.clone());
                self.delayed.lock().unwrap_or_else(PoisonError::into_inner).push(request);
                return Err(maybe_landed());
            }
            Some(Fault::Hangs) => std::future::pending().await,
            Some(Fault::Refused) => {
                return Ok(Push::Refused(Refusal::Other("a fault that a test asked for".to_owned())));
            }
            Some(Fault::Race(files)) => {
                let head = self.server.head(branch).await?;
                let message = "Somebody else was faster\n".to_owned();
                self.server.push(branch, &head, &Draft { files: files.clone(), message, run: draft.run }).await?;
            }
            Some(Fault::AnswerLost) | None => {}
        }
        let answer = self.server.push(branch, expected, draft).await;
        yield_now().await;
        if let Some(Fault::AnswerLost) = fault { answer.and(Err(maybe_landed())) } else { answer }
    }

    async fn landed(&self, branch: &Branch, push: &Unanswered) -> Result<Option<CommitId>, LedgerError> {
        self.call(self.server.landed(branch, push)).await
    }
}

fn unreachable() -> LedgerError {
    LedgerError::Unreachable { said: Said::new("a fault that a test asked for") }
}

fn maybe_landed() -> LedgerError {
    LedgerError::MaybeLanded { commit: None, source: Box::new(unreachable()) }
}
