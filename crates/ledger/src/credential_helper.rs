use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use guarded_http::{Authorize, AuthorizeError, Credentials, HeaderValue, Refusal, StatusCode};
use tokio::sync::OnceCell;

use crate::{LedgerError, LedgerUrl, child, user_git::user_command};

const OPERATION: &str = "ask the credential helpers";

/// What the user's credential helpers know for a Ledger (gitcredentials(7)): a user and a password, or nothing. `git`
/// is run under the user's own configuration and environment, but no repository's, for `timeout` at most; it asks no
/// person. Folders, ssh and the git protocol have no such credentials, and without a git there are no helpers.
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
    let output = match ran.map_err(|failure| failure.of_git(OPERATION, timeout)) {
        Err(LedgerError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        ran => ran?,
    };
    // Where no helper answers, git would ask a person, and fails of that.
    if !output.status.success() {
        return Ok(None);
    }
    let answer = String::from_utf8(output.stdout).map_err(|_| LedgerError::Garbled { operation: OPERATION })?;
    let value = |name: &str| answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let pair = value("username").zip(value("password")).filter(|(_, password)| !password.is_empty());
    Ok(pair.map(|(user, password)| Credentials::Basic { user: user.to_owned(), password: password.into() }))
}

/// Sends nothing until a server asks who is there, as git does, and then what [`credentials_of_git`] finds.
#[derive(Debug)]
pub struct CredentialHelpers {
    url: LedgerUrl,
    git: PathBuf,
    timeout: Duration,
    found: OnceCell<Option<HeaderValue>>,
}

impl CredentialHelpers {
    /// The helpers that `git` knows for a Ledger, which have so long to answer.
    #[must_use]
    pub fn new(url: &LedgerUrl, git: &Path, timeout: Duration) -> Self {
        Self { url: url.clone(), git: git.to_owned(), timeout, found: OnceCell::new() }
    }

    async fn ask(&self) -> Result<Option<HeaderValue>, AuthorizeError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| AuthorizeError { source, retryable: false };
        match credentials_of_git(&self.url, &self.git, self.timeout).await {
            Ok(None) => Ok(None),
            Ok(Some(found)) => found.header().map_err(|error| failed(error.into())),
            Err(error) => Err(failed(error.into())),
        }
    }
}

#[async_trait]
impl Authorize for CredentialHelpers {
    async fn authorization(&self, _scope: &str) -> Result<Option<HeaderValue>, AuthorizeError> {
        Ok(self.found.get().cloned().flatten())
    }

    async fn refused(&self, refusal: &Refusal<'_>) -> Result<bool, AuthorizeError> {
        if refusal.status != StatusCode::UNAUTHORIZED {
            return Ok(false);
        }
        let found = self.found.get_or_try_init(|| self.ask()).await?;
        Ok(found.as_ref() != refusal.sent)
    }
}

/// What git is asked, in the form that it reads (git-credential(1)).
fn question(url: &LedgerUrl) -> Option<String> {
    let origin = url.origin()?.to_string();
    let (protocol, host) = origin.split_once("://")?;
    let path = url.as_str().strip_prefix(&origin)?.strip_prefix('/')?;
    Some(format!("protocol={protocol}\nhost={host}\npath={path}\n\n"))
}
