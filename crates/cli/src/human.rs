//! The same result in sentences.

use std::fmt::Write as _;

use conveyor::{
    Account, ChangeAccount, CopyAccount, Moved, Outcome, policy,
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
        Outcome::Planned if !of_policy => line(text, "dry run: nothing was done, and no policy was asked"),
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
        Outcome::Superseded { app, found, wanted } => {
            let whose = app.as_ref().map(|app| format!("{app} in {environment}: ")).unwrap_or_default();
            line(text, &format!("superseded: {whose}the place holds {found}, so {wanted} was not written"));
        }
        Outcome::ReadsMoved { path } => {
            line(text, &format!("not done: {path} kept changing until the deadline, and the decision rests on it"));
        }
        Outcome::NeverWon { attempts } => {
            line(text, &format!("not done: others won the race for the branch {attempts} times until the deadline"));
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
    if let Some(ledger) = &account.ledger {
        tell_changes(text, "changed", &ledger.changes);
        let whose = if of_policy { "Ledger commit" } else { "commit" };
        line(text, &format!("{whose} {} on {}", ledger.commit, ledger.parent));
    }
}

fn tell_copy(text: &mut String, copy: &CopyAccount) {
    let CopyAccount { source, destination, already_present, moved, .. } = copy;
    match moved {
        Moved::Done(_) if *already_present => line(text, &format!("{destination} is there already")),
        Moved::Done(Transfer { blobs, bytes, .. }) => {
            line(text, &format!("{destination}: {} blobs, {bytes} bytes copied, read back", blobs.copied));
        }
        Moved::Planned(ToMove { manifests: 0, blobs: 0, .. }) if *already_present => {
            line(text, &format!("{destination} is there already"));
        }
        Moved::Planned(to_move) => {
            let verb = if *already_present { "complete" } else { "copy" };
            line(text, &format!("would {verb} {source} to {destination}"));
            let ToMove { manifests, blobs, bytes, referrers, present, .. } = to_move;
            let rest = format!("{referrers} referrers among them; {present} blobs are there");
            line(text, &format!("  {manifests} manifests, {blobs} blobs, {bytes} bytes, {rest}"));
        }
    }
}

fn tell_changes(text: &mut String, verb: &str, changes: &[ChangeAccount]) {
    for ChangeAccount { file, key, from, to, .. } in changes {
        let from = if from.is_empty() { "nothing" } else { from };
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
    line(
        text,
        &format!(
            "happened: copied {}, ledger {}, synced {}, healthy {}",
            seen(Some(happened.copied)),
            seen(happened.ledger),
            seen(happened.synced),
            seen(happened.healthy)
        ),
    );
    for (app, running) in &head.running {
        let running = if running.is_empty() { "nothing" } else { running };
        line(text, &format!("running: the Ledger asks for {app} {running}"));
    }
}

fn line(text: &mut String, words: &str) {
    let _infallible = writeln!(text, "{words}");
}
