use std::{collections::BTreeMap, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use guarded_http::Credentials;
use release::{Authority, Repository};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::Login;
use crate::Error;

/// How docker names Docker Hub, in its files and to its helpers.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// What a configuration file says about registries.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct File {
    #[serde(default)]
    auths: Option<BTreeMap<String, Auth>>,
    #[serde(default)]
    cred_helpers: Option<BTreeMap<String, String>>,
    creds_store: Option<String>,
}

/// What a file has for one registry, or one part of it.
#[derive(Deserialize)]
pub(super) struct Auth {
    auth: Option<SecretString>,
    username: Option<String>,
    password: Option<SecretString>,
    identitytoken: Option<SecretString>,
    registrytoken: Option<SecretString>,
}

impl File {
    /// The file; none where there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, Error> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(path, error.to_string())),
        };
        if text.trim_ascii().is_empty() {
            return Ok(None);
        }
        // serde_json's messages show positions, never the text.
        let parsed = serde_json::from_slice(&text).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            unreadable(path, format!("not a docker configuration ({place})"))
        })?;
        Ok(Some(parsed))
    }

    /// The helper that keeps a registry's credentials, and what it calls the registry.
    pub(super) fn helper(&self, registry: &Authority) -> Option<(&str, String)> {
        let own = self.cred_helpers.iter().flatten().find(|(key, _)| {
            Key::parse(key).is_some_and(|key| key.path.is_empty() && key.registry == canonical(registry.clone()))
        });
        let name = own.map(|(_, name)| name).or(self.creds_store.as_ref().filter(|name| !name.is_empty()))?;
        let is_hub = canonical(registry.clone()).host() == "docker.io";
        Some((name, if is_hub { DOCKER_HUB.to_owned() } else { registry.to_string() }))
    }

    /// The entry that is the most specific for a repository of a registry, with its key.
    pub(super) fn entry(&self, registry: &Authority, repository: Option<&Repository>) -> Option<(&str, &Auth)> {
        let registry = canonical(registry.clone());
        let repository = repository.map(Repository::as_str).unwrap_or_default();
        let covers = |path: &str| {
            let rest = repository.strip_prefix(path);
            path.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let entries = self.auths.iter().flatten().filter_map(|(text, auth)| {
            let key = Key::parse(text).filter(|key| key.registry == registry && covers(key.path))?;
            Some((key.path.len(), text.as_str(), auth))
        });
        entries.max_by_key(|(specific, ..)| *specific).map(|(_, text, auth)| (text, auth))
    }
}

/// The name of an entry: a registry, and with podman perhaps a path of repositories in it.
struct Key<'a> {
    registry: Authority,
    path: &'a str,
}

impl<'a> Key<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let bare = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let rest = bare.unwrap_or(text).trim_end_matches('/');
        let (registry, path) = rest.split_once('/').unwrap_or((rest, ""));
        // As a URL it is docker's, whose path is the protocol's version.
        let path = match (bare, path) {
            (None, path) => path,
            (Some(_), "" | "v1" | "v2") => "",
            (Some(_), _) => return None,
        };
        Some(Self { registry: canonical(registry.parse().ok()?), path })
    }
}

/// A registry under the one of its names that is kept.
fn canonical(registry: Authority) -> Authority {
    match registry.host() {
        "index.docker.io" => "docker.io".parse().unwrap_or(registry),
        _ => registry,
    }
}

impl Auth {
    /// Whether nothing stands there, as where a helper keeps it all.
    pub(super) fn is_empty(&self) -> bool {
        let secrets = [&self.auth, &self.password, &self.identitytoken, &self.registrytoken];
        self.username.is_none() && secrets.iter().all(|secret| secret.is_none())
    }

    pub(super) fn login(&self, path: &Path, key: &str) -> Result<Login, Error> {
        if let Some(token) = self.identitytoken.as_ref().filter(|token| !token.expose_secret().is_empty()) {
            return Ok(Login::Identity(token.clone()));
        }
        let token = self.registrytoken.clone().map(Credentials::Bearer);
        token
            .or_else(|| self.basic())
            .map(Login::Plain)
            .ok_or_else(|| unreadable(path, format!("the entry {key:?} has no user and password")))
    }

    fn basic(&self) -> Option<Credentials> {
        if let (Some(user), Some(password)) = (&self.username, &self.password) {
            return Some(Credentials::Basic { user: user.clone(), password: password.clone() });
        }
        let decoded = String::from_utf8(STANDARD.decode(self.auth.as_ref()?.expose_secret()).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        Some(Credentials::Basic { user: user.to_owned(), password: SecretString::from(password) })
    }
}

fn unreadable(path: &Path, what: String) -> Error {
    Error::Credentials { path: path.display().to_string(), what }
}
