//! The same result in sentences.

use std::fmt::Write as _;

use conveyor::{
    Account, ChangeAccount, CopyAccount, Error, Moved, Outcome,
    ledger::PullRequest,
    one_line, policy,
    registry_copy::{ToMove, Transfer},
};

use crate::{
    document::{Ended, Head},
    exit, next,
};

/// What deserves a look but stopped nothing.
pub(crate) fn warnings(head: &Head) -> String {
    let mut text = String::new();
    for warning in &head.warnings {
        line(&mut text, &format!("warning: {warning}"));
    }
    text
}

/// What else a person is told.
pub(crate) fn tell(head: &Head, account: &Account, ended: &Ended) -> String {
    let mut text = String::new();
    match ended {
        Ended::Came(outcome) => tell_outcome(&mut text, head, account, outcome),
        // It shows the line of the file, with marks below it.
        Ended::Failed(Error::Config(_)) => {
            let _infallible = writeln!(text, "error: {}", head.result.message());
        }
        Ended::Failed(_) | Ended::Signalled(_) => {
            line(&mut text, &format!("error: {}", head.result.message()));
        }
        Ended::Misused(words) => text.push_str(words),
    }
    let happy = exit::code(ended) == 0;
    if !happy && !matches!(ended, Ended::Misused(_)) {
        tell_state(&mut text, head);
    }
    if let Some(next) = &head.next
        && !matches!(ended, Ended::Misused(_))
    {
        line(&mut text, &format!("next: {next}"));
    }
    if let (false, Some(support)) = (happy, &head.support) {
        line(&mut text, &format!("support: {support}"));
    }
    text
}

fn tell_outcome(text: &mut String, head: &Head, account: &Account, outcome: &Outcome) {
    // The raw forms change no environment, and ask no policy.
    let of_policy = head.environment.is_some();
    let environment = head.environment.as_deref().unwrap_or_default();
    match outcome {
        Outcome::Copied | Outcome::AlreadyPresent => {}
        Outcome::Updated if !of_policy => line(text, "written to the repository"),
        Outcome::Updated => {
            line(text, &format!("{environment}: the Ledger asks for it, the cluster follows by itself"));
        }
        Outcome::AwaitingSync => {
            line(text, &format!("{environment}: the Ledger asks for it, awaiting the manual sync"));
        }
        Outcome::Unchanged if !of_policy => line(text, "it is so already, nothing was written"),
        Outcome::Unchanged => line(text, &format!("{environment}: it is so already, nothing was written")),
        Outcome::Planned if !of_policy => line(text, "dry run: nothing was done"),
        Outcome::Planned => line(text, "dry run: this is allowed and nothing was done"),
        Outcome::Allowed => line(text, &format!("{environment}: allowed")),
        Outcome::Denied(denied) => {
            for denied in denied {
                let app = &denied.app;
                if denied.is_transient() {
                    line(text, &format!("not decided: whether {app} may go to {environment} is not known"));
                } else {
                    line(text, &format!("denied: {app} may not go to {environment}"));
                }
                for violation in &denied.violations {
                    line(text, &format!("  {}: {}", violation.rule, violation.because));
                    line(text, &format!("    {}", next::remedy(&violation.remedy)));
                }
            }
        }
        Outcome::TagHeld { place, by, wanted } => {
            line(text, &format!("refused: {place} is held by {by}; {wanted} was not put there"));
        }
        Outcome::Superseded { app, edit, found, wanted } => {
            let whose = app.as_ref().map(|app| format!("{app} in {environment}: ")).unwrap_or_default();
            let place = match edit {
                Some(edit) => format!("{} {}", edit.file, edit.key),
                None => "the place".to_owned(),
            };
            line(text, &format!("superseded: {whose}{place} holds {found}, so {wanted} was not written"));
        }
        Outcome::ReadsMoved { path } => {
            line(text, &format!("not done: {path} kept changing until the deadline, and the decision rests on it"));
        }
        Outcome::NeverWon { attempts } => {
            line(text, &format!("not done: others won the race for the branch {attempts} times until the deadline"));
        }
        Outcome::PullRequest(PullRequest { url, adopted, .. }) => {
            let how = if *adopted { "was open already and proposes this now" } else { "proposes it" };
            line(text, &format!("not written yet: the branch takes pull requests only, and {url} {how}"));
        }
        Outcome::Refused(_) => {
            line(text, &format!("refused: {}", head.result.message()));
        }
    }
    for (app, part) in &account.apps {
        for said in &part.verdicts {
            let verdict = match said.verdict {
                policy::Verdict::Holds => "holds",
                policy::Verdict::NotApplicable => "does not apply",
                policy::Verdict::Accepted => "does not hold, which conveyor.yaml accepts",
                policy::Verdict::Waived => "waived",
                policy::Verdict::Violated => "VIOLATED",
                policy::Verdict::Unknown => "not decided",
            };
            if matches!(outcome, Outcome::Allowed | Outcome::Denied(_) | Outcome::Planned) {
                line(text, &format!("  {app}: {} {verdict}", said.rule));
            }
        }
        if let Some(copy) = &part.copy {
            tell_copy(text, copy);
        }
        if !part.approvers.is_empty() && exit::of_outcome(outcome) == 0 {
            line(text, &format!("{app} {}: approved by {}", part.build, part.approvers.join(", ")));
        }
    }
    if let Some(copy) = &account.copy {
        tell_copy(text, copy);
    }
    tell_changes(text, "would change", &account.planned);
    if let Some(diff) = &account.diff {
        text.push_str(diff);
    }
    if let Some(ledger) = &account.ledger {
        tell_changes(text, "changed", &ledger.changes);
        let whose = if of_policy { "Ledger commit" } else { "commit" };
        line(text, &format!("{whose} {} on {}", ledger.commit, ledger.parent));
    }
}

