use std::iter;

use async_trait::async_trait;
use bytes::Bytes;
use ledger::{Branch, LedgerError, Proposal, PullRequest, PullRequests, Remote as _, RepoPath, Said};
use release::CommitId;
use serde_json::json;

use super::{
    GitError, Repository,
    api::Failure,
    documents,
    server_error::{Kind, ServerError},
};

/// The longest answer about pull requests.
const LONGEST: usize = 8 << 20;
/// What the server takes of a title and of a description, in characters.
const TITLE: usize = 400;
const DESCRIPTION: usize = 4_000;
/// How often somebody else may be faster at the topic's branch.
const TRIES: usize = 3;

#[async_trait]
impl PullRequests for Repository {
    async fn propose(&self, proposal: Proposal<'_>) -> Result<PullRequest, LedgerError> {
        let Proposal { target, topic, .. } = proposal;
        proposal.check_topic()?;
        if self.tip(target).await?.is_none() {
            return Err(LedgerError::NoBranch { branch: target.clone() });
        }
        let commit = self.put(&proposal).await?;
        let (id, adopted) = match self.open(&proposal).await {
            Ok(id) => (id, false),
            Err(Failure::Server(ServerError { kind: Kind::PullRequestExists, .. })) => {
                (self.find(topic, target).await?.ok_or(GitError::Unlisted)?, true)
            }
            // One that is there now may be this one or another's: it is of the same topic.
            Err(Failure::Unheard(error)) => (self.find(topic, target).await?.ok_or(error)?, true),
            Err(failure) => return Err(failure.into()),
        };
        let mut url = self.page.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(["pullrequest", &id.to_string()]);
        }
        Ok(PullRequest { id, url, commit, adopted })
    }
}

impl Repository {
    /// Puts the draft on the topic's branch, as the one commit on top of the expected head; or leaves the branch as it is.
    async fn put(&self, proposal: &Proposal<'_>) -> Result<CommitId, LedgerError> {
        let Proposal { expected, draft, topic, .. } = *proposal;
        let changes = self.changes(expected, draft).await?;
        let mut last = LedgerError::from(GitError::TopicMoves);
        for _ in 0..TRIES {
            if let Some(tip) = self.tip(topic).await?.filter(|tip| tip != expected) {
                if self.stays(proposal, &tip).await? {
                    return Ok(tip);
                }
                // A push adds to what is there: so the branch is first put where the draft is added.
                if !self.moved(topic, &tip, expected).await? {
                    continue;
                }
            }
            match self.send(topic, expected, draft, &changes).await {
                Ok(commit) => return Ok(commit),
                Err(Failure::Server(ServerError { kind: Kind::Stale, .. })) => last = GitError::TopicMoves.into(),
                // Whether it was carried out is seen by what is there.
                Err(Failure::Unheard(error)) => last = error,
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(last)
    }

    /// Whether the topic stays at its head.
    async fn stays(&self, proposal: &Proposal<'_>, tip: &CommitId) -> Result<bool, LedgerError> {
        let Proposal { target, expected, topic, .. } = *proposal;
        let meta = self.one_commit(tip).await?;
        let is_open = self.find(topic, target).await?.is_some();
        let asks = self.holds(tip, proposal.asked(is_open)).await?;
        let by_run = meta.parents.first().filter(|_| meta.run.is_some() && meta.parents.len() == 1);
        let of_target = match by_run {
            Some(parent) if parent == expected => Some(*parent),
            _ => self.newest_of(target, by_run.into_iter().chain([tip])).await?,
        };
        match of_target {
            Some(at) if at == *tip => Ok(false),
            Some(parent) => {
                let paths = proposal.paths();
                let is_draft = asks && !meta.changed_others && meta.changed == paths;
                Ok(is_draft && self.are_same(&parent, expected, paths).await?)
            }
            None if asks && is_open => Ok(true),
            None => Err(LedgerError::TopicTaken { topic: topic.clone(), at: *tip }),
        }
    }

    /// Whether a commit has these files with these bytes.
    async fn holds(
        &self,
        at: &CommitId,
        files: impl Iterator<Item = &(RepoPath, Bytes)> + Send,
    ) -> Result<bool, LedgerError> {
        let (paths, bytes): (Vec<RepoPath>, Vec<Bytes>) = files.cloned().unzip();
        let found = self.read(at, &paths).await?;
        Ok(iter::zip(&found, &bytes).all(|(found, bytes)| found.as_ref().is_some_and(|found| found.bytes == *bytes)))
    }

    /// Whether files are the same at two commits.
    async fn are_same(
        &self,
        one: &CommitId,
        other: &CommitId,
        paths: impl IntoIterator<Item = RepoPath>,
    ) -> Result<bool, LedgerError> {
        if one == other {
            return Ok(true);
        }
        let paths: Vec<RepoPath> = paths.into_iter().collect();
        Ok(self.read(one, &paths).await? == self.read(other, &paths).await?)
    }

    /// Moves a branch from one commit to another. `false`: somebody else was faster.
    async fn moved(&self, branch: &Branch, from: &CommitId, to: &CommitId) -> Result<bool, LedgerError> {
        let (name, from, to) = (branch.to_string(), from.to_string(), to.to_string());
        let body = json!([{ "name": name, "oldObjectId": from, "newObjectId": to }]);
        let answer = match self.api.post("refs", &body, LONGEST).await {
            Err(Failure::Unheard(_)) => return Ok(false),
            answer => answer?,
        };
        match documents::read("update of a ref", answer.bytes(), documents::moved)?.as_str() {
            "succeeded" => Ok(true),
            "staleOldObjectId" => Ok(false),
            other => Err(GitError::TopicStays { said: Said::new(other) }.into()),
        }
    }

    /// Opens a pull request and says its number.
    async fn open(&self, proposal: &Proposal<'_>) -> Result<u64, Failure> {
        let cut = |text: &str, longest: usize| text.chars().take(longest).collect::<String>();
        let (source, target) = (proposal.topic.to_string(), proposal.target.to_string());
        let body = json!({
            "sourceRefName": source,
            "targetRefName": target,
            "title": cut(proposal.title, TITLE),
            "description": cut(&proposal.draft.message, DESCRIPTION),
        });
        let answer = self.api.post("pullrequests", &body, LONGEST).await?;
        let opened = documents::read("pull request", answer.bytes(), documents::pull_request);
        match opened.map_err(Failure::Unheard)? {
            (id, from, to) if from == source && to == target => Ok(id),
            _ => Err(Failure::Unheard(GitError::Mistaken { what: "pull request" }.into())),
        }
    }

    /// The open pull request from one branch to another.
    async fn find(&self, topic: &Branch, target: &Branch) -> Result<Option<u64>, LedgerError> {
        let (source, target) = (topic.to_string(), target.to_string());
        let query = [
            ("searchCriteria.sourceRefName", source.as_str()),
            ("searchCriteria.targetRefName", target.as_str()),
            ("searchCriteria.status", "active"),
        ];
        let answer = self.api.get("pullrequests", &query, LONGEST).await?;
        let open = documents::read("list of pull requests", answer.bytes(), documents::pull_requests)?;
        Ok(open.into_iter().find(|(_, from, to)| *from == source && *to == target).map(|(id, ..)| id))
    }
}
