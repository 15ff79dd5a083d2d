use std::net::{IpAddr, UdpSocket};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};

/// An authority that issues certificates, and that nobody knows unless he is given [`pem`](Self::pem).
#[derive(Debug)]
pub struct CertificateAuthority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, both as PEM.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl CertificateAuthority {
    /// A new one of this name.
    ///
    /// # Panics
    /// When there is no randomness.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, name);
        Self { issuer: CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap() }
    }

    /// Its own certificate, which makes whoever has it trust those that it issues.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for an address.
    ///
    /// # Panics
    /// When there is no randomness.
    #[must_use]
    pub fn issue(&self, to: IpAddr) -> Issued {
        self.sign(&CertificateParams::new([to.to_string()]).unwrap())
    }

    /// A certificate for an address that is no longer valid.
    ///
    /// # Panics
    /// When there is no randomness.
    #[must_use]
    pub fn issue_expired(&self, to: IpAddr) -> Issued {
        let mut parameters = CertificateParams::new([to.to_string()]).unwrap();
        parameters.not_before = date_time_ymd(2020, 1, 1);
        parameters.not_after = date_time_ymd(2021, 1, 1);
        self.sign(&parameters)
    }

    fn sign(&self, parameters: &CertificateParams) -> Issued {
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        Issued { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// This machine's own address, as others reach it: not loopback. Nothing is sent.
///
/// # Panics
/// When the machine has no network.
#[must_use]
pub fn own_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // An address for documentation (RFC 5737): connecting asks only by which address it would be reached.
    socket.connect("192.0.2.1:9").expect("a network interface with a route is needed, besides loopback");
    let address = socket.local_addr().unwrap().ip();
    assert!(!address.is_loopback() && !address.is_unspecified(), "{address} is not this machine's own address");
    address
}
