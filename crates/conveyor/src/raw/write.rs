use std::slice;

use ledger::{Applied, Branch, Change, Edit, Read, Remote, RepoPath};
use release::{CommitId, RunId};
use tokio::time::Instant;

use super::config_path;
use crate::{
    Account, ChangeAccount, Error, LedgerAccount, Outcome,
    bring::{self, Brought},
    one_line,
    writing::short,
};

/// Where and how something is written in a repository that is no Ledger.
#[derive(Clone, Copy)]
pub struct Write<'a> {
    /// The repository.
    pub remote: &'a dyn Remote,
    /// Its branch.
    pub branch: &'a Branch,
    /// The name of this run.
    pub run: RunId,
    /// When to give up.
    pub deadline: Instant,
    /// Look, and write nothing.
    pub dry_run: bool,
    /// Open a pull request, or adopt the open one, where the branch takes no pushes.
    pub propose: bool,
}

/// Sets one scalar.
///
/// # Errors
/// [`Error::GuardedLedger`] where the repository holds a conveyor.yaml; else as the update fails.
pub async fn update(write: &Write<'_>, edit: Edit, account: &mut Account) -> Result<Outcome, Error> {
    let Edit { file, document, key, to, .. } = &edit;
    let document = document.as_ref().map(ToString::to_string).unwrap_or_default();
    let topic = write.topic("set", &format!("{file}\n{document}\n{key}\n{to}"))?;
    let change = Change {
        run: write.run,
        message: one_line(&format!("{file}: {key} = {to}")),
        edits: vec![edit],
        reads: vec![no_ledger()?],
        prepends: Vec::new(),
        restores: Vec::new(),
    };
    write.bring(&change, &topic, account).await
}

/// Takes back what one commit changed, as [`ledger::revert`] says.
///
/// # Errors
/// As [`update`]; [`Error::Revert`] for a commit that cannot be taken back so.
pub async fn revert(write: &Write<'_>, of: &CommitId, account: &mut Account) -> Result<Outcome, Error> {
    let guard = no_ledger()?;
    // A Ledger's commits have records, and would be refused for those.
    if write.head_holds(&guard.path).await? {
        return Err(Error::GuardedLedger);
    }
    let mut change = ledger::revert(write.remote, of, write.run, write.deadline).await?;
    change.reads.push(guard);
    let topic = write.topic("revert", &of.to_string())?;
    write.bring(&change, &topic, account).await
}

impl Write<'_> {
    async fn head(&self) -> Result<CommitId, Error> {
        Ok(ledger::persist(self.deadline, async || self.remote.head(self.branch).await).await?)
    }

    async fn head_holds(&self, path: &RepoPath) -> Result<bool, Error> {
        let head = self.head().await?;
        let read = async || self.remote.read(&head, slice::from_ref(path)).await;
        Ok(ledger::persist(self.deadline, read).await?.pop().flatten().is_some())
    }

    /// The branch that a pull request for this is from.
    fn topic(&self, what: &str, which: &str) -> Result<Branch, Error> {
        Ok(format!("conveyor/{what}-{}", short(&format!("{}\n{which}", self.branch))).parse()?)
    }

    /// Writes the change, proposes it, or says what it would write.
    async fn bring(&self, change: &Change, topic: &Branch, account: &mut Account) -> Result<Outcome, Error> {
        if self.dry_run {
            return self.plan(change, account).await;
        }
        let pushed = bring::push(self.remote, self.branch, change, self.deadline, account).await?;
        self.settle(pushed, change, topic, account).await
    }

    async fn plan(&self, change: &Change, account: &mut Account) -> Result<Outcome, Error> {
        let head = self.head().await?;
        Ok(match bring::plan(self.remote, &head, change, self.deadline, account).await? {
            Applied::Draft { edits, .. } => {
                account.planned = edits.iter().map(|edit| ChangeAccount::new(None, edit)).collect();
                Outcome::Planned
            }
            Applied::Unchanged => Outcome::Unchanged,
            Applied::Superseded { edit, found } => superseded(change, edit, &found),
            Applied::ReadsMoved { .. } => return Err(Error::GuardedLedger),
        })
    }

    async fn settle(
        &self,
        pushed: ledger::Outcome,
        change: &Change,
        topic: &Branch,
        account: &mut Account,
    ) -> Result<Outcome, Error> {
        let topic = self.propose.then_some(topic);
        let brought =
            bring::or_propose(pushed, self.remote, self.branch, change, topic, self.deadline, account).await?;
        let ended = match brought {
            Brought::Proposed(request) => return Ok(Outcome::PullRequest(request)),
            Brought::Ended(ended) => ended,
        };
        Ok(match ended {
            ledger::Outcome::Updated { commit, parent, applied, .. } => {
                let changes = applied.iter().map(|applied| ChangeAccount::new(None, applied)).collect();
                account.ledger = Some(LedgerAccount { commit, parent, changes });
                Outcome::Updated
            }
            ledger::Outcome::Unchanged { .. } => Outcome::Unchanged,
            ledger::Outcome::Superseded { edit, found } => superseded(change, edit, &found),
            ledger::Outcome::ReadsMoved { .. } => return Err(Error::GuardedLedger),
            ledger::Outcome::NeverWon { attempts } => Outcome::NeverWon { attempts },
            ledger::Outcome::Refused(refusal) => Outcome::Refused(refusal),
        })
    }
}

fn superseded(change: &Change, edit: usize, found: &ledger::Scalar) -> Outcome {
    let edit = change.edits.get(edit).cloned().map(Box::new);
    let wanted = edit.as_ref().map(|edit| edit.to.to_string()).unwrap_or_default();
    Outcome::Superseded { app: None, edit, found: found.to_string(), wanted }
}

/// That the repository is no Ledger, judged again on each new head.
fn no_ledger() -> Result<Read, Error> {
    Ok(Read { path: config_path()?, was: None })
}
