use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use crate::text::shown;

/// The secrets that a client sends, to be blanked where its server sends them back: proxies like to show what they were
/// asked.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<SecretString>);

impl Secrets {
    /// What the `Authorization` header of a request gives away.
    pub(crate) fn of(authorization: Option<&HeaderValue>) -> Self {
        let text = authorization.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (scheme, secret) = text.split_once(' ').unwrap_or_default();
        let decoded = BASE64_STANDARD.decode(secret).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"));
        let password = decoded.and_then(|pair| {
            let pair = String::from_utf8(pair).ok()?;
            Some(pair.split_once(':')?.1.to_owned())
        });
        Self::new([secret.to_owned()].into_iter().chain(password))
    }

    fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut secrets: Vec<String> = secrets.into_iter().filter(|secret| !secret.is_empty()).collect();
        // One may be part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(secrets.into_iter().map(SecretString::from).collect())
    }

    /// A server's text made fit for a log, without the secrets.
    pub(crate) fn shown(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let blanked = self.0.iter().fold(text, |text, secret| text.replace(secret.expose_secret(), "***"));
        shown(blanked.as_bytes())
    }
}
