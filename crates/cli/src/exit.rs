//! The one place that maps how a command ended to its exit code.

use conveyor::{Kind, Outcome};

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

/// The exit code of an outcome; 0 where what was asked for is so.
pub(crate) fn of_outcome(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Denied(denied) if denied.iter().all(conveyor::Denied::is_transient) => 3,
        Outcome::Denied(_) => 10,
        Outcome::ReadsMoved { .. } | Outcome::NeverWon { .. } => 11,
        Outcome::PullRequest(_) => 4,
        Outcome::TagHeld { .. } => 12,
        Outcome::Superseded { .. } => 14,
        Outcome::Refused(_) => 1,
        Outcome::Copied
        | Outcome::AlreadyPresent
        | Outcome::Updated
        | Outcome::AwaitingSync
        | Outcome::Unchanged
        | Outcome::Planned
        | Outcome::Allowed => 0,
    }
}

#[cfg(test)]
mod tests {
    use conveyor::{
        Denied, Error, Outcome,
        ledger::{PullRequest, Refusal},
        policy,
        release::Digest,
    };

    use super::code;
    use crate::document::Ended;

    fn denied(transient: &[bool]) -> Outcome {
        let violation = |transient: &bool| policy::Violation {
            rule: policy::BUILD_ON_RECORD,
            because: String::new(),
            remedy: String::new(),
            transient: *transient,
        };
        let violations = transient.iter().map(violation).collect();
        Outcome::Denied(vec![Denied { app: "a".parse().unwrap(), violations, verdicts: Vec::new() }])
    }

    #[test]
    fn outcomes_have_the_codes_of_the_readme() {
        let digest = Digest::of(b"");
        let request = PullRequest {
            id: 7,
            url: "https://dev.azure.com/acme/forge/_git/ledger/pullrequest/7".parse().unwrap(),
            commit: "0000000000000000000000000000000000000000".parse().unwrap(),
            adopted: false,
        };
        let place = "registry.example/a:1".parse().unwrap();
        for (outcome, expected) in [
            (Outcome::Copied, 0),
            (Outcome::AlreadyPresent, 0),
            (Outcome::Updated, 0),
            (Outcome::AwaitingSync, 0),
            (Outcome::Unchanged, 0),
            (Outcome::Planned, 0),
            (Outcome::Allowed, 0),
            (Outcome::PullRequest(request), 4),
            (Outcome::Refused(Refusal::BranchPolicy), 1),
            (Outcome::Refused(Refusal::Permission), 1),
            (Outcome::Refused(Refusal::Other(String::new())), 1),
            (denied(&[true, true]), 3),
            (denied(&[true, false]), 10),
            (denied(&[false]), 10),
            (Outcome::ReadsMoved { path: String::new() }, 11),
            (Outcome::NeverWon { attempts: 1 }, 11),
            (Outcome::TagHeld { place, by: digest, wanted: digest }, 12),
            (Outcome::Superseded { app: None, edit: None, found: String::new(), wanted: String::new() }, 14),
        ] {
            assert_eq!(code(&Ended::Came(outcome.clone())), expected, "{outcome:?}");
        }
    }

    #[test]
    fn failures_and_signals_have_the_codes_of_the_readme() {
        let other_bytes = Error::OtherDigest {
            app: "a".parse().unwrap(),
            build: "1".parse().unwrap(),
            place: String::new(),
            expected: Digest::of(b"a"),
            found: Digest::of(b"b"),
        };
        for (ended, expected) in [
            (Ended::Failed(Error::Setup(std::io::ErrorKind::Other.into())), 1),
            (Ended::Failed(Error::NoLedger), 2),
            (Ended::Misused(String::new()), 2),
            (Ended::Failed(Error::Deadline), 3),
            (Ended::Failed(other_bytes), 13),
            (Ended::Signalled(2), 130),
            (Ended::Signalled(15), 143),
        ] {
            assert_eq!(code(&ended), expected, "{ended:?}");
        }
    }
}
