use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use azure_devops::{AzureDevOps, http::Server};
use guarded_http::{Credentials, Limits};
use registry_copy::{Registry, http::HttpRegistry};
use release::Authority;
use tokio::time::Instant;

use crate::{
    Connect, Error,
    config::{self, EnvironmentConfig},
    docker_config,
};

/// Opens real servers over HTTP.
#[derive(Debug)]
pub struct Live {
    docker_config: Option<PathBuf>,
    azure: Credentials,
    limits: Limits,
    registries: Mutex<BTreeMap<Authority, Arc<HttpRegistry>>>,
}

impl Live {
    /// Registries get the credentials that the file `docker_config` has for them, the Azure DevOps project gets
    /// `azure`; no request outlives `deadline`.
    #[must_use]
    pub fn new(docker_config: Option<PathBuf>, azure: Credentials, deadline: Instant) -> Self {
        let limits = Limits { connect: Duration::from_secs(10), stall: Duration::from_secs(30), deadline };
        Self { docker_config, azure, limits, registries: Mutex::default() }
    }

    /// How many requests a registry got so far.
    #[must_use]
    pub fn requests(&self, registry: &Authority) -> u64 {
        let registries = self.registries.lock().unwrap_or_else(PoisonError::into_inner);
        registries.get(registry).map_or(0, |registry| registry.requests())
    }
}

#[async_trait]
impl Connect for Live {
    async fn registry(&self, environment: &EnvironmentConfig) -> Result<Arc<dyn Registry>, Error> {
        self.other_registry(&environment.registry).await
    }

    async fn source(&self, source: &EnvironmentConfig, _: &EnvironmentConfig) -> Result<Arc<dyn Registry>, Error> {
        self.other_registry(&source.registry).await
    }

    async fn other_registry(&self, authority: &Authority) -> Result<Arc<dyn Registry>, Error> {
        let mut registries = self.registries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(registry) = registries.get(authority) {
            return Ok(Arc::<HttpRegistry>::clone(registry));
        }
        let credentials = match &self.docker_config {
            Some(file) => docker_config::credentials(file, authority)?,
            None => Credentials::Anonymous,
        };
        let registry = HttpRegistry::new(authority, &credentials, self.limits)
            .map_err(|source| Error::RawRegistry { registry: authority.to_string(), source })?;
        let registry = Arc::new(registry);
        registries.insert(authority.clone(), Arc::clone(&registry));
        Ok(registry)
    }

    fn azure_devops(&self, project: &config::AzureDevOps) -> Result<Arc<dyn AzureDevOps>, Error> {
        let config::AzureDevOps { organization, project, url } = project;
        Ok(Arc::new(Server::new(organization, project, url.as_ref(), &self.azure, self.limits)?))
    }
}
