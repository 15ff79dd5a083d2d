use std::{fmt, str::FromStr};

use guarded_http::Origin;
use release::ParseError;
use serde::{Deserialize, Serialize};
use url::Url;

const RULE: &str = "write https://HOST/PATH, ssh://USER@HOST/PATH, file:///PATH, or http://HOST/PATH or git://HOST/PATH \
                    on this machine, in its canonical form, without password, query or fragment";

const NO_SCP: &str = "write ssh://USER@HOST/PATH instead of USER@HOST:PATH";

const NO_USER: &str = "remove what stands between // and @, and the @: the clone URL that Azure DevOps shows has its \
                       organisation there, but credentials do not come from a URL";

/// Where a Ledger is: `https://HOST/PATH`, `ssh://USER@HOST/PATH`, `file:///PATH`, or `http://HOST/PATH` or
/// `git://HOST/PATH` on this machine.
///
/// Only the canonical form of the URL standard is read, so that no two readers take it for different places, and nothing
/// in it can be an option, another protocol of Git's or a credential.
///
/// ```
/// use ledger::LedgerUrl;
///
/// assert!("https://dev.azure.com/acme/forge/_git/ledger".parse::<LedgerUrl>().is_ok());
/// assert!("http://127.0.0.1:8080/ledger.git".parse::<LedgerUrl>().is_ok());
/// assert!("ssh://git@ssh.dev.azure.com/v3/acme/forge/ledger".parse::<LedgerUrl>().is_ok());
/// assert!("http://git.example/ledger.git".parse::<LedgerUrl>().is_err());
/// assert!("git@ssh.dev.azure.com:v3/acme/forge/ledger".parse::<LedgerUrl>().is_err());
/// assert!("ext::sh -c true".parse::<LedgerUrl>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LedgerUrl(Url);

impl LedgerUrl {
    /// Who may receive a credential; none where there is no HTTP.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        Origin::of(&self.0).ok()
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// `https`, `http`, `ssh`, `git` or `file`.
    pub(crate) fn scheme(&self) -> &str {
        self.0.scheme()
    }
}

impl fmt::Display for LedgerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LedgerUrl {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refused = |rule| ParseError { what: "a Ledger URL", text: without_secrets(text), rule };
        if is_scp_like(text) {
            return Err(refused(NO_SCP));
        }
        let url = Url::parse(text).map_err(|_| refused(RULE))?;
        if text.len() > 2048 || url.as_str() != text {
            return Err(refused(RULE));
        }
        match is_plain(&url) {
            true if may_have_user(&url) => Ok(Self(url)),
            true => Err(refused(NO_USER)),
            false => Err(refused(RULE)),
        }
    }
}

impl TryFrom<String> for LedgerUrl {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl From<LedgerUrl> for String {
    fn from(url: LedgerUrl) -> Self {
        url.0.into()
    }
}

/// The short form of ssh's, which has no scheme and which only git understands.
fn is_scp_like(text: &str) -> bool {
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "@._-".contains(c));
    text.split_once(':').is_some_and(|(host, path)| is_name(host) && !path.starts_with("//") && !path.starts_with(':'))
}

/// Whether it has no user, or is one that ssh may log in as.
fn may_have_user(url: &Url) -> bool {
    let is_none = url.username().is_empty() && url.password().is_none();
    is_none || url.scheme() == "ssh" && is_word(url.username()) && url.password().is_none()
}

/// Whether nothing is in it, but for a user, that a Ledger's URL has not.
fn is_plain(url: &Url) -> bool {
    let place = match (url.scheme(), Origin::of(url), url.host_str()) {
        ("https", Ok(_), Some(host)) => !host.starts_with('-') && url.port() != Some(0),
        ("http", Ok(origin), _) => origin.is_loopback() && url.port() != Some(0),
        ("ssh", _, Some(host)) => is_host(host) && url.port() != Some(0),
        ("git", _, Some(host)) => is_loopback(host) && url.port() != Some(0),
        ("file", _, None) => true,
        _ => false,
    };
    place
        && url.query().is_none()
        && url.fragment().is_none()
        && url.path().len() > 1
        && escapes_are_printable(url.path())
}

/// Whether a host of ssh's is a name or an address that is no option and nothing to a shell: a configuration of ssh may
/// hand it to one.
fn is_host(host: &str) -> bool {
    let is_address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some();
    let canonical = Url::parse(&format!("http://{host}/")).is_ok_and(|url| url.host_str() == Some(host));
    canonical && (is_address || is_word(host))
}

/// Whether git, which resolves a name by itself, finds this machine by it.
fn is_loopback(host: &str) -> bool {
    let origin = Url::parse(&format!("http://{host}/")).ok().and_then(|url| Origin::of(&url).ok());
    is_host(host) && origin.is_some_and(|origin| origin.is_loopback())
}

/// Letters, digits, `.`, `_` and `-`, and neither an option nor hidden.
fn is_word(text: &str) -> bool {
    !text.starts_with(['-', '.'])
        && !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// Whether each `%` begins an escape of no control character.
fn escapes_are_printable(path: &str) -> bool {
    path.split('%').skip(1).all(|after| {
        let byte = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        byte.is_some_and(|byte| !byte.is_ascii_control())
    })
}

/// The text without what may be a password or a token, for an error.
fn without_secrets(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    match text.rsplit_once('@') {
        Some((before, after)) => {
            let scheme = before.split_once("://").map(|(scheme, _)| format!("{scheme}://")).unwrap_or_default();
            format!("{scheme}…@{after}")
        }
        None => text.to_owned(),
    }
}
