use async_trait::async_trait;
use url::Url;

use super::Repository;
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
        let mut state = self.lock();
        state.head(target)?;
        let commit = state.commit_draft(topic, expected, draft)?;
        let open = state.pull_requests.iter().position(|open| open.topic == *topic && open.target == *target);
        if open.is_none() {
            state.pull_requests.push(Open { topic: topic.clone(), target: target.clone() });
        }
        let id = open.map_or(state.pull_requests.len(), |place| place + 1) as u64;
        let url = Url::parse(&format!("http://localhost/pull-requests/{id}"))
            .map_err(|error| LedgerError::Unreachable { said: Said::new(&error.to_string()) })?;
        Ok(PullRequest { id, url, commit, adopted: open.is_some() })
    }
}
