//! What `--help` says. Flags are append-only once shipped: a line that goes away breaks somebody's step.

use std::process::Stdio;

use tests::binary;
use tokio::process::Command;

use crate::snapshot;

#[tokio::test]
async fn help_is_as_it_was_reviewed() {
    for words in ["copy-artifact", "update-ledger", "check-policy", "conveyor", "conveyor promote"] {
        let mut arguments = words.split(' ');
        let mut command = Command::new(binary(arguments.next().unwrap()));
        let output = command.args(arguments).arg("--help").output().await.unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{words}: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        snapshot::compare(&format!("help/{}.txt", words.replace(' ', "-")), &text, "UPDATE_HELP");
    }
}

#[tokio::test]
async fn each_binary_says_which_it_is() {
    for name in ["copy-artifact", "update-ledger", "check-policy", "conveyor"] {
        let output = Command::new(binary(name)).arg("--version").output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!((output.status.code(), &*text), (Some(0), &*format!("{name} {}\n", env!("CARGO_PKG_VERSION"))));
    }
}

/// Stdout of a binary that ends well.
async fn stdout(binary_name: &str, words: &[&str]) -> String {
    let output = Command::new(binary(binary_name)).args(words).output().await.unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{binary_name} {words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn manual_pages_have_every_option() {
    for (name, pages) in [("copy-artifact", vec!["copy-artifact"]), ("conveyor", vec!["conveyor", "conveyor-promote"])]
    {
        let text = stdout(name, &["--man"]).await;
        let titles: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(".TH ")?.split(' ').next()).collect();
        assert_eq!(titles, pages, "{text}");
        for section in [".SH EXAMPLES", ".SH \"EXIT CODES\""] {
            assert!(text.lines().any(|line| line == section), "{name}: {section}: {text}");
        }
        for option in ["expect\\-digest", "dry\\-run", "ledger", "timeout"] {
            assert!(text.contains(&format!("\\-\\-{option}")), "{name}: {option}: {text}");
        }
    }
}

#[tokio::test]
async fn completions_in_both_forms_and_nothing_else() {
    for name in ["copy-artifact", "update-ledger", "check-policy", "conveyor"] {
        let one = stdout(name, &["--completions=bash"]).await;
        assert_eq!(one, stdout(name, &["--completions", "bash"]).await);
        assert!(one.contains("complete -F") && one.contains(name), "{one}");
        for (words, says) in [
            (&["--completions=csh"][..], "\"csh\" is no shell"),
            (&["--completions"], "--completions bash, zsh"),
            (&["--man", "--output", "human"], "stand alone"),
            (&["--completions=bash", "--man"], "stand alone"),
        ] {
            let output = Command::new(binary(name)).args(words).output().await.unwrap();
            let told = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{name} {words:?}: {told}");
            assert!(told.contains(says) && told.lines().count() <= 2, "{name} {words:?}: {told}");
        }
    }
}

/// How check-policy ends whose stdout is this, and what it says on stderr.
fn with_stdout(words: &[&str], stdout: impl Into<Stdio>) -> (Option<i32>, String) {
    let mut command = std::process::Command::new(binary("check-policy"));
    let output = command.args(words).env_remove("CONVEYOR_LEDGER").stdout(stdout).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure_unless_nobody_reads_it() {
    for (words, code, full) in
        [(&["--help"][..], 0, 1), (&["--man"], 0, 1), (&["--output", "json", "a=1", "--to", "qa"], 2, 2)]
    {
        let disk = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (ended, told) = with_stdout(words, disk);
        assert_eq!(ended, Some(full), "{words:?}: {told}");
        assert!(told.contains("could not be written to stdout"), "{words:?}: {told}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let (ended, told) = with_stdout(words, writer);
        assert_eq!(ended, Some(code), "{words:?}: {told}");
        assert!(!told.contains("could not be written"), "{words:?}: {told}");
    }
}
