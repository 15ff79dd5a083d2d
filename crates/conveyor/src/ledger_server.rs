use std::{io, path::Path, time::Duration};

use azure_devops::git::Repository;
use guarded_http::{Credentials, Limits, Origin};
use ledger::{Authorship, LedgerError, LedgerUrl, Remote, credentials_of_git, git, smart_http};
use tokio::time::Instant;

use crate::Error;

/// The git program: for what is not spoken in process, and for what it knows of its user.
const GIT: &str = "git";
/// How long the user's credential helpers may take.
const HELPERS: Duration = Duration::from_secs(30);
/// Where the job's own token goes.
const AZURE: &str = "https://dev.azure.com";

/// The Ledger's server, by the one way that is best for it.
#[derive(Debug)]
pub enum LedgerServer {
    /// A Git server over HTTP, in process.
    Http(Box<smart_http::Server>),
    /// Azure Repos, over REST.
    Azure(Box<Repository>),
    /// A folder, ssh or the git protocol, through the git program.
    Git(Box<git::Program>),
}

impl LedgerServer {
    /// Opens `https://dev.azure.com/ORGANIZATION/PROJECT/_git/REPOSITORY`, or the like on this machine, over REST; any
    /// other server of HTTP, and Azure DevOps where commits are to be signed, over Git's smart HTTP; the rest through
    /// the git program.
    pub(crate) async fn open(
        url: &LedgerUrl,
        authorship: Authorship,
        azure: &Credentials,
        limits: Limits,
    ) -> Result<Self, Error> {
        // One step ends well before the command does, so that a server that hangs is named.
        let patience = limits.deadline.saturating_duration_since(Instant::now()) / 2;
        let Some(origin) = url.origin() else {
            let usual = git::Settings::default();
            let timeout = usual.timeout.min(patience);
            let settings = git::Settings { authorship, timeout, ..usual };
            return Ok(Self::Git(Box::new(git::Program::new(url.clone(), settings))));
        };
        let credentials = credentials(url, &origin, azure, HELPERS.min(patience)).await?;
        let limits = Limits { connect: limits.connect.min(patience), stall: limits.stall.min(patience), ..limits };
        if authorship.signer.is_none() && is_azure(url, &origin) {
            return Ok(Self::Azure(Box::new(Repository::new(url, &credentials, limits)?)));
        }
        let settings = smart_http::Settings { authorship, credentials, limits };
        Ok(Self::Http(Box::new(smart_http::Server::new(url, settings)?)))
    }

    /// The server as all that reads and writes it sees it.
    #[must_use]
    pub fn remote(&self) -> &dyn Remote {
        match self {
            Self::Http(server) => &**server,
            Self::Azure(repository) => &**repository,
            Self::Git(program) => &**program,
        }
    }

    /// How many requests it got so far; none known where the git program makes them.
    #[must_use]
    pub fn requests(&self) -> Option<u64> {
        match self {
            Self::Http(server) => Some(server.requests()),
            Self::Azure(repository) => Some(repository.requests()),
            Self::Git(_) => None,
        }
    }
}

/// Whether it speaks the REST interface of Azure Repos. On this machine only a stand-in for it has such a path.
fn is_azure(url: &LedgerUrl, origin: &Origin) -> bool {
    origin.to_string() == AZURE || origin.is_loopback() && url.as_str().contains("/_git/")
}

async fn credentials(
    url: &LedgerUrl,
    origin: &Origin,
    azure: &Credentials,
    timeout: Duration,
) -> Result<Credentials, Error> {
    if origin.to_string() == AZURE && !matches!(azure, Credentials::Anonymous) {
        return Ok(azure.clone());
    }
    match credentials_of_git(url, Path::new(GIT), timeout).await {
        Ok(found) => Ok(found.unwrap_or(Credentials::Anonymous)),
        // Without git there are no helpers of its.
        Err(LedgerError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(Credentials::Anonymous),
        Err(error) => Err(error.into()),
    }
}
