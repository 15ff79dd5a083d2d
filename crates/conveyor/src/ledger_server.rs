use std::{path::Path, sync::Arc, time::Duration};

use azure_devops::git::Repository;
use guarded_http::{Credentials, Limits, Origin};
use ledger::{Authorship, CredentialHelpers, LedgerUrl, Remote, credentials_of_git, git, smart_http};
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
        let limits = Limits { connect: limits.connect.min(patience), stall: limits.stall.min(patience), ..limits };
        let (git, timeout) = (Path::new(GIT), HELPERS.min(patience));
        let known = (origin.to_string() == AZURE && !matches!(azure, Credentials::Anonymous)).then(|| azure.clone());
        if authorship.signer.is_none() && is_azure(url, &origin) {
            // Azure DevOps may answer with a page to sign in at instead of asking who is there.
            let credentials = match known {
                Some(known) => known,
                None => credentials_of_git(url, git, timeout).await?.unwrap_or(Credentials::Anonymous),
            };
            return Ok(Self::Azure(Box::new(Repository::new(url, &credentials, limits)?)));
        }
        Ok(Self::Http(Box::new(match known {
            Some(credentials) => {
                smart_http::Server::new(url, smart_http::Settings { authorship, credentials, limits })?
            }
            None => {
                let helpers = Arc::new(CredentialHelpers::new(url, git, timeout));
                smart_http::Server::authorized_by(url, helpers, authorship, limits)?
            }
        })))
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
