use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use aws::{Access, Ecr, EcrPlace, Identity, RoleArn};
use azure_devops::{AzureDevOps, http::Server};
use guarded_http::{Credentials, Limits, Origin, Told};
use ledger::{Authorship, LedgerUrl};
use registry_copy::{Registry, http::HttpRegistry};
use release::{Authority, Repository};
use tokio::time::Instant;

use crate::{
    Connect, Error, LedgerServer,
    config::{self, Aws, EnvironmentConfig},
    docker_config::{DockerConfig, Found, Login},
    ecr,
};

/// Opens real servers over HTTP.
pub struct Live {
    docker: DockerConfig,
    azure: Credentials,
    limits: Limits,
    told: Told,
    opened: Mutex<Vec<Opened>>,
}

/// A registry, and as who and for what it was opened.
#[derive(Clone)]
struct Opened {
    way: Way,
    /// The entry of a docker configuration that it was opened with.
    entry: Option<String>,
    client: Client,
}

/// What leads to one registry: what is equal is opened once.
#[derive(Clone, PartialEq, Eq)]
enum Way {
    Docker(Docker),
    Aws(Box<Identity>, EcrPlace, Access),
}

/// A registry as the docker configuration says.
#[derive(Clone, PartialEq, Eq)]
struct Docker {
    authority: Authority,
    /// Named where the registry is no environment's.
    part: Option<Part>,
    token_hosts: Vec<Origin>,
}

/// A part of a registry: entries may be for one alone.
#[derive(Clone, PartialEq, Eq)]
struct Part {
    repository: Repository,
    /// What is done to it, if it is an ECR.
    access: Access,
}

#[derive(Clone)]
enum Client {
    Http(Arc<HttpRegistry>),
    Ecr(Arc<Ecr>),
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("docker", &self.docker).field("azure", &self.azure).finish_non_exhaustive()
    }
}

impl Live {
    /// Registries get the credentials that `docker` has for them, and ECRs those of this process in AWS; the Azure
    /// DevOps project gets `azure`. No request outlives `deadline`, and `told` hears of each that is sent again.
    #[must_use]
    pub fn new(docker: DockerConfig, azure: Credentials, deadline: Instant, told: Told) -> Self {
        let limits = Limits { connect: Duration::from_secs(10), stall: Duration::from_secs(30), deadline };
        Self { docker, azure, limits, told, opened: Mutex::default() }
    }

    /// How many requests a registry got so far, those to AWS's APIs about it included.
    #[must_use]
    pub fn requests(&self, registry: &Authority) -> u64 {
        let opened = self.opened();
        let clients = opened.iter().filter(|opened| opened.way.authority() == registry).map(|opened| &opened.client);
        let mut distinct: Vec<&Client> = Vec::new();
        for client in clients {
            if !distinct.iter().any(|other| other.is(client)) {
                distinct.push(client);
            }
        }
        distinct.into_iter().map(Client::requests).sum()
    }

    /// The Ledger at `url`. What it is told depends on who serves it: Azure DevOps hears this process's own credentials
    /// for that, others what the user's git credential helpers have for them.
    ///
    /// # Errors
    /// A URL that is none of the server's, helpers that hang, and credentials that cannot be sent.
    pub async fn ledger(&self, url: &LedgerUrl, authorship: Authorship) -> Result<LedgerServer, Error> {
        LedgerServer::open(url, authorship, &self.azure, self.limits).await
    }

    /// That the file which the environment names as docker's configuration is not there, once a registry was opened as
    /// nobody in particular for want of it.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let as_nobody = |opened: &Opened| opened.entry.is_none() && matches!(opened.client, Client::Http(_));
        let wanted = self.opened().iter().any(as_nobody);
        self.docker.warning().filter(|_| wanted)
    }

    fn opened(&self) -> MutexGuard<'_, Vec<Opened>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn open(&self, way: Way) -> Result<Arc<dyn Registry>, Error> {
        if let Some(opened) = self.opened().iter().find(|opened| opened.way == way) {
            return Ok(opened.client.registry());
        }
        let (client, entry) = match &way {
            Way::Docker(docker) => {
                let repository = docker.part.as_ref().map(|part| &part.repository);
                let found = self.docker.login(&docker.authority, repository).await?;
                let entry = found.as_ref().map(|found| found.entry.clone());
                let shared = self.opened().iter().find(|opened| opened.is_as(docker, &entry)).cloned();
                let client = match shared {
                    Some(opened) => opened.client,
                    None => self.as_found(docker, found)?,
                };
                (client, entry)
            }
            Way::Aws(identity, place, access) => (self.ecr(Identity::clone(identity), place.clone(), *access)?, None),
        };
        let registry = client.registry();
        self.opened().push(Opened { way, entry, client });
        Ok(registry)
    }

    fn as_found(&self, docker: &Docker, found: Option<Found>) -> Result<Client, Error> {
        let (credentials, identity) = match found.map(|found| found.login) {
            None => {
                let access = docker.access();
                if let (Some(access), Some((identity, place))) = (access, ecr::by_name(&docker.authority)) {
                    return self.ecr(identity, place, access);
                }
                (Credentials::Anonymous, None)
            }
            Some(Login::Plain(credentials)) => (credentials, None),
            Some(Login::Identity(token)) => (Credentials::Anonymous, Some(token)),
        };
        let failed = |source| Error::RawRegistry { registry: docker.authority.to_string(), source };
        let mut registry = HttpRegistry::new(&docker.authority, &credentials, self.limits)
            .map_err(failed)?
            .with_token_hosts(docker.token_hosts.clone())
            .telling(Arc::clone(&self.told));
        if let Some(token) = identity {
            registry = registry.with_identity_token(token);
        }
        if docker.part.is_none() {
            registry = registry.without_referrers_tag();
        }
        Ok(Client::Http(Arc::new(registry)))
    }

    fn ecr(&self, identity: Identity, place: EcrPlace, access: Access) -> Result<Client, Error> {
        let registry = place.authority.clone();
        let ecr = Ecr::new(identity, place, access, self.limits);
        let ecr = ecr.map_err(|source| Error::Aws { registry, source })?;
        Ok(Client::Ecr(Arc::new(ecr.telling(Arc::clone(&self.told)))))
    }
}

