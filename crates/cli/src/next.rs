//! The next command to give.

use conveyor::{
    Account, Error, Kind, Outcome,
    ledger::{EditError, LedgerError},
};

use crate::{document::Ended, exit};

/// What to do next, or nothing.
pub(crate) fn next(account: &Account, ended: &Ended) -> Option<String> {
    match ended {
        Ended::Came(Outcome::Copied | Outcome::AlreadyPresent) => copied(account),
        Ended::Came(Outcome::AwaitingSync) => Some("press Sync in Argo CD: nothing runs before that".to_owned()),
        Ended::Came(Outcome::Planned) => Some("run it again without --dry-run".to_owned()),
        Ended::Came(Outcome::Denied(denied)) if exit::code(ended) == 10 => {
            denied.iter().flat_map(|denied| &denied.violations).map(|violation| violation.remedy.clone()).next()
        }
        Ended::Came(Outcome::TagHeld { .. }) => {
            Some("queue a new build: a tag is written once and never moved".to_owned())
        }
        Ended::Came(Outcome::Superseded { found, .. }) => {
            Some(format!("nothing, if {found} is right; to go forward, promote a build newer than it"))
        }
        Ended::Came(Outcome::Denied(_) | Outcome::ReadsMoved { .. } | Outcome::NeverWon { .. }) => Some(again()),
        Ended::Came(Outcome::Refused(_)) => Some(then_again()),
        Ended::Came(Outcome::Updated | Outcome::Unchanged | Outcome::Allowed) => None,
        Ended::Failed(Error::Ledger(LedgerError::Edit { source: EditError::Ambiguous { .. }, .. }))
            if account.environment.is_none() =>
        {
            Some("where these are in several documents, add --document N, counted from 0".to_owned())
        }
        Ended::Failed(error) => Some(match error.kind() {
            Kind::Temporary => again(),
            Kind::Failed => then_again(),
            Kind::Usage => "put that right, then run it again".to_owned(),
            Kind::Integrity => "find out who changed what before anything is run again".to_owned(),
        }),
        Ended::Misused(_) => Some("correct the arguments; --help shows them".to_owned()),
        Ended::Signalled(_) => Some(again()),
    }
}

fn copied(account: &Account) -> Option<String> {
    let environment = account.environment.as_ref()?;
    let wanted: Vec<String> = account.apps.iter().map(|(app, part)| format!("{app}={}", part.build)).collect();
    Some(format!("update-ledger {} --env {environment}", wanted.join(" ")))
}

fn then_again() -> String {
    format!("put that right, then {}", again())
}

/// This very command. No argument is ever a secret.
fn again() -> String {
    let quoted = std::env::args().enumerate().map(|(place, word)| {
        let word = if place == 0 { word.rsplit('/').next().unwrap_or_default().to_owned() } else { word };
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_=./:@,+".contains(&b);
        if !word.is_empty() && word.bytes().all(plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
    });
    format!("run it again: {}", quoted.collect::<Vec<_>>().join(" "))
}
