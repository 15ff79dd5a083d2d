use std::time::Duration;

use release::CommitId;
use tokio::time::sleep;

use crate::{Branch, LedgerError, Push, Refusal, Said};

/// How long a server that has refused a push may take to show that somebody else won.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// A push of a commit onto the head that it expected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pushed<'a> {
    pub(crate) branch: &'a Branch,
    pub(crate) expected: CommitId,
    pub(crate) commit: CommitId,
}

impl Pushed<'_> {
    /// What became of it once the server said anything but yes, by where the branch stands now: `tip` looks that up.
    /// Without a `refusal` the server's words were those of a lost race.
    pub(crate) async fn settle<F>(self, refusal: Option<Refusal>, tip: impl Fn() -> F) -> Result<Push, LedgerError>
    where
        F: Future<Output = Result<Option<CommitId>, LedgerError>>,
    {
        let mut now = tip().await?;
        if refusal.is_some() && now == Some(self.expected) {
            // Who won may still be about to move the branch.
            sleep(SECOND_LOOK).await;
            now = tip().await?;
        }
        match (now, refusal) {
            (None, _) => Err(LedgerError::NoBranch { branch: self.branch.clone() }),
            (Some(now), _) if now == self.commit => Ok(Push::Accepted(now)),
            (Some(now), Some(refusal)) if now == self.expected => Ok(Push::Refused(refusal)),
            (Some(_), _) => Ok(Push::Stale),
        }
    }

    /// What became of it once the server denied access to it.
    pub(crate) fn settle_denied(self, denied: LedgerError, now: Option<CommitId>) -> Result<Push, LedgerError> {
        match now {
            Some(now) if now == self.commit => Ok(Push::Accepted(now)),
            Some(now) if now == self.expected => Ok(Push::Refused(Refusal::Permission)),
            _ => Err(self.in_doubt(denied)),
        }
    }

    /// That there was no answer.
    pub(crate) fn in_doubt(self, source: LedgerError) -> LedgerError {
        LedgerError::MaybeLanded { commit: Some(self.commit), source: Box::new(source) }
    }
}

/// What a server means by the reason that it gives for a refused ref and by all that it said; `None` is a race which
/// somebody else is known to have won. Such words make an answer milder and never harder: what comes of believing them
/// is another try.
pub(crate) fn refusal(reason: &str, words: &str) -> Option<Refusal> {
    let lost_race = [
        "stale info",
        "fetch first",
        "non-fast-forward",
        "failed to update ref",
        "cannot lock ref",
        "incorrect old value",
        "TF401028",
    ];
    if lost_race.iter().any(|words| reason.contains(words)) {
        return None;
    }
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    Some(if says(&["TF402455", "GH006", "GH013", "protected branch"]) {
        Refusal::BranchPolicy
    } else if says(&["TF401027", "not allowed to push", "permission denied"]) {
        Refusal::Permission
    } else {
        Refusal::Other(Said::new(words).to_string())
    })
}
