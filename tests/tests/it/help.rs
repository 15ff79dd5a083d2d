//! What `--help` says. Flags are append-only once shipped: a line that goes away breaks somebody's step.

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
