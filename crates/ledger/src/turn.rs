use std::{fmt, str::FromStr};

use async_trait::async_trait;
use release::{CommitId, RunId};

use crate::{Branch, Draft, LedgerError, Push};

const TURNS: &str = "refs/conveyor/turns/";

/// A writer's place in the queue for a branch: the ref `refs/conveyor/turns/<branch>/<run>`. Turns sort by the time
/// that their runs began, so who waits longest is first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Turn {
    /// Who holds it.
    pub run: RunId,
    /// The branch that it is a turn at.
    pub branch: Branch,
}

impl Turn {
    /// The start of the names of all turns at a branch.
    #[must_use]
    pub fn prefix(branch: &Branch) -> String {
        format!("{TURNS}{}/", branch.short())
    }
}

impl fmt::Display for Turn {
    /// The ref's full name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::prefix(&self.branch), self.run)
    }
}

impl FromStr for Turn {
    type Err = release::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.strip_prefix(TURNS).and_then(|rest| rest.rsplit_once('/'));
        let turn = parts.and_then(|(branch, run)| Some(Self { run: run.parse().ok()?, branch: branch.parse().ok()? }));
        let rule = "write refs/conveyor/turns/BRANCH/RUN";
        turn.filter(|turn| turn.to_string() == text).ok_or_else(|| release::ParseError {
            what: "a turn",
            text: text.to_owned(),
            rule,
        })
    }
}

/// A branch and who waits to write it, seen in one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// The branch's head.
    pub head: CommitId,
    /// The turns that stand, first first.
    pub turns: Vec<Turn>,
}

/// Turns at a branch. They are advice: whoever ignores them, or loses one, is stopped by nothing but the
/// compare-and-swap of [`push`](crate::Remote::push), and nobody ever writes another's change.
///
/// # Contract
/// Every backend passes [`conformance::check_turns`](crate::conformance::check_turns).
#[async_trait]
pub trait Turns: fmt::Debug + Send + Sync {
    /// The branch's head and the turns at it. [`LedgerError::NoBranch`] where there is no such branch.
    async fn queue(&self, branch: &Branch) -> Result<Queue, LedgerError>;

    /// Makes the turn's ref, at a commit that the server has. It may stand already. `false`: this server takes no such
    /// refs from these credentials.
    async fn take(&self, turn: &Turn, at: &CommitId) -> Result<bool, LedgerError>;

    /// Removes the turn's ref, whoever's it is; it may be gone already.
    async fn end(&self, turn: &Turn) -> Result<(), LedgerError>;

    /// [`push`](crate::Remote::push), and the turn ends with it if it is accepted.
    async fn push_and_end(&self, turn: &Turn, expected: &CommitId, draft: &Draft) -> Result<Push, LedgerError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_its_refs_name_and_the_older_run_is_first() {
        let turn = |millis, branch: &str| Turn { run: RunId::new(millis, 7), branch: branch.parse().unwrap() };
        let name = turn(1, "release/main").to_string();
        assert!(name.starts_with("refs/conveyor/turns/release/main/0"), "{name}");
        assert_eq!(name.parse(), Ok(turn(1, "release/main")));
        assert!(turn(1, "b") < turn(2, "a"));
        for odd in ["refs/heads/main", "refs/conveyor/turns/main", "refs/conveyor/turns/main/1", &format!("{name}/")] {
            assert!(odd.parse::<Turn>().is_err(), "{odd}");
        }
    }
}
