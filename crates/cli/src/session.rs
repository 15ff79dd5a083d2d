use std::{
    env,
    io::{self, IsTerminal as _},
    path::PathBuf,
    sync::Arc,
};

use conveyor::{
    Account, DockerConfig, Error, Live, World,
    config::LedgerPlace,
    guarded_http::Credentials,
    ledger::{LedgerUrl, git},
    release::{Actor, ActorId, RunId},
};
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::time::Instant;

use crate::{flags::Common, progress::Progress};

/// The host whose Ledgers take the job's own token.
const AZURE: &str = "https://dev.azure.com/";

/// What a command works with: the Ledger that was named, the servers, the deadline. The process's environment is read
/// here and nowhere else; it gives credentials and ids, never a server.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) live: Live,
    pub(crate) ledger: Option<NamedLedger>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) deadline: Instant,
    pub(crate) run: RunId,
    release: Option<u64>,
    caller: Actor,
}

/// The Ledger of `--ledger` and `--branch`.
#[derive(Debug)]
pub(crate) struct NamedLedger {
    pub(crate) remote: git::Program,
    pub(crate) place: LedgerPlace,
}

impl Session {
    pub(crate) fn open(flags: &Common) -> Result<Self, Error> {
        let deadline = Instant::now() + flags.timeout.0;
        let named = flags.ledger.clone().or_else(|| variable("CONVEYOR_LEDGER").filter(|_| !on_an_agent()));
        let ledger = named.map(|url| NamedLedger::new(&url, flags)).transpose()?;
        let release = variable("RELEASE_RELEASEID")
            .map(|value| {
                let rule = "the release's number, as the agent sets it";
                value.parse().map_err(|_| Error::Variable { variable: "RELEASE_RELEASEID", value, rule })
            })
            .transpose()?;
        let progress = Arc::new(Progress::new(flags, on_an_agent(), has_bars()));
        let told = {
            let progress = Arc::clone(&progress);
            Arc::new(move |error: &_, pause| progress.repeated(error, pause))
        };
        Ok(Self {
            live: Live::new(DockerConfig::of_process(), azure_credentials(), deadline, told),
            ledger,
            progress,
            deadline,
            run: RunId::new(Timestamp::now().as_millisecond().unsigned_abs(), fastrand::u128(..)),
            release,
            caller: caller(),
        })
    }

    /// The Ledger that was named.
    pub(crate) fn ledger(&self) -> Result<&NamedLedger, Error> {
        self.ledger.as_ref().ok_or(Error::NoLedger)
    }

    /// The world of the sequences; `config` is a local conveyor.yaml for a dry run.
    pub(crate) fn world<'a>(&'a self, config: Option<&'a [u8]>) -> Result<World<'a>, Error> {
        let ledger = self.ledger()?;
        Ok(World {
            ledger: &ledger.remote,
            place: &ledger.place,
            connect: &self.live,
            config,
            observer: &*self.progress,
            now: &Timestamp::now,
            deadline: self.deadline,
            run: self.run,
            release: self.release,
            caller: &self.caller,
        })
    }
}

impl NamedLedger {
    pub(crate) fn new(url: &str, flags: &Common) -> Result<Self, Error> {
        let parsed: LedgerUrl = url.parse()?;
        let credentials = if url.starts_with(AZURE) { azure_credentials() } else { Credentials::Anonymous };
        // One run of git ends well before the command does, so that a server that hangs is named.
        let patient = git::Settings::default();
        let timeout = patient.timeout.min(flags.timeout.0 / 2);
        let settings = git::Settings { credentials, timeout, ..patient };
        let remote = git::Program::new(parsed.clone(), settings);
        Ok(Self { remote, place: LedgerPlace { url: parsed, branch: flags.branch.clone() } })
    }
}

/// A local conveyor.yaml, where one was named.
pub(crate) fn read(path: Option<&PathBuf>, account: &mut Account) -> Result<Option<Vec<u8>>, Error> {
    let Some(path) = path else { return Ok(None) };
    account.warnings.push(format!("{} stands in for the Ledger's conveyor.yaml in this dry run", path.display()));
    std::fs::read(path).map(Some).map_err(|source| Error::File { path: path.clone(), source })
}

/// Whether this is a step on an Azure DevOps agent, which reads what is written and obeys commands in it.
pub(crate) fn on_an_agent() -> bool {
    variable("TF_BUILD").is_some()
}

/// Whether stderr is a terminal on which lines can be drawn anew, and nobody asked for plain ones.
fn has_bars() -> bool {
    let plain = variable("NO_COLOR").is_some() || variable("TERM").is_none_or(|terminal| terminal == "dumb");
    io::stderr().is_terminal() && !plain
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn azure_credentials() -> Credentials {
    let secret = |name| variable(name).map(SecretString::from);
    secret("SYSTEM_ACCESSTOKEN")
        .map(Credentials::Bearer)
        .or_else(|| {
            let password = secret("AZURE_DEVOPS_EXT_PAT")?;
            Some(Credentials::Basic { user: String::new(), password })
        })
        .unwrap_or(Credentials::Anonymous)
}

/// Who says that he runs this; nobody vouches for it.
fn caller() -> Actor {
    let claimed = ["BUILD_REQUESTEDFOR", "USER", "LOGNAME"].into_iter().find_map(variable);
    let name: String = claimed.unwrap_or_default().chars().filter(|c| !c.is_control()).take(100).collect();
    let name = if name.trim().is_empty() { "unknown".to_owned() } else { name };
    Actor { id: ActorId::Claimed(name.clone()), name }
}
