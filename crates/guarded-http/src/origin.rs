use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use release::Authority;
use url::Url;

/// What receives a credential: scheme, ASCII-lowercased host and effective port (RFC 6454).
///
/// Two URLs are of one origin when all three are equal; no part is guessed or normalised away, so a name that merely
/// looks like another (`127.0.0.1.evil.example`, `registry.example.`) is another origin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Scheme {
    Http,
    Https,
}

/// A text or URL that has no origin. It does not show the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// The scheme is neither `https` nor `http`.
    #[error("the scheme is not https (or http, on loopback)")]
    Scheme,
    /// There is no host, or none in its canonical form.
    #[error("the host is missing or not in its canonical ASCII form")]
    Host,
    /// A user, path, query or fragment where only an origin belongs, or a port that is none.
    #[error("write https://host or https://host:port and nothing else")]
    Extra,
}

impl Origin {
    /// The origin of a URL; its user, path, query and fragment play no part.
    ///
    /// # Errors
    /// [`OriginError::Scheme`] and [`OriginError::Host`].
    pub fn of(url: &Url) -> Result<Self, OriginError> {
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(OriginError::Scheme),
        };
        let host = url.host_str().ok_or(OriginError::Host)?.to_ascii_lowercase();
        Ok(Self { scheme, host, port: url.port().unwrap_or(scheme.default_port()) })
    }

    /// Plain HTTP to a port of 127.0.0.1.
    #[must_use]
    pub fn loopback(port: u16) -> Self {
        Self { scheme: Scheme::Http, host: Ipv4Addr::LOCALHOST.to_string(), port }
    }

    /// Where a registry is spoken to: plain HTTP on loopback, else HTTPS. There is no fall-back from one to the other.
    #[must_use]
    pub fn for_registry(registry: &Authority) -> Self {
        let scheme = if registry.is_loopback() { Scheme::Http } else { Scheme::Https };
        let v6 = registry.host().strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match v6.and_then(|host| host.parse::<Ipv6Addr>().ok()) {
            Some(address) => format!("[{}]", canonical(address)),
            None => registry.host().to_owned(),
        };
        Self { scheme, host, port: registry.port().unwrap_or(scheme.default_port()) }
    }

    /// Whether the host is this machine: a loopback address in its canonical form, or exactly `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.address().is_some_and(|address| address.is_loopback())
    }

    /// Whether a download from here may be redirected to `to`, without credentials where that is another origin.
    ///
    /// HTTPS to any server may, and from plain HTTP on loopback also plain HTTP on loopback. To this machine or to its
    /// own network link, where cloud instances have their metadata, only what is on loopback itself may redirect, and
    /// only to loopback. What a server's name resolves to plays no part: it has to prove that name.
    #[must_use]
    pub fn may_redirect_to(&self, to: &Self) -> bool {
        let inward = to.is_inward() && !(self.is_loopback() && to.is_loopback());
        !inward && (to.scheme == Scheme::Https || (self.scheme == Scheme::Http && to.is_loopback()))
    }

    /// Whether the host is this machine or on its own link, in any form that a system might read so.
    fn is_inward(&self) -> bool {
        match self.address() {
            Some(IpAddr::V4(v4)) => is_inward(v4),
            Some(IpAddr::V6(v6)) => {
                v6.is_loopback() || v6.is_unicast_link_local() || v6.to_ipv4().is_some_and(is_inward)
            }
            None => {
                let name = self.host.strip_suffix('.').unwrap_or(&self.host);
                name == "localhost" || name.ends_with(".localhost")
            }
        }
    }

    fn address(&self) -> Option<IpAddr> {
        let bare = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.host);
        bare.parse().ok()
    }

    /// Whether nobody between can read or change what is said: HTTPS, or no network at all.
    pub(crate) fn is_private(&self) -> bool {
        self.scheme == Scheme::Https || self.is_loopback()
    }
}

impl Scheme {
    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

fn is_inward(address: Ipv4Addr) -> bool {
    address.is_loopback() || address.is_unspecified() || address.is_link_local()
}

/// The form that the URL standard gives an IPv6 address, which has no dotted quad in it.
fn canonical(address: Ipv6Addr) -> String {
    url::Host::<&str>::Ipv6(address).to_string().trim_matches(['[', ']']).to_owned()
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        if self.port == self.scheme.default_port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    /// Reads `https://host[:port]`, with an optional `/` behind it.
    fn from_str(text: &str) -> Result<Self, OriginError> {
        let url = Url::parse(text).map_err(|_| OriginError::Host)?;
        let origin = Self::of(&url)?;
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(OriginError::Extra);
        }
        // The URL standard reads `127.1`, full-width digits and more as other hosts: what is not said plainly is refused.
        let plain = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
        let Self { scheme, host, port } = &origin;
        if plain == origin.to_string() || plain == format!("{scheme}://{host}:{port}") {
            Ok(origin)
        } else if plain.contains('@') {
            Err(OriginError::Extra)
        } else {
            Err(OriginError::Host)
        }
    }
}
