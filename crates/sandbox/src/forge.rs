use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use azure_devops::memory;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use registry_copy::{InMemory, TagRule};
use release::Repository;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    RegistryOptions, RegistryServer, ReleaseServer, RequestLog,
    company::{APPS, ENVIRONMENTS, ORGANIZATION, PROJECT},
    files,
    git::{GitOptions, GitServer},
    repository::create_repository,
    server::Port,
};

/// The company: three registries, the Ledger and the release API. All of it ends with this value.
#[derive(Debug)]
pub struct Forge {
    registries: [RegistryServer; 3],
    releases: ReleaseServer,
    ledger: GitServer,
    ledger_url: String,
    credentials: Credentials,
    directory: TempDir,
}

/// What the servers want to hear. Made afresh for each [`Forge`].
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The registries' user.
    pub user: String,
    /// His password.
    pub password: String,
    /// The token of the release API and of a guarded Ledger: a Basic password with any user, or a Bearer token.
    pub token: String,
}

impl Forge {
    /// Starts all servers. Tags are immutable, the Ledger's tags are empty, and there are no builds and releases yet.
    ///
    /// # Errors
    /// When there is no port or no temporary directory to be had, or no git program that works.
    pub async fn start() -> io::Result<Self> {
        Self::start_with(|_| None).await
    }

    /// Like [`start`](Self::start), but the Ledger asks for [`Credentials::token`], to be read too.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn with_guarded_ledger() -> io::Result<Self> {
        Self::start_with(|credentials| Some(credentials.token.clone())).await
    }

    async fn start_with(ledger_token: impl FnOnce(&Credentials) -> Option<String>) -> io::Result<Self> {
        let credentials = Credentials::fresh();
        let directory = tempfile::Builder::new().prefix("forge-").tempdir()?;
        let [dev, qa, prod] = [registry(&credentials), registry(&credentials), registry(&credentials)];
        let registries = [dev.await?, qa.await?, prod.await?];
        let server = Arc::new(memory::Server::new(Timestamp::now));
        let releases = ReleaseServer::start(server, ORGANIZATION, PROJECT, &credentials.token).await?;

        let port = Port::bind().await?;
        let ledger_url = format!("{}/ledger.git", port.url());
        let authorities = registries.each_ref().map(RegistryServer::authority);
        let root = directory.path().join("git");
        let files = files::all(&ledger_url, &releases.url(), &authorities);
        create_repository(&root.join("ledger.git"), &files).await?;
        let options = GitOptions { token: ledger_token(&credentials), without_v2: false };
        let ledger = GitServer::on(port, &root, options).await?;

        let docker = directory.path().join("docker");
        tokio::fs::create_dir(&docker).await?;
        tokio::fs::write(docker.join("config.json"), credentials.docker_config(&authorities)).await?;
        Ok(Self { registries, releases, ledger, ledger_url, credentials, directory })
    }

    /// The registry of an environment, one of [`ENVIRONMENTS`].
    #[must_use]
    pub fn registry(&self, environment: &str) -> Option<&RegistryServer> {
        let known = ENVIRONMENTS.iter().zip(&self.registries).find(|(name, _)| **name == environment);
        known.map(|(_, registry)| registry)
    }

    /// The release API.
    #[must_use]
    pub fn releases(&self) -> &ReleaseServer {
        &self.releases
    }

    /// The Ledger's URL. Everybody may read it and push to it, if it is not [guarded](Self::with_guarded_ledger).
    #[must_use]
    pub fn ledger_url(&self) -> &str {
        &self.ledger_url
    }

    /// The Ledger's bare repository.
    #[must_use]
    pub fn ledger_dir(&self) -> PathBuf {
        self.directory.path().join("git/ledger.git")
    }

    /// What the Ledger's server was asked.
    #[must_use]
    pub fn ledger_log(&self) -> &RequestLog {
        self.ledger.log()
    }

    /// What the servers want to hear.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// A directory that nothing else uses, for a layout, say.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.directory.path()
    }

    /// The environment variables with which the binaries find all this.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        let docker = self.directory.path().join("docker");
        [
            ("CONVEYOR_LEDGER", self.ledger_url.clone()),
            ("DOCKER_CONFIG", docker.display().to_string()),
            ("SYSTEM_ACCESSTOKEN", self.credentials.token.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

async fn registry(credentials: &Credentials) -> io::Result<RegistryServer> {
    let memory = InMemory::new();
    for app in APPS {
        let repository: Repository = app.repository.parse().map_err(io::Error::other)?;
        memory.create(&repository, TagRule::Immutable);
    }
    RegistryServer::start(memory, RegistryOptions::for_user(&credentials.user, &credentials.password)).await
}

impl Credentials {
    fn fresh() -> Self {
        let secret = || std::iter::repeat_with(fastrand::alphanumeric).take(32).collect();
        Self { user: "conveyor".to_owned(), password: secret(), token: secret() }
    }

    /// A file as `docker login` writes it.
    fn docker_config(&self, registries: &[String]) -> String {
        let auth = BASE64_STANDARD.encode(format!("{}:{}", self.user, self.password));
        let auths: serde_json::Map<_, _> =
            registries.iter().map(|registry| (registry.clone(), json!({ "auth": auth }))).collect();
        json!({ "auths": auths }).to_string()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}
