use release::CommitId;

use super::{Breach, branch, breach, draft, ensure, got, path, run};
use crate::{Branch, LedgerError, Push, Queue, Remote, Turn, Turns};

/// Runs the contract of [`Turns`] on a branch that exists, that nobody else writes to or waits for, and that has nothing
/// under `conformance/turns`. Of the server's turns only those at this branch, and at one whose name begins with its
/// own, are touched; none is left.
///
/// # Errors
/// The first [`Breach`]; a [`Remote`] without turns is one.
pub async fn check_turns(remote: &dyn Remote, branch: &Branch) -> Result<(), Breach> {
    let Some(turns) = remote.turns() else { return breach("the remote has turns", &remote) };
    let suite = Suite { remote, turns, branch };
    let start = suite.none_yet().await?;
    suite.order(start).await?;
    let head = suite.pushes(start).await?;
    suite.is_advice(head).await
}

struct Suite<'a> {
    remote: &'a dyn Remote,
    turns: &'a dyn Turns,
    branch: &'a Branch,
}

impl Suite<'_> {
    async fn none_yet(&self) -> Result<CommitId, Breach> {
        let clause = "a look for the turns at a branch that is not there is NoBranch";
        let absent = branch("conformance-has-no-such-branch", clause)?;
        let queue = self.turns.queue(&absent).await;
        ensure(matches!(queue, Err(LedgerError::NoBranch { .. })), clause, &queue)?;
        let head = got(self.remote.head(self.branch).await, "the branch has a head")?;
        self.standing(head, &[], "before any turn is taken, none stands").await?;
        let clause = "the end of a turn that is gone is no error";
        got(self.turns.end(&self.turn(9)).await, clause)?;
        Ok(head)
    }

    async fn order(&self, head: CommitId) -> Result<(), Breach> {
        let (older, younger) = (self.turn(1), self.turn(2));
        self.take(&younger, head).await?;
        self.standing(head, &[&younger], "a turn that is taken stands, and moves no branch").await?;
        self.take(&older, head).await?;
        let both = [&older, &younger];
        self.standing(head, &both, "who waits longest is first, whenever its turn was taken").await?;
        self.take(&younger, head).await?;
        self.standing(head, &both, "a turn may be taken twice, and stands once").await?;

        let clause = "a turn at another branch is not listed";
        let elsewhere = branch(&format!("{}/nested", self.branch.short()), clause)?;
        let other = Turn { run: run(3), branch: elsewhere };
        self.take(&other, head).await?;
        self.standing(head, &both, clause).await?;
        got(self.turns.end(&other).await, clause)?;

        let clause = "a turn that ends is gone, whoever's it is, and no other";
        for _ in 0..2 {
            got(self.turns.end(&older).await, clause)?;
            self.standing(head, &[&younger], clause).await?;
        }
        got(self.turns.end(&younger).await, clause)?;
        self.standing(head, &[], clause).await
    }

    async fn pushes(&self, start: CommitId) -> Result<CommitId, Breach> {
        let (first, second) = (self.turn(11), self.turn(12));
        for turn in [&first, &second] {
            self.take(turn, start).await?;
        }
        let clause =
            "a push that is accepted ends its turn and no other, and makes a child of the expected commit the head";
        let head = self.accepted(&first, start, 11, clause).await?;
        self.standing(head, &[&second], clause).await?;

        let clause = "a push that is Stale writes nothing and leaves its turn";
        let late = draft(12, "Too late", &[(path("conformance/turns/late", clause)?, "late".into())]);
        let push = self.turns.push_and_end(&second, &start, &late).await;
        ensure(matches!(push, Ok(Push::Stale)), clause, &push)?;
        self.standing(head, &[&second], clause).await?;

        let clause = "a push that cannot be made leaves its turn";
        let wrong = draft(12, "In the way", &[(path("conformance/turns", clause)?, "x".into())]);
        let push = self.turns.push_and_end(&second, &head, &wrong).await;
        ensure(matches!(push, Err(LedgerError::WrongKind { .. })), clause, &push)?;
        self.standing(head, &[&second], clause).await?;
        got(self.turns.end(&second).await, clause)?;

        let clause = "a push whose turn was removed by others is a push all the same";
        let head = self.accepted(&second, head, 12, clause).await?;
        self.standing(head, &[], clause).await?;
        Ok(head)
    }

    async fn is_advice(&self, head: CommitId) -> Result<(), Breach> {
        let clause = "a turn stops nobody from a push";
        let turn = self.turn(21);
        self.take(&turn, head).await?;
        let bold = draft(22, "Without a turn", &[(path("conformance/turns/bold", clause)?, "x".into())]);
        let push = self.remote.push(self.branch, &head, &bold).await;
        let Ok(Push::Accepted(head)) = push else { return breach(clause, &push) };
        self.standing(head, &[&turn], clause).await?;
        got(self.turns.end(&turn).await, clause)
    }

    async fn accepted(&self, turn: &Turn, on: CommitId, which: u128, clause: &'static str) -> Result<CommitId, Breach> {
        let files = [(path(&format!("conformance/turns/{which}"), clause)?, "taken".into())];
        let draft = draft(which, "In turn", &files);
        let push = self.turns.push_and_end(turn, &on, &draft).await;
        let Ok(Push::Accepted(commit)) = push else { return breach(clause, &push) };
        let meta = got(self.remote.commit(&commit).await, clause)?;
        ensure(meta.parents == [on] && meta.run == Some(draft.run), clause, &meta)?;
        Ok(commit)
    }

    async fn take(&self, turn: &Turn, at: CommitId) -> Result<(), Breach> {
        let taken = self.turns.take(turn, &at).await;
        ensure(matches!(taken, Ok(true)), "a turn can be taken at a commit that the server has", &taken)
    }

    /// Whether the branch's head is this one and exactly these turns stand, in this order.
    async fn standing(&self, head: CommitId, turns: &[&Turn], clause: &'static str) -> Result<(), Breach> {
        let queue = self.turns.queue(self.branch).await;
        let expected = Queue { head, turns: turns.iter().copied().cloned().collect() };
        ensure(matches!(&queue, Ok(queue) if *queue == expected), clause, &(queue, expected))
    }

    fn turn(&self, which: u128) -> Turn {
        Turn { run: run(which), branch: self.branch.clone() }
    }
}
