//! Brings a change to the Ledger: by a push or, where the branch takes none, by a pull request. Or says what it would
//! write.

use std::time::Duration;

use ledger::{Applied, Branch, Change, Proposed, PullRequest, Refusal, Remote, RepoPath, Snapshot};
use release::CommitId;
use tokio::time::Instant;

use crate::{Account, Error, counted::Counted};

/// What became of a change.
#[derive(Debug)]
pub(crate) enum Brought {
    /// It was pushed, or not.
    Ended(ledger::Outcome),
    /// The branch takes no pushes, and a pull request is open for it.
    Proposed(PullRequest),
}

/// Updates the Ledger; whatever ends it, `account` does not say of a push in doubt that it did not happen.
pub(crate) async fn push(
    remote: &dyn Remote,
    branch: &Branch,
    change: &Change,
    deadline: Instant,
    account: &mut Account,
) -> Result<ledger::Outcome, Error> {
    let until = before(deadline);
    counted(remote, account, async |remote| Ok(ledger::update(remote, branch, change, until).await?)).await
}

/// When to stop pushing: early enough to give back a turn and to say how it ended.
pub(crate) fn before(deadline: Instant) -> Instant {
    const LEAVING: Duration = Duration::from_secs(1);
    let left = deadline.saturating_duration_since(Instant::now());
    deadline - LEAVING.min(left / 4)
}

/// What ends in a push, with its account.
pub(crate) async fn counted(
    remote: &dyn Remote,
    account: &mut Account,
    pushing: impl AsyncFnOnce(&dyn Remote) -> Result<ledger::Outcome, Error>,
) -> Result<ledger::Outcome, Error> {
    account.happened.ledger = None;
    let pushed = pushing(&Counted::new(remote, &mut account.pushes)).await;
    account.happened.ledger = match &pushed {
        Ok(outcome) => Some(matches!(outcome, ledger::Outcome::Updated { .. } | ledger::Outcome::Unchanged { .. })),
        Err(Error::Ledger(error)) if error.may_have_landed() => None,
        Err(_) => Some(false),
    };
    let refused = matches!(&pushed, Ok(ledger::Outcome::Refused(Refusal::BranchPolicy)));
    account.proposable = refused && remote.pull_requests().is_some();
    pushed
}

/// What a push came to or, where the branch's policy refused it and there is a topic, a pull request from that.
pub(crate) async fn or_propose(
    pushed: ledger::Outcome,
    remote: &dyn Remote,
    branch: &Branch,
    change: &Change,
    topic: Option<&Branch>,
    deadline: Instant,
    account: &mut Account,
) -> Result<Brought, Error> {
    account.cannot_propose =
        topic.is_some() && remote.pull_requests().is_none() && matches!(pushed, ledger::Outcome::Refused(_));
    let (ledger::Outcome::Refused(Refusal::BranchPolicy), Some(topic)) = (&pushed, topic) else {
        return Ok(Brought::Ended(pushed));
    };
    let title = change.message.lines().next().unwrap_or_default();
    Ok(match ledger::propose(remote, branch, change, topic, title, deadline).await? {
        Proposed::Open(request) => Brought::Proposed(request),
        Proposed::Unchanged { at } => Brought::Ended(ledger::Outcome::Unchanged { at }),
        Proposed::Superseded { edit, found } => Brought::Ended(ledger::Outcome::Superseded { edit, found }),
        Proposed::ReadsMoved { path, at } => Brought::Ended(ledger::Outcome::ReadsMoved { path, at }),
        Proposed::NotOffered => Brought::Ended(pushed),
    })
}

/// What a change comes to at a commit; `account` gets the difference that it would make.
pub(crate) async fn plan(
    remote: &dyn Remote,
    at: &CommitId,
    change: &Change,
    deadline: Instant,
    account: &mut Account,
) -> Result<Applied, Error> {
    let paths: Vec<RepoPath> = change.paths().into_iter().collect();
    let found = ledger::persist(deadline, async || remote.read(at, &paths).await).await?;
    let parent: Snapshot = std::iter::zip(paths, found).collect();
    let applied = ledger::apply(&parent, change)?;
    if let Applied::Draft { draft, .. } = &applied {
        let before = |path| parent.get(path).and_then(Option::as_ref).map(|found| &*found.bytes).unwrap_or_default();
        let parts = draft.files.iter().map(|(path, after)| ledger::diff(path, before(path), after));
        account.diff = Some(parts.collect());
    }
    Ok(applied)
}
