//! What the user's own programs are not told.

use std::{env, process::Command, time::Duration};

use ledger::credentials_of_git;

use crate::script::Script;

const SECRETS: [&str; 2] = ["SYSTEM_ACCESSTOKEN", "AZURE_DEVOPS_EXT_PAT"];

#[tokio::test]
async fn our_own_secrets_are_kept_from_them() {
    if !SECRETS.iter().all(|name| env::var(name).is_ok_and(|value| value == "canary")) {
        // A test cannot set the environment of the others: it runs itself.
        let mut again = Command::new(env::current_exe().unwrap());
        again.args(["--exact", "user_git::our_own_secrets_are_kept_from_them"]);
        let output = again.envs(SECRETS.map(|name| (name, "canary"))).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{told}");
        return;
    }
    let git = Script::new("exit 1");
    let url = "https://git.example/x".parse().unwrap();
    assert!(credentials_of_git(&url, &git.program(), Duration::from_secs(60)).await.unwrap().is_none());
    let calls = git.calls();
    assert!(calls.contains("ARGS credential fill\n") && !calls.contains("canary"));
}
