use std::{iter, time::Duration};

use release::{CommitId, RunId};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::{
    Applied, AppliedEdit, Branch, Change, LedgerError, Push, Refusal, Remote, RepoPath, Scalar, Unanswered, apply,
};

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
    /// Others won each race until the deadline; nothing is written.
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
    let mut writer = Writer { remote, branch, change, paths, attempts: 0, doubt: None };
    let mut last = LedgerError::Deadline;
    let mut lost_race = false;
    for round in 0.. {
        if Instant::now() >= deadline {
            break;
        }
        match timeout_at(deadline, writer.attempt()).await {
            Ok(Ok(Some(outcome))) => return Ok(outcome),
            Ok(Ok(None)) => lost_race = true,
            Ok(Err(error)) if error.is_retryable() || error.may_have_landed() => (last, lost_race) = (error, false),
            Ok(Err(error)) => return Err(writer.in_doubt(error)),
            Err(_) => break,
        }
        sleep_until(deadline.min(Instant::now() + pause(round))).await;
    }
    if lost_race && writer.doubt.is_none() {
        return Ok(Outcome::NeverWon { attempts: writer.attempts });
    }
    Err(writer.in_doubt(last))
}

struct Writer<'a> {
    remote: &'a dyn Remote,
    branch: &'a Branch,
    change: &'a Change,
    paths: Vec<RepoPath>,
    attempts: u32,
    /// The push whose answer is not known: set while it is under way, and left behind when that ends without an answer.
    doubt: Option<Doubt>,
}

/// Pushes on one head: one change makes the same edits on it each time, and one of them lands at most.
#[derive(Clone)]
struct Doubt {
    parent: CommitId,
    applied: Vec<AppliedEdit>,
    /// Each push's commit, where its id is known.
    commits: Vec<Option<CommitId>>,
}

impl Doubt {
    /// The last push's commit has this id, as far as is known.
    fn now_named(&mut self, commit: Option<CommitId>) {
        self.commits.pop();
        self.commits.push(commit);
    }

    fn unanswered(&self, run: RunId) -> Unanswered {
        let commits: Option<Vec<CommitId>> = self.commits.iter().copied().collect();
        Unanswered { expected: self.parent, run, commits: commits.unwrap_or_default() }
    }
}

impl Writer<'_> {
    /// One round from a fresh head; `None` when somebody else was faster, or when it is too early to tell.
    async fn attempt(&mut self) -> Result<Option<Outcome>, LedgerError> {
        let Self { remote, branch, change, .. } = *self;
        let head = remote.head(branch).await?;
        if let Some(doubt) = &self.doubt {
            if let Some(commit) = remote.landed(branch, &doubt.unanswered(change.run)).await? {
                let Doubt { parent, applied, .. } = doubt.clone();
                return Ok(Some(Outcome::Updated { commit, parent, applied, attempts: self.attempts }));
            }
            // A request still under way can be carried out only while the branch stands where it was pushed to. With
            // the head elsewhere and the run not in its history, that is over.
            if head != doubt.parent {
                self.doubt = None;
            }
        }
        let found = remote.read(&head, &self.paths).await?;
        let (draft, applied) = match apply(&iter::zip(self.paths.iter().cloned(), found).collect(), change)? {
            Applied::Draft { draft, edits } => (draft, edits),
            Applied::Unchanged => return Ok(Some(Outcome::Unchanged { at: head })),
            Applied::Superseded { edit, found } => return Ok(Some(Outcome::Superseded { edit, found })),
            Applied::ReadsMoved { path } => return Ok(Some(Outcome::ReadsMoved { path, at: head })),
        };
        self.attempts += 1;
        let earlier = self.doubt.clone();
        let begun = || Doubt { parent: head, applied: applied.clone(), commits: Vec::new() };
        let doubt = self.doubt.get_or_insert_with(begun);
        doubt.commits.push(None);
        let answer = remote.push(branch, &head, &draft).await;
        match &answer {
            Err(LedgerError::MaybeLanded { commit, .. }) => doubt.now_named(*commit),
            _ => self.doubt = earlier,
        }
        Ok(match answer? {
            Push::Accepted(commit) => Some(Outcome::Updated { commit, parent: head, applied, attempts: self.attempts }),
            Push::Stale => None,
            // While an earlier push may still be carried out, "nothing is written" would be a guess.
            Push::Refused(_) if self.doubt.is_some() => None,
            Push::Refused(refusal) => Some(Outcome::Refused(refusal)),
        })
    }

    /// A final error, which must not hide that a push is still in doubt.
    fn in_doubt(&self, error: LedgerError) -> LedgerError {
        match &self.doubt {
            Some(doubt) if !error.may_have_landed() => {
                let commit = doubt.commits.last().copied().flatten();
                LedgerError::MaybeLanded { commit, source: Box::new(error) }
            }
            _ => error,
        }
    }
}

/// A writer's pause is chance, so that those who lost one race together do not meet again in the next.
fn pause(round: u32) -> Duration {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(2);
    FIRST.saturating_mul(1 << round.min(16)).min(LONGEST).mul_f64(fastrand::f64())
}