impl Way {
    /// To an environment's registry: as `reader` where it is an ECR.
    fn to(environment: &EnvironmentConfig, access: Access, reader: impl FnOnce(&Aws) -> Identity) -> Self {
        let authority = environment.registry.clone();
        match &environment.aws {
            Some(aws) => {
                let place = EcrPlace { account: aws.account.clone(), region: aws.region.clone(), authority };
                Self::Aws(Box::new(reader(aws)), place, access)
            }
            None => Self::Docker(Docker { authority, part: None, token_hosts: environment.token_hosts.clone() }),
        }
    }

    fn authority(&self) -> &Authority {
        match self {
            Self::Docker(docker) => &docker.authority,
            Self::Aws(_, place, _) => &place.authority,
        }
    }
}

impl Docker {
    fn access(&self) -> Option<Access> {
        self.part.as_ref().map(|part| part.access)
    }
}

impl Opened {
    /// Whether another part of this registry, found with the same entry, was opened.
    fn is_as(&self, docker: &Docker, entry: &Option<String>) -> bool {
        let Way::Docker(other) = &self.way else { return false };
        other.authority == docker.authority && other.access() == docker.access() && self.entry == *entry
    }
}

impl Client {
    fn registry(&self) -> Arc<dyn Registry> {
        match self {
            Self::Http(registry) => Arc::<HttpRegistry>::clone(registry),
            Self::Ecr(registry) => Arc::<Ecr>::clone(registry),
        }
    }

    fn requests(&self) -> u64 {
        match self {
            Self::Http(registry) => registry.requests(),
            Self::Ecr(registry) => registry.requests(),
        }
    }

    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Http(one), Self::Http(other)) => Arc::ptr_eq(one, other),
            (Self::Ecr(one), Self::Ecr(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

fn identity(aws: &Aws, role: Option<&RoleArn>) -> Identity {
    let Aws { account, region, endpoints, .. } = aws.clone();
    Identity { role: role.cloned(), account, region, endpoints }
}

#[async_trait]
impl Connect for Live {
    async fn registry(&self, environment: &EnvironmentConfig, access: Access) -> Result<Arc<dyn Registry>, Error> {
        self.open(Way::to(environment, access, |aws| identity(aws, aws.role.as_ref()))).await
    }

    async fn source(&self, source: &EnvironmentConfig, target: &EnvironmentConfig) -> Result<Arc<dyn Registry>, Error> {
        let reader = |aws: &Aws| match (&aws.pull_role, &target.aws) {
            (Some(role), _) => identity(aws, Some(role)),
            (None, Some(target)) => identity(target, target.role.as_ref()),
            // A target outside AWS has no role to read under.
            (None, None) => identity(aws, aws.role.as_ref()),
        };
        self.open(Way::to(source, Access::Read, reader)).await
    }

    async fn other_registry(
        &self,
        authority: &Authority,
        repository: &Repository,
        access: Access,
    ) -> Result<Arc<dyn Registry>, Error> {
        let part = Some(Part { repository: repository.clone(), access });
        self.open(Way::Docker(Docker { authority: authority.clone(), part, token_hosts: Vec::new() })).await
    }

    fn azure_devops(&self, project: &config::AzureDevOps) -> Result<Arc<dyn AzureDevOps>, Error> {
        let config::AzureDevOps { organization, project, url } = project;
        Ok(Arc::new(Server::new(organization, project, url.as_ref(), &self.azure, self.limits)?))
    }
}