fn tell_copy(text: &mut String, copy: &CopyAccount) {
    let CopyAccount { source, destination, already_present, moved, .. } = copy;
    match moved {
        Moved::Done(transfer) => line(text, &done(&destination.to_string(), *already_present, transfer)),
        Moved::Planned(ToMove { manifests: 0, blobs: 0, .. }) if *already_present => {
            line(text, &format!("{destination} is there already"));
        }
        Moved::Planned(to_move) => {
            let verb = if *already_present { "complete" } else { "copy" };
            line(text, &format!("would {verb} {source} to {destination}"));
            let ToMove { manifests, blobs, bytes, referrers, present, .. } = *to_move;
            let (manifests, blobs, size) = (count(manifests, "manifest"), count(blobs, "blob"), size(bytes));
            let referrers = count(referrers, "referrer");
            let there = count(present, "blob");
            line(text, &format!("  {manifests} ({referrers} among them), {blobs}, {size}; {there} there already"));
        }
    }
}

/// What a copy did.
fn done(destination: &str, already_present: bool, transfer: &Transfer) -> String {
    let Transfer { manifests, blobs, bytes, referrers, .. } = transfer;
    if already_present && (*manifests, blobs.copied, blobs.mounted) == (0, 0, 0) {
        return format!("{destination} is there already");
    }
    let mut parts = vec![format!("{} copied ({})", count(blobs.copied, "blob"), size(*bytes))];
    let others =
        [(blobs.mounted, "blob", " mounted"), (blobs.present, "blob", " there already"), (*referrers, "referrer", "")];
    let others = others.into_iter().filter(|(number, ..)| *number > 0);
    parts.extend(others.map(|(number, what, how)| format!("{}{how}", count(number, what))));
    let parts = parts.join(", ");
    if already_present {
        format!("{destination} was there and is complete again: {parts}")
    } else {
        format!("{destination}: {parts}, read back")
    }
}

/// A number of things.
pub(crate) fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A number of bytes.
pub(crate) fn size(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    if bytes < MIB { count(bytes, "byte") } else { format!("{}.{} MiB", bytes / MIB, bytes % MIB * 10 / MIB) }
}

fn tell_changes(text: &mut String, verb: &str, changes: &[ChangeAccount]) {
    for ChangeAccount { file, key, from, to, .. } in changes {
        let [from, to] = [from, to].map(|value| if value.is_empty() { "nothing" } else { value });
        line(text, &format!("{verb} {file} {key}: {from} -> {to}"));
    }
}

/// What happened and what runs now, for whoever must decide what to do about a failure.
fn tell_state(text: &mut String, head: &Head) {
    let seen = |state: Option<bool>| match state {
        Some(true) => "yes",
        Some(false) => "no",
        None => "not known",
    };
    let happened = &head.happened;
    let (copied, ledger) = (seen(Some(happened.copied)), seen(happened.ledger));
    let state = match (head.command, &head.environment) {
        ("copy-artifact", None) => format!("copied {copied}"),
        ("update-ledger", None) => format!("written {ledger}"),
        _ => {
            let (synced, healthy) = (seen(happened.synced), seen(happened.healthy));
            format!("copied {copied}, ledger {ledger}, synced {synced}, healthy {healthy}")
        }
    };
    line(text, &format!("happened: {state}"));
    for (app, running) in &head.running {
        let running = if running.is_empty() { "nothing" } else { running };
        line(text, &format!("running: the Ledger asks for {app} {running}"));
    }
}

fn line(text: &mut String, words: &str) {
    let _infallible = writeln!(text, "{}", one_line(words));
}

#[cfg(test)]
mod tests {
    use conveyor::release::Digest;

    use super::*;

    #[test]
    fn a_value_adds_no_line_and_an_empty_one_is_told() {
        let change = |from: &str, to: &str| ChangeAccount {
            app: None,
            file: "a.yaml".to_owned(),
            key: "tag".to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
        };
        let mut text = String::new();
        tell_changes(&mut text, "changed", &[change("x\ncommit 0000", "1"), change("", "2"), change("3", "")]);
        let told = "changed a.yaml tag: x\\u{a}commit 0000 -> 1\nchanged a.yaml tag: nothing -> 2\n\
                    changed a.yaml tag: 3 -> nothing\n";
        assert_eq!(text, told);
    }

    #[test]
    fn a_copy_is_told_in_one_sentence() {
        let mut transfer = Transfer::of(Digest::of(b""));
        assert_eq!(done("r/a:1", true, &transfer), "r/a:1 is there already");
        assert_eq!(done("r/a:1", false, &transfer), "r/a:1: 0 blobs copied (0 bytes), read back");
        (transfer.blobs.copied, transfer.bytes) = (1, 1);
        assert_eq!(done("r/a:1", true, &transfer), "r/a:1 was there and is complete again: 1 blob copied (1 byte)");
        (transfer.blobs.copied, transfer.bytes, transfer.blobs.mounted) = (2, 5 << 19, 4);
        (transfer.blobs.present, transfer.referrers) = (3, 1);
        assert_eq!(
            done("r/a:1", false, &transfer),
            "r/a:1: 2 blobs copied (2.5 MiB), 4 blobs mounted, 3 blobs there already, 1 referrer, read back"
        );
    }
}
