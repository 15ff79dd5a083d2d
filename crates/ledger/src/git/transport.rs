use release::CommitId;

use super::store::Store;
use crate::{
    Authorship, Branch, Draft, LedgerError, Push, Said, Unanswered,
    child::Output,
    settle::{Pushed, refusal},
};

/// The depth that git takes for the whole history, whether or not the store is shallow (git-fetch(1), `--depth`).
pub(super) const WHOLE: u32 = 2_147_483_647;

const TIP: &str = "refs/ledger/tip";

impl Store {
    /// Fetches a branch's newest commits and says which is its head.
    pub(super) async fn fetch_branch(&self, branch: &Branch, depth: u32) -> Result<CommitId, LedgerError> {
        let output = self.fetch(&format!("+{branch}:{TIP}"), depth).await?;
        if !output.status.success() {
            let failure = failure(&output);
            let is_absent = failure.is_retryable() && self.tip(branch).await?.is_none();
            return Err(if is_absent { LedgerError::NoBranch { branch: branch.clone() } } else { failure });
        }
        let operation = "find the branch's head";
        let head = self.local(operation, &["rev-parse", "--verify", TIP], b"").await?;
        let head = std::str::from_utf8(&head).ok().and_then(|head| head.trim_end().parse().ok());
        head.ok_or(LedgerError::Garbled { operation })
    }

    /// Makes sure that a commit is in the store.
    pub(super) async fn require(&self, commit: &CommitId) -> Result<(), LedgerError> {
        if self.has(commit).await? {
            return Ok(());
        }
        // Not every server hands out a commit by its name; whether it did is what counts.
        self.fetch(&commit.to_string(), 1).await?;
        if self.has(commit).await? {
            return Ok(());
        }
        let output = self.fetch("+refs/heads/*:refs/ledger/heads/*", WHOLE).await?;
        if !output.status.success() {
            return Err(failure(&output));
        }
        if self.has(commit).await? { Ok(()) } else { Err(LedgerError::NoCommit { commit: *commit }) }
    }

    /// Commits a draft on top of `expected` and moves the branch there, or leaves the branch alone.
    pub(super) async fn commit_and_push(
        &self,
        branch: &Branch,
        expected: &CommitId,
        draft: &Draft,
        by: &Authorship,
    ) -> Result<Push, LedgerError> {
        self.require(expected).await?;
        let commit = self.write_commit(expected, draft, by).await?;
        // Without `+`, and with the lease: a plain push would bring back what a rewind of the branch took away.
        let lease = format!("--force-with-lease={branch}:{expected}");
        let refspec = format!("{commit}:{branch}");
        let arguments = ["push", "--porcelain", "--recurse-submodules=no", &lease, "--", self.url.as_str(), &refspec];
        let pushed = Pushed { branch, expected: *expected, commit };
        let output = match self.git.run("push", &arguments, b"").await {
            Err(never_began @ LedgerError::Io { .. }) => return Err(never_began),
            ran => ran.map_err(|source| pushed.in_doubt(source))?,
        };
        if output.status.success() {
            return Ok(Push::Accepted(commit));
        }
        match (rejection(&output.stdout, &refspec), failure(&output)) {
            (Some(reason), failure) => {
                let refusal = refusal(&reason, &format!("{reason} {}", output.stderr));
                match pushed.settle(refusal, || self.tip(branch)).await? {
                    Push::Stale if self.url.origin().is_some() => self.lost_over_http(pushed, draft, failure).await,
                    push => Ok(push),
                }
            }
            (None, denied @ LedgerError::Denied { .. }) => {
                let tip = self.tip(branch).await.map_err(|source| pushed.in_doubt(source))?;
                pushed.settle_denied(denied, tip)
            }
            (None, failure) => Err(pushed.in_doubt(failure)),
        }
    }

    /// What a race was that seems lost. Curl sends a push once more whose connection broke before an answer, so that it
    /// may have been lost to ourselves.
    async fn lost_over_http(&self, pushed: Pushed<'_>, draft: &Draft, lost: LedgerError) -> Result<Push, LedgerError> {
        let Pushed { branch, expected, commit } = pushed;
        let tip = self.tip(branch).await.map_err(|source| pushed.in_doubt(source))?;
        // A server that lags behind does not show yet to whom.
        if tip == Some(expected) {
            return Err(pushed.in_doubt(lost));
        }
        let first = Unanswered { expected, run: draft.run, commits: vec![commit] };
        let ours = self.landed(branch, &first).await.map_err(|source| pushed.in_doubt(source))?;
        Ok(ours.map_or(Push::Stale, Push::Accepted))
    }

    /// Where the server has a branch now.
    async fn tip(&self, branch: &Branch) -> Result<Option<CommitId>, LedgerError> {
        let name = branch.to_string();
        let output =
            self.git.run("ask for the branch's head", &["ls-remote", "--", self.url.as_str(), &name], b"").await?;
        if !output.status.success() {
            return Err(failure(&output));
        }
        let refs = String::from_utf8_lossy(&output.stdout);
        let mut ids = refs.lines().filter_map(|line| line.split_once('\t')).filter(|(_, other)| *other == name);
        Ok(ids.next().and_then(|(id, _)| id.parse().ok()))
    }

    async fn fetch(&self, refspec: &str, depth: u32) -> Result<Output, LedgerError> {
        let depth = format!("--depth={depth}");
        let options = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"];
        let operands = [&*depth, "--", self.url.as_str(), refspec];
        self.git.run("fetch", &[&options[..], &operands].concat(), b"").await
    }
}

/// Why the server, or git on its behalf, did not take the ref; `None` where git does not know whether it did
/// (git-push(1), "Output": `!` is a ref that was rejected or failed to push, with the reason in parentheses).
fn rejection(stdout: &[u8], refspec: &str) -> Option<String> {
    let stdout = String::from_utf8_lossy(stdout);
    let summary =
        stdout.lines().find_map(|line| line.strip_prefix("!\t")?.strip_prefix(refspec)?.strip_prefix('\t'))?;
    let known = ["[rejected]", "[remote rejected]"].iter().find_map(|start| summary.strip_prefix(start))?;
    Some(known.trim().to_owned())
}

/// What a run that spoke to the server failed of. Only words tell, git's exit status being the same for all; and only
/// git's own words, not those that it passes on from the server.
fn failure(output: &Output) -> LedgerError {
    let said = Said::new(&output.stderr);
    let own: Vec<&str> = output.stderr.lines().filter(|line| !line.starts_with("remote:")).collect();
    let says = |phrases: &[&str]| own.iter().any(|line| phrases.iter().any(|phrase| line.contains(phrase)));
    if says(&[
        "Authentication failed",
        "could not read Username",
        "could not read Password",
        "Permission denied (",
        "error: 401",
        "error: 403",
    ]) {
        LedgerError::Denied { said }
    } else if says(&["Host key verification failed"]) {
        LedgerError::UnknownHost { said }
    } else if says(&["dubious ownership"]) {
        LedgerError::ForeignOwner { said }
    } else if says(&[
        "' not found",
        "does not appear to be a git repository",
        "error: 404",
        "does not exist",
        "repository not exported",
    ]) {
        LedgerError::NoRepository { said }
    } else {
        LedgerError::Unreachable { said }
    }
}
