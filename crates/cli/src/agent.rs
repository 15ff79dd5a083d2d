//! What an Azure DevOps agent obeys: commands of ours, in which no word of anybody else's is one.
//!
//! Source: "Logging commands" in Microsoft's documentation of Azure Pipelines.

use conveyor::Account;

use crate::{document::Head, untrusted::untrusted};

/// The end of a [`group`].
pub(crate) const END_GROUP: &str = "##[endgroup]";

/// A command, such as `task.logissue`, with its properties and what it is about.
pub(crate) fn command(name: &str, properties: &[(&str, &str)], about: &str) -> String {
    let properties: String = properties.iter().map(|(key, value)| format!("{key}={};", property(value))).collect();
    format!("##vso[{name} {properties}]{}", data(about))
}

/// Begins lines that can be folded.
pub(crate) fn group(title: &str) -> String {
    format!("##[group]{}", untrusted(title).replace('\n', " "))
}

/// What an agent is told of the result: warnings and the failure as issues of the step, and the variables that later
/// steps may read.
pub(crate) fn result(head: &Head, account: &Account, failure: Option<String>) -> String {
    let issue = |kind, text: &str| command("task.logissue", &[("type", kind)], text.trim_end());
    let variable = |name, value: &str| command("task.setvariable", &[("variable", name), ("isoutput", "true")], value);
    let copy = account.copy.as_ref().map(|copy| copy.digest);
    let mut digests = account.apps.values().filter_map(|app| app.digest);
    let digest = copy.or_else(|| digests.next().filter(|_| account.apps.len() == 1));
    let mut lines: Vec<String> = head.warnings.iter().map(|warning| issue("warning", warning)).collect();
    lines.extend(failure.map(|failure| issue("error", &failure)));
    lines.push(variable("outcome", head.result.word()));
    lines.extend(digest.map(|digest| variable("digest", &digest.to_string())));
    lines.extend(account.ledger.as_ref().map(|written| variable("commit", &written.commit.to_string())));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn data(text: &str) -> String {
    untrusted(text).replace('%', "%AZP25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(']', "%5D").replace(';', "%3B")
}

#[cfg(test)]
mod tests {
    use super::{command, group};

    #[test]
    fn what_stands_in_a_command_cannot_end_it_or_begin_another() {
        assert_eq!(
            command("task.logissue", &[("type", "error")], "50% of\n##vso[task.complete]x"),
            "##vso[task.logissue type=error;]50%AZP25 of%0A# #vso[task.complete]x"
        );
        assert_eq!(
            command("task.setvariable", &[("variable", "a];b\r\n")], ""),
            "##vso[task.setvariable variable=a%5D%3Bb\\u{d}%0A;]"
        );
        assert_eq!(group("one\n##[error]two"), "##[group]one # #[error]two");
    }
}
