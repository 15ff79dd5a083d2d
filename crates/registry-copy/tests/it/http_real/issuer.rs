use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use guarded_http::Origin;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize, SigningKey};
use serde_json::{Value, json};
use url::Url;

use crate::{
    docker_registry::Admits,
    http::server::{Answer, Server, reply},
};

const SERVICE: &str = "forge";
/// `robot`, with the password `open sesame`.
const BASIC: &str = "authorization: basic cm9ib3q6b3blbibzzxnhbwu=";

/// Gives tokens that docker-registry believes (distribution, "Token Authentication Implementation"): to one user, for
/// all that he asks, and for a second each.
pub(super) struct Issuer {
    server: Server,
    certificate: String,
    given: Arc<AtomicUsize>,
}

impl Issuer {
    pub(super) async fn start() -> Self {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap();
        let (pem, der) = (certificate.pem(), BASE64_STANDARD.encode(certificate.der()));
        let given = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&given);
        let server = Server::start(move |_, request| {
            if !request.to_ascii_lowercase().contains(BASIC) {
                return reply("401 Unauthorized", &[], b"");
            }
            let number = count.fetch_add(1, Ordering::SeqCst);
            let claims = claims(request.split(' ').nth(1).unwrap(), number);
            let header = json!({ "typ": "JWT", "alg": "RS256", "x5c": [der] });
            let signed = format!("{}.{}", encode(&header), encode(&claims));
            let signature = BASE64_URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).unwrap());
            give(&format!("{signed}.{signature}"))
        })
        .await;
        Self { server, certificate: pem, given }
    }

    pub(super) fn origin(&self) -> Origin {
        Origin::loopback(self.server.address.port())
    }

    /// A registry that believes it.
    pub(super) fn admits(&self) -> Admits<'_> {
        Admits::Tokens { realm: format!("{}/token", self.origin()), certificate: &self.certificate }
    }

    pub(super) fn given(&self) -> usize {
        self.given.load(Ordering::SeqCst)
    }
}

fn claims(target: &str, number: usize) -> Value {
    let url = Url::parse("http://issuer").unwrap().join(target).unwrap();
    assert!(url.query_pairs().any(|(name, value)| name == "service" && value == SERVICE), "{url}");
    let scopes = url.query_pairs().filter(|(name, _)| name == "scope").map(|(_, scope)| scope.into_owned());
    let access = scopes.map(|scope| {
        let parts: Vec<_> = scope.split(':').collect();
        json!({ "type": parts[0], "name": parts[1], "actions": parts[2].split(',').collect::<Vec<_>>() })
    });
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let ends = now + Duration::from_secs(1);
    json!({
        "iss": "forge", "sub": "robot", "aud": SERVICE, "jti": number.to_string(),
        "iat": now.as_secs(), "nbf": now.as_secs(), "exp": ends.as_secs(),
        "access": access.collect::<Vec<_>>(),
    })
}

fn encode(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

fn give(token: &str) -> Answer {
    let body = format!(r#"{{"token":"{token}","expires_in":1}}"#);
    reply("200 OK", &[("Content-Type", "application/json")], body.as_bytes())
}
