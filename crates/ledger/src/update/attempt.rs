use std::iter;

use release::{CommitId, RunId};

use super::{Outcome, Task, place::Place};
use crate::{Applied, AppliedEdit, LedgerError, Push, Unanswered};

/// Who brings one task to the branch, and what is known of its pushes.
pub(super) struct Writer<'a> {
    task: &'a Task<'a>,
    pub(super) attempts: u32,
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

impl<'a> Writer<'a> {
    pub(super) fn new(task: &'a Task<'a>) -> Self {
        Self { task, attempts: 0, doubt: None }
    }

    /// Whether a push without an answer landed after all, as the branch at `head` tells.
    pub(super) async fn landed(&mut self, head: CommitId) -> Result<Option<Outcome>, LedgerError> {
        let Some(doubt) = &self.doubt else { return Ok(None) };
        let Task { remote, branch, run, .. } = *self.task;
        if let Some(commit) = remote.landed(branch, &doubt.unanswered(run)).await? {
            let Doubt { parent, applied, .. } = doubt.clone();
            return Ok(Some(Outcome::Updated { commit, parent, applied, attempts: self.attempts }));
        }
        // A request still under way can be carried out only while the branch stands where it was pushed to. With the
        // head elsewhere and the run not in its history, that is over.
        if head != doubt.parent {
            self.doubt = None;
        }
        Ok(None)
    }

    /// Judges the task on `head` and pushes; `None` when somebody else was faster, or when it is too early to tell.
    pub(super) async fn attempt(
        &mut self,
        head: CommitId,
        place: &mut Place<'_>,
    ) -> Result<Option<Outcome>, LedgerError> {
        let Task { remote, paths, apply, .. } = self.task;
        let found = remote.read(&head, paths).await?;
        let (draft, applied) = match apply(&iter::zip(paths.iter().cloned(), found).collect())? {
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
        let answer = place.push(&head, &draft).await;
        match &answer {
            Err(LedgerError::MaybeLanded { commit, .. }) => doubt.now_named(*commit),
            _ => self.doubt = earlier,
        }
        Ok(match answer? {
            Push::Accepted(commit) => Some(Outcome::Updated { commit, parent: head, applied, attempts: self.attempts }),
            Push::Stale => None,
            // While an earlier push may still be carried out, "nothing is written" would be a guess.
            Push::Refused(_) if self.is_in_doubt() => None,
            Push::Refused(refusal) => Some(Outcome::Refused(refusal)),
        })
    }

    pub(super) fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// A final error, which must not hide that a push is still in doubt.
    pub(super) fn in_doubt(&self, error: LedgerError) -> LedgerError {
        match &self.doubt {
            Some(doubt) if !error.may_have_landed() => {
                let commit = doubt.commits.last().copied().flatten();
                LedgerError::MaybeLanded { commit, source: Box::new(error) }
            }
            _ => error,
        }
    }
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
