use ledger::{Applied, Branch, Change, Edit, Read, Remote};
use release::{CommitId, RunId};
use tokio::time::Instant;

use super::config_path;
use crate::{
    Account, ChangeAccount, Error, LedgerAccount, Outcome,
    bring::{self, Brought},
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
    let topic = format!("conveyor/set-{}", short(&format!("{file}\n{document}\n{key}\n{to}")));
    let change = Change {
        run: write.run,
        message: format!("{file}: {key} = {to}"),
        edits: vec![edit],
        reads: vec![no_ledger()?],
        prepends: Vec::new(),
    };
    if write.dry_run {
        let head = write.remote.head(write.branch).await?;
        return write.plan(&head, &change, account).await;
    }
    let pushed = bring::push(write.remote, write.branch, &change, write.deadline, account).await?;
    write.settle(pushed, &change, &topic, account).await
}

/// Takes back what one commit changed: each scalar that still holds the commit's value gets the one before.
///
/// # Errors
/// As [`update`]; [`Error::Revert`] for a commit that cannot be taken back so.
pub async fn revert(write: &Write<'_>, of: &CommitId, account: &mut Account) -> Result<Outcome, Error> {
    let Write { remote, branch, run, .. } = *write;
    let head = remote.head(branch).await?;
    let guard = no_ledger()?;
    if remote.read(&head, std::slice::from_ref(&guard.path)).await?.pop().flatten().is_some() {
        return Err(Error::GuardedLedger);
    }
    let change = ledger::revert_change(remote, of, run).await?;
    if write.dry_run {
        return write.plan(&head, &change, account).await;
    }
    let until = bring::before(write.deadline);
    let pushed =
        bring::counted(remote, account, async |remote| Ok(ledger::revert(remote, branch, of, run, until).await?))
            .await?;
    let topic = format!("conveyor/revert-{}", short(&of.to_string()));
    write.settle(pushed, &change, &topic, account).await
}

impl Write<'_> {
    /// What the change would come to.
    async fn plan(&self, head: &CommitId, change: &Change, account: &mut Account) -> Result<Outcome, Error> {
        Ok(match bring::plan(self.remote, head, change, account).await? {
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
        topic: &str,
        account: &mut Account,
    ) -> Result<Outcome, Error> {
        let topic = self.propose.then(|| topic.parse()).transpose()?;
        let brought =
            bring::or_propose(pushed, self.remote, self.branch, change, topic.as_ref(), self.deadline).await?;
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
    let wanted = change.edits.get(edit).map(|edit| edit.to.to_string()).unwrap_or_default();
    Outcome::Superseded { app: None, found: found.to_string(), wanted }
}

/// That the repository is no Ledger, judged again on each new head.
fn no_ledger() -> Result<Read, Error> {
    Ok(Read { path: config_path()?, was: None })
}
