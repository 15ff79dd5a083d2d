use async_trait::async_trait;
use release::CommitId;
use url::Url;

use super::{Repository, State};
use crate::{Branch, LedgerError, Proposal, PullRequest, PullRequests, Said};

/// A pull request that is open; its number is its place in the list, from 1.
#[derive(Debug)]
pub(super) struct Open {
    topic: Branch,
    target: Branch,
}

#[async_trait]
impl PullRequests for Repository {
    async fn propose(&self, proposal: Proposal<'_>) -> Result<PullRequest, LedgerError> {
        let Proposal { target, expected, draft, topic, .. } = proposal;
        proposal.check_topic()?;
        let mut state = self.lock();
        state.head(target)?;
        let open = state.pull_requests.iter().position(|open| open.topic == *topic && open.target == *target);
        let commit = match state.branches.get(topic).copied() {
            Some(tip) if state.stays(&proposal, tip, open.is_some())? => tip,
            _ => state.commit_draft(topic, expected, draft)?,
        };
        if open.is_none() {
            state.pull_requests.push(Open { topic: topic.clone(), target: target.clone() });
        }
        let id = open.map_or(state.pull_requests.len(), |place| place + 1) as u64;
        let url = Url::parse(&format!("http://localhost/pull-requests/{id}"))
            .map_err(|error| LedgerError::Unreachable { said: Said::new(&error.to_string()) })?;
        Ok(PullRequest { id, url, commit, adopted: open.is_some() })
    }
}

impl State {
    /// Whether the topic stays at its head.
    fn stays(&self, proposal: &Proposal<'_>, tip: CommitId, is_open: bool) -> Result<bool, LedgerError> {
        let Proposal { target, expected, topic, .. } = *proposal;
        let (head, commit) = (self.head(target)?, self.at(&tip)?);
        let of_target = |id: &CommitId| self.ancestors(&head).any(|commit| commit.meta.id == *id);
        if of_target(&tip) {
            return Ok(false);
        }
        let asks = proposal.asked(is_open).all(|(path, bytes)| commit.files.get(path) == Some(bytes));
        match &*commit.meta.parents {
            [parent] if commit.meta.run.is_some() && of_target(parent) => {
                let (then, now, paths) = (self.at(parent)?, self.at(expected)?, proposal.paths());
                let is_current = paths.iter().all(|path| then.files.get(path) == now.files.get(path));
                Ok(asks && is_current && commit.meta.changed == paths)
            }
            _ if asks && is_open => Ok(true),
            _ => Err(LedgerError::TopicTaken { topic: topic.clone(), at: tip }),
        }
    }
}
