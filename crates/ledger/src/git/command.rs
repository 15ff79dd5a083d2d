use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::process::Command;

use super::Settings;
use crate::{
    LedgerError, LedgerUrl,
    child::{self, Output},
};

/// The git program with its surroundings: nothing of ours but what is listed here.
#[derive(Debug)]
pub(super) struct Git {
    program: PathBuf,
    environment: Environment,
    timeout: Duration,
}

/// May hold a credential, so it has no derived Debug.
struct Environment(Vec<(OsString, OsString)>);

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(key, _)| key)).finish()
    }
}

impl Git {
    pub(super) fn new(store: &Path, url: &LedgerUrl, settings: &Settings) -> Result<Self, LedgerError> {
        let environment = Environment(environment(store, url, settings)?);
        Ok(Self { program: settings.program.clone(), environment, timeout: settings.timeout })
    }

    /// Runs git to its end, whatever its exit status.
    pub(super) async fn run(
        &self,
        operation: &'static str,
        arguments: &[&str],
        stdin: &[u8],
    ) -> Result<Output, LedgerError> {
        let mut command = Command::new(&self.program);
        command.args(arguments).env_clear().envs(self.environment.0.iter().map(|(key, value)| (key, value)));
        let ran = child::run(&mut command, stdin, self.timeout).await;
        ran.map_err(|failure| failure.of_git(operation, self.timeout))
    }
}

fn environment(store: &Path, url: &LedgerUrl, settings: &Settings) -> Result<Vec<(OsString, OsString)>, LedgerError> {
    let mut environment: Vec<(OsString, OsString)> = inherited(&["PATH", "TMPDIR"]).collect();
    let null = "/dev/null";
    let mut set = |key: &str, value: &str| environment.push((key.into(), value.into()));
    set("LC_ALL", "C");
    set("GIT_CONFIG_NOSYSTEM", "1");
    set("GIT_CONFIG_GLOBAL", null);
    set("GIT_ATTR_NOSYSTEM", "1");
    set("GIT_NO_REPLACE_OBJECTS", "1");
    set("GIT_ALLOW_PROTOCOL", url.scheme());
    set("GIT_TERMINAL_PROMPT", "0");
    let seconds = settings.timeout.as_secs().max(1).to_string();
    let mut configuration = vec![
        ("core.hooksPath".to_owned(), null.to_owned()),
        ("credential.helper".to_owned(), String::new()),
        ("http.followRedirects".to_owned(), "false".to_owned()),
        ("http.lowSpeedLimit".to_owned(), "1".to_owned()),
        ("http.lowSpeedTime".to_owned(), seconds),
        ("gc.auto".to_owned(), "0".to_owned()),
        ("maintenance.auto".to_owned(), "false".to_owned()),
        ("protocol.ext.allow".to_owned(), "never".to_owned()),
    ];
    if let Some(origin) = url.origin() {
        let authorization = settings.credentials.header().map_err(|source| LedgerError::Credentials { source })?;
        let header = authorization.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let setting = |value| (format!("http.{origin}/.extraHeader"), format!("Authorization: {value}"));
        configuration.extend(header.map(setting));
    }
    // By the environment and not by `-c`: other users of the machine can read a program's arguments.
    set("GIT_CONFIG_COUNT", &configuration.len().to_string());
    for (index, (key, value)) in configuration.iter().enumerate() {
        set(&format!("GIT_CONFIG_KEY_{index}"), key);
        set(&format!("GIT_CONFIG_VALUE_{index}"), value);
    }
    environment.push(("GIT_DIR".into(), store.into()));
    if url.scheme() == "ssh" {
        // Its keys, agent and known hosts are the user's, and so are the programs that its configuration may name.
        environment.push(("GIT_SSH_COMMAND".into(), "ssh -oBatchMode=yes".into()));
        environment.push(("GIT_SSH_VARIANT".into(), "ssh".into()));
        environment.extend(inherited(&["HOME", "SSH_AUTH_SOCK"]));
    } else {
        environment.push(("HOME".into(), store.into()));
    }
    Ok(environment)
}

fn inherited(names: &[&str]) -> impl Iterator<Item = (OsString, OsString)> {
    names.iter().filter_map(|name| Some((name.into(), env::var_os(name)?)))
}
