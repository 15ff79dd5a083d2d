use std::{path::Path, time::Duration};

use guarded_http::Credentials;

use crate::{LedgerError, LedgerUrl, child, user_git::user_command};

const OPERATION: &str = "ask the credential helpers";

/// What the user's credential helpers know for a Ledger (gitcredentials(7)): a user and a password, or nothing. `git`
/// is run under the user's own configuration and environment, but no repository's, for `timeout` at most; it asks no
/// person. Folders, ssh and the git protocol have no such credentials.
///
/// # Errors
/// A git that cannot be run, is not done in time, or prints no text. A helper that fails gives nothing.
pub async fn credentials_of_git(
    url: &LedgerUrl,
    git: &Path,
    timeout: Duration,
) -> Result<Option<Credentials>, LedgerError> {
    let Some(question) = question(url) else { return Ok(None) };
    let mut command = user_command(git);
    command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ASKPASS", "").env("GCM_INTERACTIVE", "never");
    command.args(["credential", "fill"]);
    let ran = child::run(&mut command, question.as_bytes(), timeout).await;
    let output = ran.map_err(|failure| failure.of_git(OPERATION, timeout))?;
    // Where no helper answers, git would ask a person, and fails of that.
    if !output.status.success() {
        return Ok(None);
    }
    let answer = String::from_utf8(output.stdout).map_err(|_| LedgerError::Garbled { operation: OPERATION })?;
    let value = |name: &str| answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let pair = value("username").zip(value("password")).filter(|(_, password)| !password.is_empty());
    Ok(pair.map(|(user, password)| Credentials::Basic { user: user.to_owned(), password: password.into() }))
}

/// What git is asked, in the form that it reads (git-credential(1)).
fn question(url: &LedgerUrl) -> Option<String> {
    let origin = url.origin()?.to_string();
    let (protocol, host) = origin.split_once("://")?;
    let path = url.as_str().strip_prefix(&origin)?.strip_prefix('/')?;
    Some(format!("protocol={protocol}\nhost={host}\npath={path}\n\n"))
}
