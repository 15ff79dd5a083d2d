use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use crate::{
    Digest, Repository, Tag,
    text::{ParseError, serde_as_text},
};

/// Where a registry is: a host and perhaps a port, such as `registry.example:5000`. Each has one spelling: lower case, and
/// an IPv6 address in the form of RFC 5952.
///
/// A name that looks like a number but is no dotted quad (`127.1`, `0x7f.1`) is refused: some resolvers read it as an
/// address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Authority {
    host: String,
    port: Option<u16>,
}

impl Authority {
    /// The host, an IPv6 address in its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, where one was written.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether the host is this machine: a loopback address or exactly `localhost`. Only such a registry is spoken to
    /// in plain HTTP.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl FromStr for Authority {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = || ParseError::new("a registry", text, "write host or host:port, in ASCII");
        let (host, port) = match text.rfind(':') {
            Some(colon) if !text.ends_with(']') => {
                let (host, port) = text.split_at(colon);
                (host, Some(parse_port(port.trim_start_matches(':')).ok_or_else(error)?))
            }
            _ => (text, None),
        };
        canonical(&host.to_ascii_lowercase()).map(|host| Self { host, port }).ok_or_else(error)
    }
}

serde_as_text!(Authority);

/// `REGISTRY/REPOSITORY[:TAG][@DIGEST]`, with at least one of tag and digest; nothing is defaulted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    /// The registry.
    pub registry: Authority,
    /// The repository inside it.
    pub repository: Repository,
    /// The tag, if one was written.
    pub tag: Option<Tag>,
    /// The digest, if one was written.
    pub digest: Option<Digest>,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        self.tag.as_ref().map_or(Ok(()), |tag| write!(f, ":{tag}"))?;
        self.digest.map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

impl FromStr for Reference {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = || ParseError::new("an image reference", text, "write REGISTRY/REPOSITORY:TAG or …@sha256:…");
        if let Some((scheme, _)) = text.split_once("://") {
            let rule = match scheme {
                "docker" => "leave out docker://",
                "https" => "leave out https://",
                _ => "leave out what stands before the registry, :// included",
            };
            return Err(ParseError::new("an image reference", text, rule));
        }
        let (named, digest) = match text.split_once('@') {
            Some((named, digest)) => (named, Some(digest.parse()?)),
            None => (text, None),
        };
        let (registry, path) = named.split_once('/').ok_or_else(error)?;
        // Without a dot, a port or `localhost` the first part may as well be a repository's: nothing is guessed.
        if !registry.contains(['.', ':']) && !registry.eq_ignore_ascii_case("localhost") {
            return Err(error());
        }
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag.parse()?)),
            None => (path, None),
        };
        if tag.is_none() && digest.is_none() {
            return Err(error());
        }
        Ok(Self { registry: registry.parse()?, repository: repository.parse()?, tag, digest })
    }
}

serde_as_text!(Reference);

fn parse_port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    plain.then(|| text.parse().ok()).flatten()
}

/// The one spelling of a host, if it is one: an IPv6 address has many.
fn canonical(text: &str) -> Option<String> {
    if let Some(v6) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return v6.parse::<Ipv6Addr>().ok().map(|v6| format!("[{v6}]"));
    }
    is_name(text).then(|| text.to_owned())
}

/// Whether it is a dotted quad or a name.
fn is_name(text: &str) -> bool {
    if text.parse::<Ipv4Addr>().is_ok() {
        return true;
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // WHATWG URL, "ends in a number": such a host would be read as an IPv4 address.
    let last = text.rsplit('.').next().unwrap_or_default();
    let number = last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x");
    text.len() <= 253 && text.split('.').all(label) && !number
}
