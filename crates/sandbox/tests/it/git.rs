use std::{path::Path, process::Output};

use sandbox::Forge;
use tokio::process::Command;

use crate::forge;

/// The git program, which sees nothing of the configuration and environment of who runs the tests.
pub(crate) fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .args(["-c", "user.name=Ana", "-c", "user.email=ana@sandbox.invalid"])
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("HOME", directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0");
    command
}

async fn git(directory: &Path, arguments: &[&str]) -> Output {
    command(directory, arguments).output().await.unwrap()
}

pub(crate) async fn ok(directory: &Path, arguments: &[&str]) -> String {
    let output = git(directory, arguments).await;
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

async fn clone(forge: &Forge, name: &str) -> std::path::PathBuf {
    ok(forge.scratch(), &["clone", "--quiet", forge.ledger_url(), name]).await;
    forge.scratch().join(name)
}

#[tokio::test]
async fn the_ledger_is_cloned_and_pushed_to() {
    let forge = forge().await;
    let clone = clone(&forge, "clone").await;
    let config = std::fs::read_to_string(clone.join("conveyor.yaml")).unwrap();
    assert!(config.contains(forge.ledger_url()) && config.contains(&forge.releases().url()), "{config}");

    let manifest = clone.join("apps/payments-api/qa/values.yaml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    assert!(text.contains(&forge.registry("qa").unwrap().authority()) && text.contains("  tag: \"\"\n"), "{text}");
    std::fs::write(&manifest, text.replace("tag: \"\"", "tag: \"48213\"")).unwrap();
    ok(&clone, &["commit", "--quiet", "--all", "--message", "48213"]).await;
    ok(&clone, &["push", "--quiet", "origin", "HEAD:refs/heads/main"]).await;

    let head = ok(&clone, &["rev-parse", "HEAD"]).await;
    assert_eq!(ok(&forge.ledger_dir(), &["rev-parse", "refs/heads/main"]).await, head);
    let logged = forge.ledger_log().requests();
    let pushed = |request: &sandbox::Logged| request.path == "/ledger.git/git-receive-pack" && request.status == 200;
    assert!(logged.iter().any(pushed), "{logged:?}");
    ok(&forge.ledger_dir(), &["fsck", "--strict"]).await;
}

#[tokio::test]
async fn a_push_that_lost_the_race_is_refused() {
    let forge = forge().await;
    let (one, other) = (clone(&forge, "one").await, clone(&forge, "other").await);
    for clone in [&one, &other] {
        ok(clone, &["commit", "--quiet", "--allow-empty", "--message", &clone.display().to_string()]).await;
    }
    ok(&one, &["push", "--quiet", "origin", "main"]).await;
    assert!(!git(&other, &["push", "--quiet", "origin", "main"]).await.status.success());
}

#[tokio::test]
async fn a_body_larger_than_a_buffer_goes_both_ways() {
    let forge = forge().await;
    let clone = clone(&forge, "clone").await;
    let mut bytes = vec![0; 5 << 20];
    fastrand::Rng::with_seed(1).fill(&mut bytes);
    std::fs::write(clone.join("large"), &bytes).unwrap();
    ok(&clone, &["add", "large"]).await;
    ok(&clone, &["commit", "--quiet", "--message", "large"]).await;
    ok(&clone, &["push", "--quiet", "origin", "main"]).await;
    ok(forge.scratch(), &["clone", "--quiet", forge.ledger_url(), "again"]).await;
    assert!(std::fs::read(forge.scratch().join("again/large")).unwrap() == bytes);
}

#[tokio::test]
async fn objects_are_filtered_and_fetched_by_id() {
    let forge = forge().await;
    let url = forge.ledger_url();
    ok(forge.scratch(), &["clone", "--quiet", "--bare", "--depth=1", "--filter=blob:none", url, "partial.git"]).await;
    let partial = forge.scratch().join("partial.git");
    let listed = ok(&partial, &["rev-list", "--objects", "--missing=print", "main"]).await;
    assert!(listed.lines().any(|line| line.starts_with('?')), "no blob was left out: {listed}");
    let shown = ok(&partial, &["show", "main:conveyor.yaml"]).await;
    assert!(shown.contains("prod-wealth"));
}

#[tokio::test]
async fn an_old_client_is_understood() {
    let forge = forge().await;
    ok(forge.scratch(), &["-c", "protocol.version=0", "clone", "--quiet", forge.ledger_url(), "old"]).await;
    assert!(forge.scratch().join("old/conveyor.yaml").exists());
    let output = git(forge.scratch(), &["clone", "--quiet", &format!("{}x", forge.ledger_url()), "none"]).await;
    assert!(!output.status.success());
}

#[tokio::test]
async fn a_compressed_request_is_understood() {
    let forge = forge().await;
    let (behind, ahead) = (clone(&forge, "behind").await, clone(&forge, "ahead").await);
    // So much that only the client has makes it send more than a KiB, which it compresses.
    for number in 0..100 {
        ok(&behind, &["commit", "--quiet", "--allow-empty", "--message", &number.to_string()]).await;
    }
    ok(&ahead, &["commit", "--quiet", "--allow-empty", "--message", "ahead"]).await;
    ok(&ahead, &["push", "--quiet", "origin", "main"]).await;
    let output = command(&behind, &["fetch", "--quiet", "origin"]).env("GIT_TRACE_CURL", "1").output().await.unwrap();
    let trace = String::from_utf8_lossy(&output.stderr).to_ascii_lowercase();
    assert!(output.status.success(), "{trace}");
    assert!(trace.contains("content-encoding: gzip"), "nothing was compressed: {trace}");
    assert_eq!(ok(&behind, &["rev-parse", "origin/main"]).await, ok(&ahead, &["rev-parse", "HEAD"]).await);
}
