use async_trait::async_trait;
use release::CommitId;

use super::Repository;
use crate::{Branch, Draft, LedgerError, Push, Queue, Turn, Turns};

#[async_trait]
impl Turns for Repository {
    async fn queue(&self, branch: &Branch) -> Result<Queue, LedgerError> {
        let state = self.lock();
        let head = state.head(branch)?;
        Ok(Queue { head, turns: state.turns.iter().filter(|turn| turn.branch == *branch).cloned().collect() })
    }

    async fn take(&self, turn: &Turn, at: &CommitId) -> Result<bool, LedgerError> {
        let mut state = self.lock();
        state.at(at)?;
        if !state.refuses_turns {
            state.turns.insert(turn.clone());
        }
        Ok(!state.refuses_turns)
    }

    async fn end(&self, turn: &Turn) -> Result<(), LedgerError> {
        self.lock().turns.remove(turn);
        Ok(())
    }

    async fn push_and_end(&self, turn: &Turn, expected: &CommitId, draft: &Draft) -> Result<Push, LedgerError> {
        let mut state = self.lock();
        let push = state.push(&turn.branch, expected, draft)?;
        if let Push::Accepted(_) = push {
            state.turns.remove(turn);
        }
        Ok(push)
    }
}
