//! The next command to give.

use conveyor::{
    Account, Error, Kind, Outcome,
    ledger::{EditError, LedgerError, PullRequest},
    release::BuildId,
};

use crate::{document::Ended, exit};

/// What to do next, or nothing.
pub(crate) fn next(account: &Account, ended: &Ended) -> Option<String> {
    match ended {
        Ended::Came(Outcome::Copied | Outcome::AlreadyPresent) => copied(account),
        Ended::Came(Outcome::AwaitingSync) => Some("press Sync in Argo CD: nothing runs before that".to_owned()),
        Ended::Came(Outcome::Planned) => Some("run it again without --dry-run".to_owned()),
        Ended::Came(Outcome::Denied(denied)) if exit::code(ended) == 10 => {
            denied.iter().flat_map(|denied| &denied.violations).map(|violation| remedy(&violation.remedy)).next()
        }
        Ended::Came(Outcome::TagHeld { .. }) => {
            Some("queue a new build: a tag is written once and never moved".to_owned())
        }
        Ended::Came(Outcome::Superseded { edit: Some(edit), found, .. }) => {
            let expect = quoted(found);
            let (file, key, to) =
                (quoted(edit.file.as_str()), quoted(&edit.key.to_string()), quoted(&edit.to.to_string()));
            let document =
                edit.document.as_ref().map(|document| format!(" --document {}", quoted(&document.to_string())));
            Some(format!(
                "nothing, if {expect} is right; to replace it all the same: --file {file}{} --key {key} --set {to} \
                 --expect {expect}",
                document.unwrap_or_default()
            ))
        }
        Ended::Came(Outcome::Superseded { found, .. }) if found.parse::<BuildId>().is_err() => {
            Some(format!("{found:?} is no build: put a build number or \"\" there, then {}", again()))
        }
        Ended::Came(Outcome::Superseded { found, .. }) => {
            Some(format!("nothing, if {found} is right; to go forward, promote a build newer than it"))
        }
        Ended::Came(Outcome::Denied(_) | Outcome::ReadsMoved { .. } | Outcome::NeverWon { .. }) => Some(again()),
        Ended::Came(Outcome::PullRequest(PullRequest { url, .. })) => {
            Some(format!("complete {url}; after that this says unchanged: {}", this_command()))
        }
        Ended::Came(Outcome::Refused(_)) if account.proposable => {
            Some(format!("propose it: {} --pull-request", this_command()))
        }
        Ended::Came(Outcome::Refused(_)) if account.cannot_propose => Some(
            "this server has no pull requests that conveyor can open, so --pull-request does nothing here: put right \
             why it refuses the push, then run it again without the flag"
                .to_owned(),
        ),
        Ended::Came(Outcome::Refused(_)) => Some(then_again()),
        Ended::Came(Outcome::Updated | Outcome::Unchanged | Outcome::Allowed) => None,
        Ended::Failed(Error::Ledger(LedgerError::Edit { source: EditError::Ambiguous { .. }, .. }))
            if account.environment.is_none() =>
        {
            Some("where these are in several documents, add --document kind=KIND,metadata.name=NAME".to_owned())
        }
        Ended::Failed(Error::Ledger(LedgerError::Denied { .. })) => Some(format!(
            "log in: credentials come from git's credential helpers, or over ssh from its keys; for dev.azure.com \
             SYSTEM_ACCESSTOKEN or AZURE_DEVOPS_EXT_PAT comes first. Then {}",
            again()
        )),
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

/// A violation's remedy. A command in it names the Ledger as this one did.
pub(crate) fn remedy(words: &str) -> String {
    const COMMANDS: [&str; 3] = [": conveyor ", ": copy-artifact ", ": update-ledger "];
    let has_command = COMMANDS.iter().any(|command| words.contains(command));
    if has_command { format!("{words}{}", ledger_flags(std::env::args())) } else { words.to_owned() }
}

fn copied(account: &Account) -> Option<String> {
    let environment = account.environment.as_ref()?;
    let wanted: Vec<String> = account.apps.iter().map(|(app, part)| format!("{app}={}", part.build)).collect();
    Some(format!("update-ledger {} --env {environment}{}", wanted.join(" "), ledger_flags(std::env::args())))
}

/// Those of the words that name the Ledger, each with a space before it.
fn ledger_flags(words: impl Iterator<Item = String>) -> String {
    let mut flags = String::new();
    let mut value_follows = false;
    for word in words {
        let names_it = ["--ledger", "--branch"]
            .iter()
            .any(|flag| word.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')));
        if names_it || value_follows {
            flags.push(' ');
            flags.push_str(&quoted(&word));
        }
        value_follows = names_it && !word.contains('=');
    }
    flags
}

fn then_again() -> String {
    format!("put that right, then {}", again())
}

fn again() -> String {
    format!("run it again: {}", this_command())
}

/// This very command. No argument is ever a secret.
fn this_command() -> String {
    let words = std::env::args().enumerate().map(|(place, word)| match place {
        0 => quoted(word.rsplit('/').next().unwrap_or_default()),
        _ => quoted(&word),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it for itself.
fn quoted(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_=./:@,+".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use conveyor::{
        Account, Error, Outcome,
        ledger::{Edit, From, LedgerError, Refusal, Said, Scalar},
    };

    use super::{ledger_flags, next};
    use crate::document::Ended;

    #[test]
    fn advice_can_be_followed() {
        let (file, key) = ("a.yaml".parse().unwrap(), "image.tag".parse().unwrap());
        let edit = Edit { file, document: None, key, from: From::Any, to: Scalar::new("1") };
        let superseded = Outcome::Superseded {
            app: None,
            edit: Some(Box::new(edit)),
            found: "a b".to_owned(),
            wanted: "1".to_owned(),
        };
        let mut cannot = Account::default();
        cannot.cannot_propose = true;
        let denied = LedgerError::Denied { said: Said::new("401") };
        for (account, ended, advice) in [
            (Account::default(), Ended::Came(superseded), "--file a.yaml --key image.tag --set 1 --expect 'a b'"),
            (cannot, Ended::Came(Outcome::Refused(Refusal::Other(String::new()))), "again without the flag"),
            (Account::default(), Ended::Failed(Error::Ledger(denied)), "git's credential helpers"),
        ] {
            let next = next(&account, &ended).unwrap();
            assert!(next.contains(advice), "{next}");
        }
    }

    #[test]
    fn the_ledger_is_named_as_it_was() {
        for (line, flags) in [
            ("conveyor promote a=1 --to qa", ""),
            ("conveyor promote a=1 --ledger https://x/y --to qa", " --ledger https://x/y"),
            ("conveyor --branch=b promote a=1 --ledger=https://x/y --to qa", " --branch=b --ledger=https://x/y"),
            ("conveyor promote a=1 --branch a'b --to qa --ledgers", r" --branch 'a'\''b'"),
        ] {
            assert_eq!(ledger_flags(line.split(' ').map(str::to_owned)), flags, "{line}");
        }
    }
}
