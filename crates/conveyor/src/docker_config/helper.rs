use std::{
    env,
    ffi::OsString,
    fmt, io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use guarded_http::{Credentials, shown};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
    time::timeout,
};

use super::Login;

const PATIENCE: Duration = Duration::from_secs(30);
const LONGEST_ANSWER: u64 = 64 << 10;
const LONGEST_COMPLAINT: u64 = 4 << 10;

/// What a helper answers, by the protocol of docker's, where it keeps nothing for a server.
const NOT_FOUND: &[u8] = b"credentials not found in native keychain";

/// The user that stands for "the secret is a refresh token".
const TOKEN_USER: &str = "<token>";

/// What helpers get of this process's environment: where they, their keys and their settings are, and what the AWS SDK
/// and Google's find credentials by. So `docker-credential-ecr-login` is whoever this process is in AWS, as under
/// crane. Not among them: what moves a server (`AWS_ENDPOINT_URL`, proxies), and the secrets of Azure DevOps.
const INHERITED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "GNUPGHOME",
    "PASSWORD_STORE_DIR",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_SDK_LOAD_CONFIG",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_ECR_CACHE_DIR",
    "AWS_ECR_DISABLE_CACHE",
    "CLOUDSDK_CONFIG",
    "GOOGLE_APPLICATION_CREDENTIALS",
];

/// The environment of helpers. It may hold secrets, so only its names are shown.
#[derive(Clone, Default)]
pub(super) struct Surroundings(pub(super) Vec<(&'static str, OsString)>);

impl Surroundings {
    pub(super) fn of_process() -> Self {
        Self(INHERITED.iter().filter_map(|name| Some((*name, env::var_os(name)?))).collect())
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Why a credential helper gave no answer. What it wrote to its stdout, where the secret would be, is shown nowhere.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HelperError {
    /// The configuration names something that is no helper.
    #[error("a helper's name is 1 to 32 lower-case letters, digits and dashes")]
    Name,
    /// The program could not be run.
    #[error("the program cannot be run: install it, or take it out of the docker configuration")]
    Run(#[source] io::Error),
    /// It did not end.
    #[error("it did not answer within {} seconds", PATIENCE.as_secs())]
    TimedOut,
    /// It failed.
    #[error("it failed ({status}){}", said.is_empty().then(String::new).unwrap_or_else(|| format!(": {said}")))]
    Failed {
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to its stderr, escaped and cut.
        said: String,
    },
    /// Its answer is none.
    #[error("its answer is not one that a credential helper gives")]
    Garbled,
}

/// What a helper prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: SecretString,
}

/// Asks `docker-credential-NAME` for a server's credentials; none where it keeps none.
///
/// Source: the protocol of docker/docker-credential-helpers.
pub(super) async fn ask(name: &str, server: &str, surroundings: &Surroundings) -> Result<Option<Login>, HelperError> {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !(1..=32).contains(&name.len()) || !name.bytes().all(letter) {
        return Err(HelperError::Name);
    }
    let mut command = Command::new(format!("docker-credential-{name}"));
    command.arg("get").env_clear().envs(surroundings.0.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let ended = timeout(PATIENCE, run(command, server)).await.map_err(|_| HelperError::TimedOut)?;
    let (status, stdout, stderr) = ended.map_err(HelperError::Run)?;
    if !status.success() {
        let unknown = stdout.trim_ascii() == NOT_FOUND;
        return if unknown { Ok(None) } else { Err(HelperError::Failed { status, said: shown(&stderr) }) };
    }
    let answer: Answer = serde_json::from_slice(&stdout).map_err(|_| HelperError::Garbled)?;
    Ok(match (&*answer.username, answer.secret) {
        (TOKEN_USER, secret) => Some(Login::Identity(secret)),
        ("", secret) if secret.expose_secret().is_empty() => None,
        (user, password) => Some(Login::Plain(Credentials::Basic { user: user.to_owned(), password })),
    })
}

async fn run(mut command: Command, server: &str) -> io::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
    let mut child = command.spawn()?;
    let (Some(mut to), Some(from), Some(complaints)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    // A helper that needs no input may close it; its exit status says more than the broken pipe.
    let write = async move { drop(to.write_all(server.as_bytes()).await) };
    let ((), stdout, stderr) = tokio::join!(write, read(from, LONGEST_ANSWER), read(complaints, LONGEST_COMPLAINT));
    // What writes more than was read is ended by the closed pipe.
    Ok((child.wait().await?, stdout?, stderr?))
}

/// At most the first `limit` bytes.
async fn read(from: impl AsyncRead + Unpin, limit: u64) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    from.take(limit).read_to_end(&mut kept).await?;
    Ok(kept)
}
