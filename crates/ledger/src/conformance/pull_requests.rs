use release::CommitId;

use super::{Breach, branch, breach, draft, ensure, got, path};
use crate::{Branch, Proposal, PullRequest, PullRequests, Remote};

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
    let first = suite.propose("conformance-topic", 1, clause).await?;
    ensure(!first.adopted, clause, &first)?;

    let clause = "a second proposal of a topic is adopted by the pull request that is open";
    let again = suite.propose("conformance-topic", 2, clause).await?;
    ensure(again.adopted && again.id == first.id && again.url == first.url, clause, &(&first, &again))?;

    let clause = "a proposal of another topic opens another pull request";
    let other = suite.propose("conformance-other", 3, clause).await?;
    ensure(!other.adopted && other.id != first.id && other.url != first.url, clause, &(&first, &other))
}

struct Suite<'a> {
    remote: &'a dyn Remote,
    requests: &'a dyn PullRequests,
    target: &'a Branch,
    head: CommitId,
}

impl Suite<'_> {
    async fn propose(&self, topic: &str, which: u128, clause: &'static str) -> Result<PullRequest, Breach> {
        let (topic, file) = (branch(topic, clause)?, path("conformance/proposed", clause)?);
        let draft = draft(which, "A proposal", &[(file.clone(), which.to_string().into())]);
        let proposal =
            Proposal { target: self.target, expected: &self.head, draft: &draft, topic: &topic, title: "A proposal" };
        let request = got(self.requests.propose(proposal).await, clause)?;

        let clause = "the topic's head is the pull request's commit, the draft on the expected head";
        let at = got(self.remote.head(&topic).await, clause)?;
        let meta = got(self.remote.commit(&at).await, clause)?;
        ensure(at == request.commit && meta.parents == [self.head], clause, &(&request, &meta))?;
        ensure(meta.message == draft.message && meta.changed == [file.clone()].into(), clause, &meta)?;
        let found = got(self.remote.read(&at, &[file]).await, clause)?;
        let is = |bytes: &[u8]| bytes == which.to_string().as_bytes();
        ensure(matches!(&*found, [Some(found)] if is(&found.bytes)), clause, &found)?;

        let clause = "a proposal does not move its target";
        let still = got(self.remote.head(self.target).await, clause)?;
        ensure(still == self.head, clause, &still)?;
        Ok(request)
    }
}
