use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::OnceLock,
    time::Duration,
};

use reqwest::{ClientBuilder, redirect::Policy};
use url::Url;

/// The connections of a client: plain ones, and those over TLS, which are set up when the first is wanted, for reading
/// the system's root certificates costs more than a small copy on loopback.
pub(crate) struct Connections {
    connect: Duration,
    plain: OnceLock<reqwest::Client>,
    tls: OnceLock<reqwest::Client>,
}

impl Connections {
    /// `connect` is the longest that making one may take.
    pub(crate) fn new(connect: Duration) -> Self {
        Self { connect, plain: OnceLock::new(), tls: OnceLock::new() }
    }

    /// Those for a URL.
    ///
    /// # Errors
    /// When the system's root certificates cannot be read.
    pub(crate) fn of(&self, url: &Url) -> Result<&reqwest::Client, reqwest::Error> {
        let tls = url.scheme() == "https";
        let place = if tls { &self.tls } else { &self.plain };
        if let Some(client) = place.get() {
            return Ok(client);
        }
        let builder = if tls { self.builder() } else { self.builder().tls_certs_only([]) };
        let client = builder.build()?;
        Ok(place.get_or_init(|| client))
    }

    fn builder(&self) -> ClientBuilder {
        let this_machine =
            [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].map(|ip| SocketAddr::new(ip, 0));
        reqwest::Client::builder()
            .user_agent(concat!("conveyor/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .resolve_to_addrs("localhost", &this_machine)
            .http1_only()
            .connect_timeout(self.connect)
    }
}
