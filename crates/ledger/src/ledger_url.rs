use std::{fmt, str::FromStr};

use guarded_http::Origin;
use release::ParseError;
use serde::{Deserialize, Serialize};
use url::Url;

const RULE: &str = "write https://HOST/PATH, http://HOST/PATH on this machine or file:///PATH, in its canonical form, \
                    without user, password, query or fragment";

const NO_USER: &str = "remove what stands between // and @, and the @: the clone URL that Azure DevOps shows has its \
                       organisation there, but credentials do not come from a URL";

/// Where a Ledger is: `https://HOST/PATH`, `file:///PATH`, or `http://HOST/PATH` on this machine.
///
/// Only the canonical form of the URL standard is read, so that no two readers take it for different places, and nothing
/// in it can be an option, another protocol of Git's or a credential.
///
/// ```
/// use ledger::LedgerUrl;
///
/// assert!("https://dev.azure.com/acme/forge/_git/ledger".parse::<LedgerUrl>().is_ok());
/// assert!("http://127.0.0.1:8080/ledger.git".parse::<LedgerUrl>().is_ok());
/// assert!("http://git.example/ledger.git".parse::<LedgerUrl>().is_err());
/// assert!("ext::sh -c true".parse::<LedgerUrl>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LedgerUrl(Url);

impl LedgerUrl {
    /// Who may receive a credential; none for a folder.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        Origin::of(&self.0).ok()
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// `https`, `http` or `file`.
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
        let url = Url::parse(text).map_err(|_| refused(RULE))?;
        if text.len() > 2048 || url.as_str() != text {
            return Err(refused(RULE));
        }
        match is_plain(&url) {
            true if !has_user(&url) => Ok(Self(url)),
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

fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// Whether nothing is in it, but for a user, that a Ledger's URL has not.
fn is_plain(url: &Url) -> bool {
    let place = match (url.scheme(), Origin::of(url), url.host_str()) {
        ("https", Ok(_), Some(host)) => !host.starts_with('-') && url.port() != Some(0),
        ("http", Ok(origin), _) => origin.is_loopback() && url.port() != Some(0),
        ("file", _, None) => true,
        _ => false,
    };
    place && url.query().is_none() && url.fragment().is_none() && url.path() != "/" && escapes_are_printable(url.path())
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
