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

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    /// The user and password that a file has for a registry.
    fn found(text: &str, registry: &str) -> Result<Option<(String, String)>, Error> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.json");
        std::fs::write(&file, text).unwrap();
        Ok(match credentials(&file, &registry.parse().unwrap())? {
            Credentials::Basic { user, password } => Some((user, password.expose_secret().to_owned())),
            Credentials::Anonymous => None,
            other => panic!("{other:?}"),
        })
    }

    fn auths(name: &str, auth: &str) -> String {
        format!(r#"{{"auths":{{"{name}":{auth}}},"credHelpers":{{}}}}"#)
    }

    /// `me` and `hunter2`, with a colon in it.
    const AUTH: &str = r#"{"auth":"bWU6aHVudGVyMjo="}"#;

    #[test]
    fn only_the_very_registry_gets_them() {
        let me = || Some(("me".to_owned(), "hunter2:".to_owned()));
        for (name, registry, named) in [
            ("registry.example", "registry.example", true),
            ("https://registry.example", "registry.example", true),
            ("https://registry.example/", "registry.example", true),
            ("Registry.Example", "registry.example", true),
            ("127.0.0.1:5000", "127.0.0.1:5000", true),
            ("registry.example", "registry.example:5000", false),
            ("registry.example:5000", "registry.example", false),
            ("registry.example", "other.registry.example", false),
            ("registry.example", "registry.example.evil.example", false),
            ("example", "registry.example", false),
            ("https://registry.example/v1/", "registry.example", false),
            ("https://registry.example@evil.example", "registry.example", false),
            ("*.example", "registry.example", false),
            ("", "registry.example", false),
        ] {
            let expected = if named { me() } else { None };
            assert_eq!(found(&auths(name, AUTH), registry).unwrap(), expected, "{name} for {registry}");
        }
    }

    #[test]
    fn they_stand_in_one_word_or_in_two() {
        let both = r#"{"auth":"eDp5","username":"me","password":"hunter2"}"#;
        assert_eq!(found(&auths("r.example", both), "r.example").unwrap().unwrap().1, "hunter2");
        assert_eq!(found("{}", "r.example").unwrap(), None);
        let absent = credentials(Path::new("/nonexistent/config.json"), &"r.example".parse().unwrap());
        assert!(matches!(absent, Ok(Credentials::Anonymous)));
    }

    #[test]
    fn a_broken_file_is_an_error_that_shows_no_secret() {
        let no_colon = STANDARD.encode("hunter2");
        for text in [
            r#"{"auths":{"r.example":{"auth":"hunter2""#.to_owned(),
            r#"{"auths":{"r.example":"hunter2"}}"#.to_owned(),
            r#"{"auths":{"r.example":{"auth":["hunter2"]}}}"#.to_owned(),
            auths("r.example", r#"{"auth":"hunter2!"}"#),
            auths("r.example", &format!(r#"{{"auth":"{no_colon}"}}"#)),
            auths("r.example", r#"{"password":"hunter2"}"#),
            auths("r.example", "{}"),
        ] {
            let error = found(&text, "r.example").unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(matches!(error, Error::Credentials { .. }) && shown.contains("config.json"), "{shown}");
            assert!(!shown.contains("hunter2") && !shown.contains(&no_colon), "{shown}");
        }
    }
}
