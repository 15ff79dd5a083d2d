//! Credentials from a docker-style configuration file: its `auths`, as `docker login` writes them.

use std::{collections::BTreeMap, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use guarded_http::Credentials;
use release::Authority;
use secrecy::SecretString;
use serde::Deserialize;

use crate::Error;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
}

#[derive(Deserialize)]
struct Auth {
    auth: Option<SecretString>,
    username: Option<String>,
    password: Option<SecretString>,
}

/// The credentials for a registry; anonymous where the file is absent or names another.
pub(crate) fn credentials(file: &Path, registry: &Authority) -> Result<Credentials, Error> {
    let unreadable = |what: String| Error::Credentials { path: file.display().to_string(), what };
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Credentials::Anonymous),
        Err(error) => return Err(unreadable(error.to_string())),
    };
    // serde_json's messages show positions, never the text.
    let parsed: File = serde_json::from_slice(&text).map_err(|error| {
        unreadable(format!("not a docker configuration (line {}, column {})", error.line(), error.column()))
    })?;
    let named = |name: &str| {
        let host = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://")).unwrap_or(name);
        host.trim_end_matches('/').parse::<Authority>().is_ok_and(|named| named == *registry)
    };
    let Some((name, auth)) = parsed.auths.into_iter().find(|(name, _)| named(name)) else {
        return Ok(Credentials::Anonymous);
    };
    auth.credentials().ok_or_else(|| unreadable(format!("the entry {name:?} has no user and password")))
}

impl Auth {
    fn credentials(self) -> Option<Credentials> {
        use secrecy::ExposeSecret as _;
        if let (Some(user), Some(password)) = (self.username, self.password) {
            return Some(Credentials::Basic { user, password });
        }
        let decoded = String::from_utf8(STANDARD.decode(self.auth?.expose_secret()).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        Some(Credentials::Basic { user: user.to_owned(), password: SecretString::from(password) })
    }
}
