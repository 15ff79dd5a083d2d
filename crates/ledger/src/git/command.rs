use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, copy, sink},
    process::{Child, Command},
    time::timeout,
};

use super::Settings;
use crate::{LedgerError, LedgerUrl};

/// The most that one run may print: enough for a hundred files at their limit.
const LONGEST_OUTPUT: u64 = 128 << 20;
const LONGEST_COMPLAINT: u64 = 16 << 10;

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

/// What a run said.
pub(super) struct Output {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
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
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        let mut running = Running::new(command.spawn().map_err(|source| LedgerError::Io { operation, source })?);
        let child = &mut running.child;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut to), Some(from), Some(complaints)) = pipes else {
            return Err(LedgerError::Garbled { operation });
        };
        let write = async move {
            // A git that fails early closes its input; its exit status says more than the broken pipe.
            drop(to.write_all(stdin).await);
        };
        let ended = timeout(self.timeout, async {
            let (from, complaints) = (read(from, LONGEST_OUTPUT), read(complaints, LONGEST_COMPLAINT));
            let ((), stdout, stderr) = tokio::join!(write, from, complaints);
            Ok((running.child.wait().await?, stdout?, stderr?))
        });
        let (status, (stdout, rest), (stderr, _)) = match ended.await {
            Ok(ended) => ended.map_err(|source| LedgerError::Interrupted { operation, source })?,
            Err(_) => return Err(LedgerError::TimedOut { operation, after: self.timeout }),
        };
        running.ended();
        if rest > 0 {
            return Err(LedgerError::Garbled { operation });
        }
        Ok(Output { status, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() })
    }
}

/// A child and its own children, all of which end with it.
struct Running {
    child: Child,
    group: Option<Pid>,
}

impl Running {
    fn new(child: Child) -> Self {
        let group = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        Self { child, group }
    }

    fn ended(&mut self) {
        self.group = None;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // The group may be gone already; there is nobody to tell.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// The first `limit` bytes, and how many came after them.
async fn read(mut from: impl AsyncRead + Unpin, limit: u64) -> std::io::Result<(Vec<u8>, u64)> {
    let mut kept = Vec::new();
    (&mut from).take(limit).read_to_end(&mut kept).await?;
    let rest = copy(&mut from, &mut sink()).await?;
    Ok((kept, rest))
}

fn environment(store: &Path, url: &LedgerUrl, settings: &Settings) -> Result<Vec<(OsString, OsString)>, LedgerError> {
    let inherited = ["PATH", "TMPDIR"].into_iter().filter_map(|key| Some((key.into(), env::var_os(key)?)));
    let mut environment: Vec<(OsString, OsString)> = inherited.collect();
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
    environment.extend([("GIT_DIR".into(), store.into()), ("HOME".into(), store.into())]);
    Ok(environment)
}
