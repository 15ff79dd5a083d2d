//! Credentials for registries, where docker, podman and crane keep them.

mod file;
mod helper;
#[cfg(test)]
mod tests;

pub use self::helper::HelperError;

use std::{env, fmt, path::PathBuf};

use guarded_http::{Credentials, shown};
use release::{Authority, Repository};
use secrecy::SecretString;

use self::file::File;
use crate::Error;

/// The configuration files of docker and podman, and the credential helpers that they name.
#[derive(Debug, Clone, Default)]
pub struct DockerConfig {
    /// The first that knows a registry counts.
    files: Vec<PathBuf>,
    /// The variable that names the file, where one does.
    named_by: Option<&'static str>,
    helpers: helper::Surroundings,
}

/// Who to be for a registry, and where that was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// The file and its entry.
    pub(crate) entry: String,
    pub(crate) login: Login,
}

/// Who a registry is asked as.
pub(crate) enum Login {
    /// Nobody in particular, or a user and a password.
    Plain(Credentials),
    /// Whoever this refresh token is of: tokens are asked for with it.
    Identity(SecretString),
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(credentials) => credentials.fmt(f),
            Self::Identity(_) => f.write_str("Identity(…)"),
        }
    }
}

impl DockerConfig {
    /// The files that the process's environment names, in the order of podman: `REGISTRY_AUTH_FILE` alone, or the
    /// `config.json` of `DOCKER_CONFIG` alone; else podman's own for this session and for this user, then docker's.
    ///
    /// Helpers are looked up on its `PATH` and get what helpers need of it.
    #[must_use]
    pub fn of_process() -> Self {
        let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        const NAMES: [&str; 2] = ["REGISTRY_AUTH_FILE", "DOCKER_CONFIG"];
        let named = NAMES.map(folder);
        let named_by = std::iter::zip(NAMES, &named).find_map(|(name, path)| path.as_ref().map(|_| name));
        let files = match named {
            [Some(file), _] => vec![file],
            [None, Some(folder)] => vec![folder.join("config.json")],
            [None, None] => {
                let home = folder("HOME");
                let below_home = |path: &str| home.as_ref().map(|home| home.join(path));
                let session = folder("XDG_RUNTIME_DIR");
                let user = folder("XDG_CONFIG_HOME").or_else(|| below_home(".config"));
                let podman = [session, user].into_iter().flatten().map(|folder| folder.join("containers/auth.json"));
                podman.chain(below_home(".docker/config.json")).collect()
            }
        };
        Self { files, named_by, helpers: helper::Surroundings::of_process() }
    }

    /// What is wrong with a file that the environment names: it is not there, so that nobody is logged in.
    pub(crate) fn warning(&self) -> Option<String> {
        let (variable, path) = (self.named_by?, self.files.first()?);
        let missing = path.try_exists().is_ok_and(|exists| !exists);
        missing
            .then(|| format!("{variable} names {}, which is not there: registries get no credentials", path.display()))
    }

    /// Who to be for a repository of a registry, or for the registry as a whole. Nobody in particular where no file
    /// knows it; a helper is asked only for a registry that it keeps.
    pub(crate) async fn login(
        &self,
        registry: &Authority,
        repository: Option<&Repository>,
    ) -> Result<Option<Found>, Error> {
        for path in &self.files {
            let Some(file) = File::read(path)? else { continue };
            let found = |key: &str, login| Found { entry: format!("{}: {key}", path.display()), login };
            let helper = file.helper(registry);
            if let Some((name, server)) = &helper {
                let answer = helper::ask(name, server, &self.helpers).await;
                let failed =
                    |source| Error::Helper { registry: registry.clone(), helper: shown(name.as_bytes()), source };
                if let Some(login) = answer.map_err(failed)? {
                    return Ok(Some(found(name, login)));
                }
            }
            match file.entry(registry, repository) {
                // What stands there while a helper keeps the rest.
                Some((_, auth)) if helper.is_some() && auth.is_empty() => {}
                Some((key, auth)) => return Ok(Some(found(key, auth.login(path, key)?))),
                None => {}
            }
        }
        Ok(None)
    }
}
