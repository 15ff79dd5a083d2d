use std::time::Duration;

use release::CommitId;
use tokio::time::sleep;

use super::{Identity, command::Output, store::Store};
use crate::{Branch, Draft, LedgerError, Push, Refusal, Said};

/// The depth that git takes for the whole history, whether or not the store is shallow (git-fetch(1), `--depth`).
pub(super) const WHOLE: u32 = 2_147_483_647;

const TIP: &str = "refs/ledger/tip";

/// How long a server that has refused a push may take to show that somebody else won.
const SECOND_LOOK: Duration = Duration::from_secs(1);

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
        by: &Identity,
    ) -> Result<Push, LedgerError> {
        self.require(expected).await?;
        let commit = self.import(expected, draft, by).await?;
        // Without `+`, and with the lease: a plain push would bring back what a rewind of the branch took away.
        let lease = format!("--force-with-lease={branch}:{expected}");
        let refspec = format!("{commit}:{branch}");
        let arguments = ["push", "--porcelain", "--recurse-submodules=no", &lease, "--", self.url.as_str(), &refspec];
        let in_doubt = |source| LedgerError::MaybeLanded { commit: Some(commit), source: Box::new(source) };
        let output = match self.git.run("push", &arguments, b"").await {
            Err(never_began @ LedgerError::Io { .. }) => return Err(never_began),
            ran => ran.map_err(in_doubt)?,
        };
        if output.status.success() {
            return Ok(Push::Accepted(commit));
        }
        // Whatever the words are, where the branch stands now has the last one.
        let refusal = match (rejection(&output.stdout, &refspec), failure(&output)) {
            (Some(reason), _) if is_lost_race(&reason) => None,
            (Some(reason), _) => Some(refusal(&format!("{reason} {}", output.stderr))),
            (None, denied @ LedgerError::Denied { .. }) => {
                return match self.tip(branch).await.map_err(in_doubt)? {
                    Some(tip) if tip == commit => Ok(Push::Accepted(commit)),
                    Some(tip) if tip == *expected => Ok(Push::Refused(Refusal::Permission)),
                    _ => Err(in_doubt(denied)),
                };
            }
            (None, failure) => return Err(in_doubt(failure)),
        };
        let mut tip = self.tip(branch).await?;
        if refusal.is_some() && tip == Some(*expected) {
            // Who won may still be about to move the branch.
            sleep(SECOND_LOOK).await;
            tip = self.tip(branch).await?;
        }
        match (tip, refusal) {
            (None, _) => Err(LedgerError::NoBranch { branch: branch.clone() }),
            (Some(tip), _) if tip == commit => Ok(Push::Accepted(commit)),
            (Some(tip), Some(refusal)) if tip == *expected => Ok(Push::Refused(refusal)),
            (Some(_), _) => Ok(Push::Stale),
        }
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

/// Whether a reason is known to be that of a race which somebody else won. Such words make an answer milder and never
/// harder: what comes of believing them is another try.
fn is_lost_race(reason: &str) -> bool {
    let words = [
        "stale info",
        "fetch first",
        "non-fast-forward",
        "failed to update ref",
        "cannot lock ref",
        "incorrect old value",
        "TF401028",
    ];
    words.iter().any(|words| reason.contains(words))
}

/// The kind of a refusal, by the words that servers are known to use. Only for people: it decides nothing.
fn refusal(words: &str) -> Refusal {
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    if says(&["TF402455", "GH006", "GH013", "protected branch"]) {
        Refusal::BranchPolicy
    } else if says(&["TF401027", "not allowed to push", "permission denied"]) {
        Refusal::Permission
    } else {
        Refusal::Other(Said::new(words).to_string())
    }
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
        "error: 401",
        "error: 403",
    ]) {
        LedgerError::Denied { said }
    } else if says(&["dubious ownership"]) {
        LedgerError::ForeignOwner { said }
    } else if says(&["' not found", "does not appear to be a git repository", "error: 404", "does not exist"]) {
        LedgerError::NoRepository { said }
    } else {
        LedgerError::Unreachable { said }
    }
}
