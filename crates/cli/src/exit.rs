//! The one place that maps how a command ended to its exit code.

use conveyor::{Kind, Outcome, ledger::Refusal};

use crate::document::Ended;

/// The exit code; the README has the table.
pub(crate) fn code(ended: &Ended) -> u8 {
    match ended {
        Ended::Came(outcome) => of_outcome(outcome),
        Ended::Failed(error) => match error.kind() {
            Kind::Usage => 2,
            Kind::Temporary => 3,
            Kind::Integrity => 13,
            Kind::Failed => 1,
        },
        Ended::Misused(_) => 2,
        Ended::Signalled(signal) => 128 + signal,
    }
}

fn of_outcome(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Denied(denied) if denied.iter().all(conveyor::Denied::is_transient) => 3,
        Outcome::Denied(_) => 10,
        Outcome::ReadsMoved { .. } | Outcome::NeverWon { .. } => 11,
        Outcome::TagHeld { .. } => 12,
        Outcome::Superseded { .. } => 14,
        Outcome::Refused(Refusal::BranchPolicy | Refusal::Permission | Refusal::Other(_)) => 1,
        Outcome::Copied
        | Outcome::AlreadyPresent
        | Outcome::Updated
        | Outcome::AwaitingSync
        | Outcome::Unchanged
        | Outcome::Planned
        | Outcome::Allowed => 0,
        _ => 1,
    }
}
