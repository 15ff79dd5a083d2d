use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderValue;
use url::Url;

use crate::text::shown;

/// The secrets that were sent for a request, to be blanked where a server sends them back: proxies like to show what
/// they were asked.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    authorizations: Vec<HeaderValue>,
    followed: Vec<Url>,
}

impl Secrets {
    /// Adds what the `Authorization` header of a request gives away.
    pub(crate) fn add_authorization(&mut self, authorization: &HeaderValue) {
        if !self.authorizations.contains(authorization) {
            self.authorizations.push(authorization.clone());
        }
    }

    /// Adds what the query of a URL gives away, which a storage service takes for credentials.
    pub(crate) fn add_signed(&mut self, url: &Url) {
        self.followed.push(url.clone());
    }

    /// A server's text made fit for a log, without the secrets.
    pub(crate) fn shown(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let mut secrets: Vec<String> = self.authorizations.iter().flat_map(of_authorization).collect();
        secrets.extend(self.followed.iter().flat_map(of_query));
        // One may be part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let blanked = secrets.iter().fold(text, |text, secret| text.replace(secret, "***"));
        shown(blanked.as_bytes())
    }
}

fn of_authorization(header: &HeaderValue) -> Vec<String> {
    let text = String::from_utf8_lossy(header.as_bytes());
    let (scheme, secret) = text.split_once(' ').unwrap_or(("", &text));
    let decoded = BASE64_STANDARD.decode(secret).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"));
    let password = decoded.and_then(|pair| {
        let pair = String::from_utf8(pair).ok()?;
        Some(pair.split_once(':')?.1.to_owned())
    });
    [secret.to_owned()].into_iter().chain(password).filter(|secret| !secret.is_empty()).collect()
}

fn of_query(url: &Url) -> Vec<String> {
    /// A shorter value is a number, a version or a word.
    const SHORTEST: usize = 8;
    let written = url.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let written = written.map(|(_, value)| value.to_owned());
    let meant = url.query_pairs().map(|(_, value)| value.into_owned());
    written.chain(meant).filter(|value| value.len() >= SHORTEST).collect()
}
