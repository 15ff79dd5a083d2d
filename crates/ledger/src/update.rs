mod attempt;
mod backoff;
mod pace;
mod persist;
mod place;

use std::time::Duration;

use release::{CommitId, RunId};
use tokio::time::{Instant, sleep_until, timeout_at};

pub use self::persist::persist;
use self::{attempt::Writer, place::Place};
use crate::{Applied, AppliedEdit, Branch, Change, LedgerError, Refusal, Remote, RepoPath, Scalar, Snapshot, apply};

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is written.
    Updated {
        /// The commit that brought it.
        commit: CommitId,
        /// That commit's parent: the head that the change was judged on.
        parent: CommitId,
        /// The edits that changed something.
        applied: Vec<AppliedEdit>,
        /// How many pushes it took.
        attempts: u32,
    },
    /// There was nothing to write.
    Unchanged {
        /// The head that says so.
        at: CommitId,
    },
    /// A place holds a newer build, or not what it must; nothing of the change is written.
    Superseded {
        /// The edit's index in [`Change::edits`].
        edit: usize,
        /// What the place holds.
        found: Scalar,
    },
    /// Something that the decision read has changed: decide again.
    ReadsMoved {
        /// The first path that differs.
        path: RepoPath,
        /// The head that says so.
        at: CommitId,
    },
    /// Others were faster until the deadline; nothing is written.
    NeverWon {
        /// How many pushes were tried.
        attempts: u32,
    },
    /// The server does not want the commit, on a branch that stood still.
    Refused(Refusal),
}

/// Brings a change to a branch: reads, [applies](apply) and pushes, again on each new head, until `deadline`.
///
/// Temporary faults are retried until then too. After a push without an answer, the branch is searched for the run's
/// commit before anything is tried again, so one call makes one commit at most. Dropping the future stops it; run the
/// change again to learn what became of it: what is in the Ledger already is [`Outcome::Unchanged`]. Where items of a
/// change without edits may have got others in front, its file belongs into its reads.
///
/// Where the server keeps [turns](crate::Turns), who loses a race, or finds others waiting, queues up: N writers at once
/// then cost about 2 N pushes, where compare-and-swap alone costs a share of N². A turn whose holder does nothing is
/// passed over after 1 to 10 seconds, by how long attempts take. The own turn is given back on every way out, which may
/// take up to a second past the deadline; a dropped future leaves it. Where there are no turns, who has waited longer
/// pauses for less.
///
/// # Errors
/// What [`apply`] refuses; a fault that no retry mends; at the deadline, the last temporary fault, or
/// [`LedgerError::MaybeLanded`] where the last push is still in doubt.
pub async fn update(
    remote: &dyn Remote,
    branch: &Branch,
    change: &Change,
    deadline: Instant,
) -> Result<Outcome, LedgerError> {
    let paths = change.paths().into_iter().collect();
    Task { remote, branch, run: change.run, paths, apply: &|parent| apply(parent, change) }.bring(deadline).await
}

/// What is to be brought to a branch.
pub(crate) struct Task<'a> {
    pub(crate) remote: &'a dyn Remote,
    pub(crate) branch: &'a Branch,
    pub(crate) run: RunId,
    /// What is read at each head, and then judged by `apply`.
    pub(crate) paths: Vec<RepoPath>,
    pub(crate) apply: &'a (dyn Fn(&Snapshot) -> Result<Applied, LedgerError> + Sync),
}

impl Task<'_> {
    /// As [`update`] says.
    pub(crate) async fn bring(&self, deadline: Instant) -> Result<Outcome, LedgerError> {
        let mut place = Place::new(self, deadline);
        let outcome = self.repeat(&mut place, deadline).await;
        place.leave().await;
        outcome
    }

    async fn repeat(&self, place: &mut Place<'_>, deadline: Instant) -> Result<Outcome, LedgerError> {
        let mut writer = Writer::new(self);
        let mut last = LedgerError::Deadline;
        let (mut beaten, mut failures) = (false, 0);
        while Instant::now() < deadline {
            let pause = match timeout_at(deadline, round(&mut writer, place)).await {
                Ok(Ok(Round::Over(outcome))) => return Ok(outcome),
                Ok(Ok(Round::Waiting(pause))) => pause,
                Ok(Ok(Round::Lost(pause))) => {
                    (beaten, failures) = (true, 0);
                    pause
                }
                Ok(Err(error)) if error.is_retryable() || error.may_have_landed() => {
                    (last, beaten, failures) = (error, false, failures + 1);
                    backoff::after_fault(failures)
                }
                Ok(Err(error)) => return Err(writer.in_doubt(error)),
                Err(_) => break,
            };
            sleep_until(deadline.min(Instant::now() + pause)).await;
        }
        if beaten && !writer.is_in_doubt() {
            return Ok(Outcome::NeverWon { attempts: writer.attempts });
        }
        Err(writer.in_doubt(last))
    }
}

/// What one round came to, and how long to pause before the next.
enum Round {
    Over(Outcome),
    /// Others are to go first.
    Waiting(Duration),
    /// Others were faster.
    Lost(Duration),
}

/// One round from a fresh head.
async fn round(writer: &mut Writer<'_>, place: &mut Place<'_>) -> Result<Round, LedgerError> {
    let began = Instant::now();
    let head = place.look().await?;
    if let Some(outcome) = writer.landed(head).await? {
        return Ok(Round::Over(outcome));
    }
    if let Some(pause) = place.wait(&head).await {
        return Ok(Round::Waiting(pause));
    }
    Ok(match writer.attempt(head, place).await? {
        Some(outcome) => Round::Over(outcome),
        None if writer.is_in_doubt() => Round::Lost(backoff::after_fault(writer.attempts)),
        None => Round::Lost(place.lost(&head, began.elapsed()).await),
    })
}
