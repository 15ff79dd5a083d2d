use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use aws::Access;
use azure_devops::AzureDevOps;
use jiff::Timestamp;
use ledger::Remote;
use registry_copy::Registry;
use release::{Actor, Authority, Repository, RunId};
use tokio::time::Instant;

use crate::{
    Error,
    config::{self, EnvironmentConfig, LedgerPlace},
};

/// What a sequence works with: the root of trust, the way to the servers that its conveyor.yaml names, and the clock.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The Ledger's server.
    pub ledger: &'a dyn Remote,
    /// The repository and branch that were named on the command line; conveyor.yaml must name the same.
    pub place: &'a LedgerPlace,
    /// Opens the servers that conveyor.yaml names.
    pub connect: &'a dyn Connect,
    /// A local conveyor.yaml instead of the Ledger's; nothing is written then.
    pub config: Option<&'a [u8]>,
    /// Sees how it goes on.
    pub observer: &'a dyn Observer,
    /// The time of day, for the record and for permits.
    pub now: &'a (dyn Fn() -> Timestamp + Send + Sync),
    /// When to give up.
    pub deadline: Instant,
    /// The name of this run.
    pub run: RunId,
    /// The id of the Azure DevOps release that asks, as the agent has it; everything else about it is fetched.
    pub release: Option<u64>,
    /// Who runs this, where no server vouches for somebody.
    pub caller: &'a Actor,
}

impl fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("place", self.place).field("run", &self.run).finish_non_exhaustive()
    }
}

/// Sees how a sequence goes on: the copies, and what is tried again. `()` sees nothing.
pub trait Observer: registry_copy::Observer {
    /// After this failure the sequence begins again, in `pause`.
    fn again(&self, because: &Error, pause: Duration) {
        let _ = (because, pause);
    }
}

impl Observer for () {}

/// Opens servers. Each gets its own credentials and no others.
#[async_trait]
pub trait Connect: Send + Sync {
    /// The registry of an environment that changes, under that environment's `role`: written only where `access` says
    /// so.
    ///
    /// # Errors
    /// Credentials that cannot be read.
    async fn registry(&self, environment: &EnvironmentConfig, access: Access) -> Result<Arc<dyn Registry>, Error>;

    /// The registry of the environment before `target`, to be read: under its own `pull_role` where it has one, else
    /// under the target's `role`, which the source repository's policy must let in.
    ///
    /// # Errors
    /// Credentials that cannot be read.
    async fn source(&self, source: &EnvironmentConfig, target: &EnvironmentConfig) -> Result<Arc<dyn Registry>, Error>;

    /// A registry that no environment names, for a copy from or to one of its repositories: credentials may be for that
    /// one alone. One that is opened twice for the same is one, which blobs can be mounted in.
    ///
    /// # Errors
    /// Credentials that cannot be read.
    async fn other_registry(
        &self,
        authority: &Authority,
        repository: &Repository,
        access: Access,
    ) -> Result<Arc<dyn Registry>, Error>;

    /// The Azure DevOps project.
    ///
    /// # Errors
    /// Credentials that cannot be read.
    fn azure_devops(&self, project: &config::AzureDevOps) -> Result<Arc<dyn AzureDevOps>, Error>;
}
