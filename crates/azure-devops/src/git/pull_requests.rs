use async_trait::async_trait;
use bytes::Bytes;
use ledger::{Branch, Draft, Found, LedgerError, Proposal, PullRequest, PullRequests, Remote as _, RepoPath, Said};
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
        let Proposal { target, expected, draft, topic, .. } = proposal;
        if self.tip(target).await?.is_none() {
            return Err(LedgerError::NoBranch { branch: target.clone() });
        }
        let commit = self.put(topic, expected, draft).await?;
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
    /// Puts the draft on the topic's branch, as the one commit on top of the expected head.
    async fn put(&self, topic: &Branch, expected: &CommitId, draft: &Draft) -> Result<CommitId, LedgerError> {
        let changes = self.changes(expected, draft).await?;
        let mut last = LedgerError::from(GitError::TopicMoves);
        for _ in 0..TRIES {
            if let Some(tip) = self.tip(topic).await?.filter(|tip| tip != expected) {
                if self.holds(&tip, expected, draft).await? {
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

    /// Whether a commit is this draft on the expected head, whoever made it.
    async fn holds(&self, tip: &CommitId, expected: &CommitId, draft: &Draft) -> Result<bool, LedgerError> {
        let meta = self.one_commit(tip).await?;
        let paths: Vec<RepoPath> = draft.files.iter().map(|(path, _)| path.clone()).collect();
        if meta.parents != [*expected] || meta.changed != paths.iter().cloned().collect() {
            return Ok(false);
        }
        let found = self.read(tip, &paths).await?;
        let same = |(found, (_, bytes)): (&Option<Found>, &(RepoPath, Bytes))| {
            found.as_ref().is_some_and(|found| found.bytes == *bytes)
        };
        Ok(found.iter().zip(&draft.files).all(same))
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
