use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

/// Runs git in a directory, with nobody's configuration, and returns what it wrote to stdout.
///
/// # Panics
/// When it fails.
pub fn git(directory: &Path, arguments: &[&str]) -> String {
    run(directory, arguments, b"")
}

/// Commits a file on main, as a person with the right to push would.
pub(crate) fn commit(repository: &Path, path: &str, text: &str) {
    let message = format!("Edit {path}\n");
    let stream = format!(
        "commit refs/heads/main\ncommitter Ana <ana@sandbox.invalid> 1767225600 +0000\ndata {}\n{message}\
         from refs/heads/main^0\nM 100644 inline {path}\ndata {}\n{text}\n",
        message.len(),
        text.len()
    );
    run(repository, &["fast-import", "--quiet"], stream.as_bytes());
}

fn run(directory: &Path, arguments: &[&str], input: &[u8]) -> String {
    let mut child = Command::new("git")
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("git is needed: apt-get install git");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
