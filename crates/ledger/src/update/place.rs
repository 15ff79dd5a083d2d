use std::{collections::BTreeSet, time::Duration};

use release::CommitId;
use tokio::time::{Instant, timeout};

use super::{Task, backoff, pace::Pace};
use crate::{Draft, LedgerError, Push, Queue, Turn, Turns};

/// How long a writer that is done spends on removing its turn. One that stays is passed over by the others.
const LEAVING: Duration = Duration::from_secs(1);

/// A writer's place among those who write the branch: it pushes at once as long as nobody waits, and queues up when
/// others do or when it has lost a race. Nothing depends on it but who tries when.
pub(super) struct Place<'a> {
    task: &'a Task<'a>,
    began: Instant,
    deadline: Instant,
    /// None where the server has no turns, or takes none from us.
    turns: Option<&'a dyn Turns>,
    turn: Turn,
    /// Whether the turn stands, as far as is known.
    holds: bool,
    /// How often the server took none. Once may be for another's lock on its refs.
    refusals: u32,
    /// The turns ahead at the last look, first first.
    ahead: Vec<Turn>,
    /// Who was first in front of which head, and since when we have seen that.
    front: Option<(Turn, CommitId, Instant)>,
    /// Turns whose holders let their time pass. Nobody waits for them again, even where they cannot be removed.
    passed: BTreeSet<Turn>,
    /// How many of them one after the other.
    gone: u32,
    pace: Pace,
}

impl<'a> Place<'a> {
    pub(super) fn new(task: &'a Task<'a>, deadline: Instant) -> Self {
        Self {
            task,
            began: Instant::now(),
            deadline,
            turns: task.remote.turns(),
            turn: Turn { run: task.run, branch: task.branch.clone() },
            holds: false,
            refusals: 0,
            ahead: Vec::new(),
            front: None,
            passed: BTreeSet::new(),
            gone: 0,
            pace: Pace::default(),
        }
    }

    /// The branch's head, and in the same look who is ahead.
    pub(super) async fn look(&mut self) -> Result<CommitId, LedgerError> {
        let Some(turns) = self.turns else { return self.task.remote.head(self.task.branch).await };
        let asked = Instant::now();
        let Queue { head, turns: mut standing } = turns.queue(self.task.branch).await?;
        self.holds = standing.contains(&self.turn);
        standing.retain(|turn| *turn < self.turn && !self.passed.contains(turn));
        self.ahead = standing;
        self.pace.looked(asked.elapsed(), self.ahead.len());
        Ok(head)
    }

    /// How long to wait before the next look; `None` where nobody is ahead, or there is no time left to let others go
    /// first.
    pub(super) async fn wait(&mut self, head: &CommitId) -> Option<Duration> {
        let mut patient_until = self.first_since(head)? + self.pace.patience(self.gone);
        if Instant::now() >= patient_until {
            self.pass_over_first().await;
            patient_until = self.first_since(head)? + self.pace.patience(self.gone);
        }
        let mut wait = self.pace.wait(self.ahead.len());
        if self.gone > 0 {
            wait = wait.min(patient_until - Instant::now());
        }
        if Instant::now() + wait + self.pace.patience(0) >= self.deadline {
            return None;
        }
        self.take(head).await;
        self.turns.map(|_| wait)
    }

    /// Pushes, and gives the turn back with it.
    pub(super) async fn push(&mut self, expected: &CommitId, draft: &Draft) -> Result<Push, LedgerError> {
        match self.turns {
            Some(turns) if self.holds => {
                let push = turns.push_and_end(&self.turn, expected, draft).await?;
                self.holds = !matches!(push, Push::Accepted(_));
                Ok(push)
            }
            _ => self.task.remote.push(self.task.branch, expected, draft).await,
        }
    }

    /// Queues up after a race on `head` that was lost in an attempt of this length. How long to pause before the next.
    pub(super) async fn lost(&mut self, head: &CommitId, attempt: Duration) -> Duration {
        self.pace.lost(attempt);
        let queued = self.holds;
        self.take(head).await;
        if self.holds && !queued {
            return Duration::ZERO;
        }
        backoff::after_loss(self.began.elapsed(), self.pace.attempt())
    }

    /// Gives the turn back, whatever came of it.
    pub(super) async fn leave(self) {
        if let (true, Some(turns)) = (self.holds, self.turns) {
            drop(timeout(LEAVING, turns.end(&self.turn)).await);
        }
    }

    async fn take(&mut self, at: &CommitId) {
        let Some(turns) = self.turns.filter(|_| !self.holds) else { return };
        // It may be taken although the answer is lost.
        self.holds = true;
        let refused = match timeout(self.pace.patience(0), turns.take(&self.turn, at)).await {
            Ok(Ok(taken)) => !taken,
            Ok(Err(error)) => !error.is_retryable(),
            Err(_) => false,
        };
        if refused {
            self.holds = false;
            self.refusals += 1;
            self.turns = self.turns.filter(|_| self.refusals < 2);
        }
    }

    /// Since when we have seen who is first leave the branch as it is, by our own clock.
    fn first_since(&mut self, head: &CommitId) -> Option<Instant> {
        let first = self.ahead.first()?;
        match &self.front {
            Some((turn, at, since)) if turn == first && at == head => return Some(*since),
            Some((_, at, _)) if at != head => self.gone = 0,
            _ => {}
        }
        Some(self.front.insert((first.clone(), *head, Instant::now())).2)
    }

    async fn pass_over_first(&mut self) {
        let first = self.ahead.remove(0);
        if let Some(turns) = self.turns {
            drop(timeout(LEAVING, turns.end(&first)).await);
        }
        self.passed.insert(first);
        self.gone += 1;
    }
}
