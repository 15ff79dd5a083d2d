use std::{
    env,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use conveyor::{
    Account, DockerConfig, Error, LedgerServer, Live, World,
    config::LedgerPlace,
    guarded_http::Credentials,
    ledger::{Authorship, Identity, Signer},
    release::{Actor, ActorId, RunId},
};
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::{sync::OnceCell, time::Instant};

use crate::{flags::Common, progress::Progress};

/// How long git's configuration may take to be read, and a key to sign.
const SIGNER: Duration = Duration::from_secs(60);

/// What a command works with: the Ledger that was named, the servers, the deadline. The process's environment is read
/// here and nowhere else; it gives credentials and ids, never a server.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) live: Live,
    /// The one repository that the command works with: of `--repo`, else of `--ledger`; and `--branch`.
    pub(crate) place: Option<LedgerPlace>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) deadline: Instant,
    pub(crate) run: RunId,
    release: Option<u64>,
    caller: Actor,
    /// Whether commits are to be signed.
    signs: bool,
    /// The server of `place`.
    ledger: OnceCell<LedgerServer>,
}

impl Session {
    pub(crate) fn open(flags: &Common, repository: Option<&str>, signs: bool) -> Result<Self, Error> {
        let deadline = Instant::now() + flags.timeout.0;
        let named = repository.map(str::to_owned).or_else(|| flags.ledger.clone());
        let named = named.or_else(|| variable("CONVEYOR_LEDGER").filter(|_| !on_an_agent()));
        let place = |url: String| Ok::<_, Error>(LedgerPlace { url: url.parse()?, branch: flags.branch.clone() });
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
            place: named.map(place).transpose()?,
            progress,
            deadline,
            run: RunId::new(Timestamp::now().as_millisecond().unsigned_abs(), fastrand::u128(..)),
            release,
            caller: caller(),
            signs,
            ledger: OnceCell::new(),
        })
    }

    /// The server of the repository that this command works with, and the branch.
    pub(crate) async fn ledger(&self) -> Result<(&LedgerServer, &LedgerPlace), Error> {
        let place = self.place.as_ref().ok_or(Error::NoLedger)?;
        let server = self
            .ledger
            .get_or_try_init(async || {
                let signer = match self.signs {
                    true => Some(Signer::of_git(Path::new("git"), SIGNER).await?),
                    false => None,
                };
                let [author, committer] = ["GIT_AUTHOR", "GIT_COMMITTER"].map(identity);
                self.live.ledger(&place.url, Authorship { author: author?, committer: committer?, signer }).await
            })
            .await?;
        Ok((server, place))
    }

    /// How many requests that repository's server got so far; none known where the git program makes them.
    pub(crate) fn ledger_requests(&self) -> Option<u64> {
        self.ledger.get().map_or(Some(0), LedgerServer::requests)
    }

    /// The world of the sequences; `config` is a local conveyor.yaml for a dry run.
    pub(crate) async fn world<'a>(&'a self, config: Option<&'a [u8]>) -> Result<World<'a>, Error> {
        let (ledger, place) = self.ledger().await?;
        Ok(World {
            ledger: ledger.remote(),
            place,
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

/// The author or committer whose name and address these variables hold, as git takes them; else Conveyor's.
fn identity(whose: &'static str) -> Result<Identity, Error> {
    let usual = Identity::default();
    let part = |variable: &str, usual: &str| self::variable(variable).unwrap_or_else(|| usual.to_owned());
    let name = part(&format!("{whose}_NAME"), usual.name());
    let email = part(&format!("{whose}_EMAIL"), usual.email());
    Ok(Identity::new(&name, &email)?)
}

/// Who says that he runs this; nobody vouches for it.
fn caller() -> Actor {
    let claimed = ["BUILD_REQUESTEDFOR", "USER", "LOGNAME"].into_iter().find_map(variable);
    let name: String = claimed.unwrap_or_default().chars().filter(|c| !c.is_control()).take(100).collect();
    let name = if name.trim().is_empty() { "unknown".to_owned() } else { name };
    Actor { id: ActorId::Claimed(name.clone()), name }
}
