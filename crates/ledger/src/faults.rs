//! A wrapper around any [`Remote`] that does what networks and colleagues do, at the calls that a test names.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use release::CommitId;
use tokio::{task::yield_now, time::sleep};

use crate::{
    Branch, Draft, Entry, Found, LedgerError, Meta, Proposal, PullRequest, PullRequests, Push, Queue, Refusal, Remote,
    RepoPath, Said, Turn, Turns, Unanswered,
};

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
    /// The server refuses a [`push`](Remote::push) of the branch that it has, or a turn; nothing at other calls.
    Refused,
    /// Somebody else commits these files to the branch just before a [`push`](Remote::push); nothing at other calls.
    Race(Vec<(RepoPath, Bytes)>),
}

/// A client of a server, with faults at chosen calls. Each call of [`Remote`], [`Turns`] and [`PullRequests`] counts,
/// from 0, and yields to the runtime once before and once after it reaches the server, so that a test can stop it at
/// either place. [`push_and_end`](Turns::push_and_end) is a push.
pub struct Faulty {
    server: Arc<dyn Remote>,
    faults: BTreeMap<usize, Fault>,
    calls: AtomicUsize,
    latency: Duration,
    delayed: Mutex<Vec<Request>>,
}

/// A push, and the turn that ends with it.
#[derive(Clone)]
struct Request {
    branch: Branch,
    expected: CommitId,
    draft: Draft,
    turn: Option<Turn>,
}

impl Faulty {
    /// A client without faults.
    #[must_use]
    pub fn new(server: Arc<dyn Remote>) -> Self {
        let (calls, latency) = (AtomicUsize::new(0), Duration::ZERO);
        Self { server, faults: BTreeMap::new(), calls, latency, delayed: Mutex::default() }
    }

    /// The client with a fault at its call number `call`, from 0.
    #[must_use]
    pub fn with(mut self, call: usize, fault: Fault) -> Self {
        self.faults.insert(call, fault);
        self
    }

    /// The client with a way to its server that takes between half and one and a half times as long, there and back
    /// alike.
    #[must_use]
    pub fn with_latency(self, latency: Duration) -> Self {
        Self { latency, ..self }
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
        self.way().await;
        match fault {
            Some(Fault::NotSent | Fault::RequestLost | Fault::Delayed) => return Err(unreachable()),
            Some(Fault::Hangs) => std::future::pending().await,
            Some(Fault::AnswerLost | Fault::Refused | Fault::Race(_)) | None => {}
        }
        let answer = call.await;
        self.way().await;
        if let Some(Fault::AnswerLost) = fault { Err(unreachable()) } else { answer }
    }

    async fn way(&self) {
        if self.latency.is_zero() {
            yield_now().await;
        } else {
            sleep(self.latency.mul_f64(0.5 + fastrand::f64())).await;
        }
    }

    /// Carries out what was on its way all along.
    async fn deliver(&self) -> Result<(), LedgerError> {
        let delayed = std::mem::take(&mut *self.delayed.lock().unwrap_or_else(PoisonError::into_inner));
        for request in delayed {
            self.carry_out(&request).await?;
        }
        Ok(())
    }

    async fn carry_out(&self, Request { branch, expected, draft, turn }: &Request) -> Result<Push, LedgerError> {
        match (turn, self.server.turns()) {
            (Some(turn), Some(turns)) => turns.push_and_end(turn, expected, draft).await,
            _ => self.server.push(branch, expected, draft).await,
        }
    }

    async fn push(&self, request: Request) -> Result<Push, LedgerError> {
        let fault = self.next().cloned();
        self.way().await;
        self.deliver().await?;
        match &fault {
            Some(Fault::NotSent) => return Err(unreachable()),
            Some(Fault::RequestLost) => return Err(maybe_landed()),
            Some(Fault::Delayed) => {
                self.delayed.lock().unwrap_or_else(PoisonError::into_inner).push(request);
                return Err(maybe_landed());
            }
            Some(Fault::Hangs) => std::future::pending().await,
            Some(Fault::Refused) => {
                return Ok(Push::Refused(Refusal::Other("a fault that a test asked for".to_owned())));
            }
            Some(Fault::Race(files)) => {
                let Request { branch, draft, .. } = &request;
                let head = self.server.head(branch).await?;
                let message = "Somebody else was faster\n".to_owned();
                self.server.push(branch, &head, &Draft { files: files.clone(), message, run: draft.run }).await?;
            }
            Some(Fault::AnswerLost) | None => {}
        }
        let answer = self.carry_out(&request).await;
        self.way().await;
        if let Some(Fault::AnswerLost) = fault { answer.and(Err(maybe_landed())) } else { answer }
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
        let (branch, expected, draft) = (branch.clone(), *expected, draft.clone());
        Faulty::push(self, Request { branch, expected, draft, turn: None }).await
    }

    async fn landed(&self, branch: &Branch, push: &Unanswered) -> Result<Option<CommitId>, LedgerError> {
        self.call(self.server.landed(branch, push)).await
    }
    fn turns(&self) -> Option<&dyn Turns> {
        self.server.turns().map(|_| self as &dyn Turns)
    }

    fn pull_requests(&self) -> Option<&dyn PullRequests> {
        self.server.pull_requests().map(|_| self as &dyn PullRequests)
    }
}

#[async_trait]
impl Turns for Faulty {
    async fn queue(&self, branch: &Branch) -> Result<Queue, LedgerError> {
        let turns = self.server.turns().ok_or_else(unreachable)?;
        self.call(turns.queue(branch)).await
    }

    async fn take(&self, turn: &Turn, at: &CommitId) -> Result<bool, LedgerError> {
        let turns = self.server.turns().ok_or_else(unreachable)?;
        let is_refused = matches!(self.faults.get(&self.calls()), Some(Fault::Refused));
        self.call(async { if is_refused { Ok(false) } else { turns.take(turn, at).await } }).await
    }

    async fn end(&self, turn: &Turn) -> Result<(), LedgerError> {
        let turns = self.server.turns().ok_or_else(unreachable)?;
        self.call(turns.end(turn)).await
    }

    async fn push_and_end(&self, turn: &Turn, expected: &CommitId, draft: &Draft) -> Result<Push, LedgerError> {
        let (branch, expected, draft) = (turn.branch.clone(), *expected, draft.clone());
        Faulty::push(self, Request { branch, expected, draft, turn: Some(turn.clone()) }).await
    }
}

#[async_trait]
impl PullRequests for Faulty {
    async fn propose(&self, proposal: Proposal<'_>) -> Result<PullRequest, LedgerError> {
        let pull_requests = self.server.pull_requests().ok_or_else(unreachable)?;
        self.call(pull_requests.propose(proposal)).await
    }
}

fn unreachable() -> LedgerError {
    LedgerError::Unreachable { said: Said::new("a fault that a test asked for") }
}

fn maybe_landed() -> LedgerError {
    LedgerError::MaybeLanded { commit: None, source: Box::new(unreachable()) }
}
