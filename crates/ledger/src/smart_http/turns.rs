use std::collections::BTreeMap;

use async_trait::async_trait;
use release::CommitId;

use super::{Server, lock};
use crate::{
    Branch, Draft, LedgerError, Push, Queue, Turn, Turns,
    objects::pack,
    wire::receive_pack::{self, Command},
};

impl Server {
    /// Where a turn stands, looked up afresh.
    async fn stands(&self, turn: &Turn) -> Result<Option<CommitId>, LedgerError> {
        let name = turn.to_string();
        Ok(self.refs(&[&name]).await?.remove(&name))
    }

    /// Moves a turn's ref alone. Whether the server did.
    async fn move_turn(&self, turn: &Turn, from: Option<CommitId>, to: Option<CommitId>) -> Result<bool, LedgerError> {
        let name = turn.to_string();
        let pack = pack::write(&[]).map_err(|source| LedgerError::Pack { source })?;
        let request = receive_pack::request(&[Command { name: name.clone(), from, to }], &pack);
        Ok(self.connection.receive_pack(request).await?.is_taken(&name))
    }

    pub(super) async fn end_turn(&self, turn: &Turn) -> Result<(), LedgerError> {
        let seen = lock(&self.turns).remove(turn);
        if let Some(seen) = seen
            && self.move_turn(turn, Some(seen), None).await?
        {
            return Ok(());
        }
        if let Some(stands) = self.stands(turn).await?
            && !self.move_turn(turn, Some(stands), None).await?
            && self.stands(turn).await?.is_some()
        {
            return Err(LedgerError::TurnStays { turn: turn.clone() });
        }
        Ok(())
    }
}

#[async_trait]
impl Turns for Server {
    async fn queue(&self, branch: &Branch) -> Result<Queue, LedgerError> {
        let (name, prefix) = (branch.to_string(), Turn::prefix(branch));
        let mut refs = self.refs(&[&name, &prefix]).await?;
        let head = refs.remove(&name).ok_or_else(|| LedgerError::NoBranch { branch: branch.clone() })?;
        let standing = refs.into_iter().filter_map(|(name, at)| Some((name.parse::<Turn>().ok()?, at)));
        let standing: BTreeMap<Turn, CommitId> = standing.filter(|(turn, _)| turn.branch == *branch).collect();
        let turns = standing.keys().cloned().collect();
        let mut known = lock(&self.turns);
        known.retain(|turn, _| turn.branch != *branch);
        known.extend(standing);
        Ok(Queue { head, turns })
    }

    async fn take(&self, turn: &Turn, at: &CommitId) -> Result<bool, LedgerError> {
        let stands = match self.move_turn(turn, None, Some(*at)).await {
            Ok(true) => Some(*at),
            Err(LedgerError::Denied { .. }) => None,
            Ok(false) => self.stands(turn).await?,
            Err(error) => return Err(error),
        };
        if let Some(at) = stands {
            lock(&self.turns).insert(turn.clone(), at);
        }
        Ok(stands.is_some())
    }

    async fn end(&self, turn: &Turn) -> Result<(), LedgerError> {
        self.end_turn(turn).await
    }

    async fn push_and_end(&self, turn: &Turn, expected: &CommitId, draft: &Draft) -> Result<Push, LedgerError> {
        self.push_draft_and_end(turn, expected, draft).await
    }
}
