use release::CommitId;

use super::{Breach, branch, breach, draft, ensure, got, path};
use crate::{Branch, Draft, LedgerError, Proposal, PullRequest, PullRequests, Push, Remote};

/// Runs the contract of [`PullRequests`] on a branch that exists and that nobody else writes to. There is no branch
/// `conformance-topic` or `conformance-other`, nor a pull request from one; two pull requests are left open.
///
/// # Errors
/// The first [`Breach`]; a [`Remote`] without pull requests is one.
pub async fn check_pull_requests(remote: &dyn Remote, branch: &Branch) -> Result<(), Breach> {
    let Some(requests) = remote.pull_requests() else { return breach("the remote has pull requests", &remote) };
    let head = got(remote.head(branch).await, "the branch has a head")?;
    let suite = Suite { remote, requests, target: branch, head };

    let clause = "a proposal opens a pull request";
    let first = suite.proposed("conformance-topic", 1, "1", clause).await?;
    ensure(!first.adopted, clause, &first)?;

    let clause = "a second proposal of a topic is adopted by the pull request that is open";
    let again = suite.proposed("conformance-topic", 2, "2", clause).await?;
    ensure(again.adopted && again.id == first.id && again.url == first.url, clause, &(&first, &again))?;

    let clause = "a topic that asks for the same stays as it is, whatever its record says";
    suite.adopted("conformance-topic", 3, "2", &again, clause).await?;

    let clause = "a proposal of another topic opens another pull request";
    let other = suite.proposed("conformance-other", 4, "4", clause).await?;
    ensure(!other.adopted && other.id != first.id && other.url != first.url, clause, &(&first, &other))?;

    suite.peoples_work(&again).await?;
    suite.onto_itself().await
}

struct Suite<'a> {
    remote: &'a dyn Remote,
    requests: &'a dyn PullRequests,
    target: &'a Branch,
    head: CommitId,
}

impl Suite<'_> {
    /// That work of other people on a topic is never lost, and that a proposal that they did not change stays open.
    async fn peoples_work(&self, request: &PullRequest) -> Result<(), Breach> {
        let clause = "a topic that somebody has worked on stays as it is";
        let (topic, note) = (branch("conformance-topic", clause)?, path("conformance/note", clause)?);
        let work = Draft { message: "A note of a colleague".to_owned(), ..draft(5, "", &[(note, "a note".into())]) };
        let push = self.remote.push(&topic, &request.commit, &work).await;
        let Ok(Push::Accepted(at)) = push else { return breach(clause, &push) };
        self.adopted("conformance-topic", 6, "2", &PullRequest { commit: at, ..request.clone() }, clause).await?;

        let clause = "a topic that somebody has worked on is never moved";
        let taken = self.propose(&topic, &proposal(7, "7", clause)?, clause).await?;
        ensure(matches!(&taken, Err(LedgerError::TopicTaken { at: is, .. }) if *is == at), clause, &taken)?;
        let still = got(self.remote.head(&topic).await, clause)?;
        ensure(still == at, clause, &still)
    }

    async fn onto_itself(&self) -> Result<(), Breach> {
        let clause = "a proposal is never put on its target";
        let itself = self.propose(self.target, &proposal(8, "8", clause)?, clause).await?;
        ensure(matches!(itself, Err(LedgerError::TopicIsTarget { .. })), clause, &itself)?;
        self.target_stays(clause).await
    }

    async fn adopted(
        &self,
        topic: &str,
        which: u128,
        value: &str,
        before: &PullRequest,
        clause: &'static str,
    ) -> Result<(), Breach> {
        let topic = branch(topic, clause)?;
        let request = got(self.propose(&topic, &proposal(which, value, clause)?, clause).await?, clause)?;
        ensure(request == PullRequest { adopted: true, ..before.clone() }, clause, &(before, &request))?;
        let at = got(self.remote.head(&topic).await, clause)?;
        ensure(at == before.commit, clause, &at)
    }

    async fn proposed(
        &self,
        topic: &str,
        which: u128,
        value: &str,
        clause: &'static str,
    ) -> Result<PullRequest, Breach> {
        let (topic, draft) = (branch(topic, clause)?, proposal(which, value, clause)?);
        let request = got(self.propose(&topic, &draft, clause).await?, clause)?;

        let clause = "the topic's head is the pull request's commit, the draft on the expected head";
        let at = got(self.remote.head(&topic).await, clause)?;
        let meta = got(self.remote.commit(&at).await, clause)?;
        ensure(at == request.commit && meta.parents == [self.head], clause, &(&request, &meta))?;
        let paths: Vec<_> = draft.files.iter().map(|(path, _)| path.clone()).collect();
        ensure(meta.message == draft.message && meta.changed == paths.iter().cloned().collect(), clause, &meta)?;
        let found = got(self.remote.read(&at, &paths).await, clause)?;
        let bytes = found.iter().map(|found| found.as_ref().map(|found| &found.bytes));
        ensure(bytes.eq(draft.files.iter().map(|(_, bytes)| Some(bytes))), clause, &found)?;

        let clause = "a proposal does not move its target";
        self.target_stays(clause).await?;
        Ok(request)
    }

    async fn propose(
        &self,
        topic: &Branch,
        draft: &Draft,
        clause: &'static str,
    ) -> Result<Result<PullRequest, LedgerError>, Breach> {
        let manifests = [path("conformance/proposed", clause)?].into();
        let (target, expected) = (self.target, &self.head);
        let proposal = Proposal { target, expected, draft, manifests: &manifests, topic, title: "A proposal" };
        Ok(self.requests.propose(proposal).await)
    }

    async fn target_stays(&self, clause: &'static str) -> Result<(), Breach> {
        let still = got(self.remote.head(self.target).await, clause)?;
        ensure(still == self.head, clause, &still)
    }
}

/// A value, and a record of it that no other run writes so.
fn proposal(which: u128, value: &str, clause: &'static str) -> Result<Draft, Breach> {
    let (manifest, record) = (path("conformance/proposed", clause)?, path("conformance/record", clause)?);
    Ok(draft(which, "A proposal", &[(manifest, value.to_owned().into()), (record, which.to_string().into())]))
}
