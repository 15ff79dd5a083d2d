//! Where ECR's manners send those who want a blob.

use std::{io, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    response::Response,
};
use http::{Method, StatusCode, header};
use registry_copy::InMemory;
use release::{Digest, Repository};

use super::{blobs, uploads::query};
use crate::{
    RequestLog,
    server::{self, Port, Server, answer},
};

/// A server of signed URLs, on an origin of its own. Like S3 it answers 400 to whoever sends an `Authorization` besides,
/// and 403 to a URL that the registry did not sign.
#[derive(Debug)]
pub struct ObjectStore {
    server: Server,
    signer: Signer,
}

#[derive(Debug, Clone)]
struct Signer {
    secret: String,
}

struct Shared {
    memory: InMemory,
    signer: Signer,
}

impl ObjectStore {
    pub(super) async fn start(memory: InMemory) -> io::Result<Self> {
        let signer = Signer { secret: std::iter::repeat_with(fastrand::alphanumeric).take(32).collect() };
        let shared = Arc::new(Shared { memory, signer: signer.clone() });
        let router = Router::new().fallback(handle).with_state(shared);
        Ok(Self { server: Port::bind().await?.serve(router, server::Admission::Anyone), signer })
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn authority(&self) -> String {
        self.server.address().to_string()
    }

    /// What it was asked, with all headers.
    #[must_use]
    pub fn log(&self) -> &RequestLog {
        self.server.log()
    }

    /// A URL that gives a blob to whoever has it.
    pub(super) fn sign(&self, repository: &Repository, digest: &Digest) -> String {
        let signature = self.signer.signature(repository, digest);
        format!(
            "{}/layers/{repository}/{digest}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=3600&X-Amz-SignedHeaders=host\
             &X-Amz-Signature={signature}",
            self.server.url()
        )
    }
}

impl Signer {
    fn signature(&self, repository: &Repository, digest: &Digest) -> String {
        Digest::of(format!("{} {repository} {digest}", self.secret).as_bytes()).hex()
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if request.headers().contains_key(header::AUTHORIZATION) {
        let message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
                       parameter or the Authorization header should be specified";
        return refusal(StatusCode::BAD_REQUEST, "InvalidArgument", message);
    }
    let named = request.uri().path().strip_prefix("/layers/").and_then(|path| path.rsplit_once('/'));
    let named = named.and_then(|(name, digest)| Some((name.parse().ok()?, digest.parse().ok()?)));
    let signature = query(request.uri(), "X-Amz-Signature");
    match named {
        Some((repository, digest))
            if request.method() == Method::GET && signature == Some(shared.signer.signature(&repository, &digest)) =>
        {
            let blob = blobs::get(&shared.memory, &repository, &digest, request.headers()).await;
            blob.unwrap_or_else(|_| refusal(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist."))
        }
        _ => refusal(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", "The request signature does not match."),
    }
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>");
    answer(status).with(header::CONTENT_TYPE, "application/xml").body(body)
}
