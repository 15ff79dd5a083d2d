//! The bare repository that is a Ledger.

use std::{io, path::Path, process::Stdio};

use tokio::io::AsyncWriteExt as _;

use crate::git::git;

/// Makes a bare repository at `directory` with one commit of these files, each a path and its text, on main. Whoever a
/// [`GitServer`](crate::GitServer) lets in may push to it, and filter what he fetches.
///
/// # Errors
/// When the directory cannot be made, or git does not work.
pub async fn create_repository(directory: &Path, files: &[(String, String)]) -> io::Result<()> {
    tokio::fs::create_dir_all(directory).await?;
    run(directory, &["init", "--quiet", "--bare", "--initial-branch=main", "--template=", "."], b"").await?;
    for (key, value) in [
        ("http.receivepack", "true"),
        ("uploadpack.allowFilter", "true"),
        ("uploadpack.allowAnySHA1InWant", "true"),
        // Nothing tidies up behind a test's back.
        ("receive.autogc", "false"),
        ("gc.auto", "0"),
    ] {
        run(directory, &["config", key, value], b"").await?;
    }
    run(directory, &["fast-import", "--quiet"], &first_commit(files)).await
}

/// A stream for `git fast-import`.
fn first_commit(files: &[(String, String)]) -> Vec<u8> {
    const MESSAGE: &str = "The Ledger as it begins\n";
    let mut stream = format!(
        "commit refs/heads/main\ncommitter Forge <forge@sandbox.invalid> 1767225600 +0000\ndata {}\n{MESSAGE}",
        MESSAGE.len()
    );
    for (path, text) in files {
        stream.push_str(&format!("M 100644 inline {path}\ndata {}\n{text}\n", text.len()));
    }
    stream.into_bytes()
}

async fn run(directory: &Path, arguments: &[&str], input: &[u8]) -> io::Result<()> {
    let mut command = git(directory);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input).await?;
    }
    let output = child.wait_with_output().await?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("git {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr))))
}
