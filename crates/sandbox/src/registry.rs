//! The OCI distribution API over the in-memory registry.

mod blobs;
mod error;
mod manifests;
mod options;
mod route;
mod uploads;

use std::{io, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use http::{HeaderName, Method, StatusCode, header};
use registry_copy::InMemory;
use release::Repository;

pub use self::options::{Account, Admission, Issuer, Manners, RegistryOptions};
use self::{error::Failure, route::Route, uploads::Uploads};
use crate::{
    RequestLog,
    server::{self, Port, Server, answer},
};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// A registry on loopback that asks for a user and a password. What it stores, and which tags may move, is the
/// in-memory registry's business; here is only its HTTP.
#[derive(Debug)]
pub struct RegistryServer {
    server: Server,
    memory: InMemory,
}

/// What every request sees.
struct Shared {
    memory: InMemory,
    uploads: Uploads,
}

impl RegistryServer {
    /// Serves `memory`.
    ///
    /// # Errors
    /// When no port of loopback is to be had.
    pub async fn start(memory: InMemory, options: RegistryOptions) -> io::Result<Self> {
        let shared = Arc::new(Shared { memory: memory.clone(), uploads: Uploads::default() });
        let router = Router::new().fallback(handle).with_state(shared);
        let admission = match options.admission {
            Admission::User { user, password } => server::Admission::User { user, password },
            _ => server::Admission::Anyone,
        };
        Ok(Self { server: Port::bind().await?.serve(router, admission), memory })
    }

    /// `127.0.0.1:PORT`, as references name it.
    #[must_use]
    pub fn authority(&self) -> String {
        self.server.address().to_string()
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// What it stores: the administrator's view.
    #[must_use]
    pub fn memory(&self) -> &InMemory {
        &self.memory
    }

    /// What it was asked.
    #[must_use]
    pub fn log(&self) -> &RequestLog {
        self.server.log()
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let head = request.method() == Method::HEAD;
    let mut response = respond(&shared, request).await.unwrap_or_else(|failure| failure.response());
    response.headers_mut().insert(API_VERSION, http::HeaderValue::from_static("registry/2.0"));
    if head {
        *response.body_mut() = Body::empty();
    }
    response
}

async fn respond(shared: &Shared, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let route = Route::of(parts.uri.path())?;
    if let Route::Base = route {
        return Ok(json(StatusCode::OK, "application/json", "{}".to_owned()));
    }
    let repository = route.repository().cloned();
    if let Some(repository) = repository.filter(|name| !shared.memory.repositories().contains(name)) {
        return Err(Failure::name_unknown(&repository));
    }
    let method = match parts.method {
        // A HEAD is a GET whose body is left out in the end.
        Method::HEAD => Method::GET,
        ref method => method.clone(),
    };
    match (method, route) {
        (Method::GET, Route::Blob(repository, digest)) => blobs::get(shared, &repository, &digest).await,
        (Method::GET, Route::Manifest(repository, reference)) => manifests::get(shared, &repository, &reference).await,
        (Method::PUT, Route::Manifest(repository, reference)) => {
            manifests::put(shared, &repository, &reference, &parts.headers, body).await
        }
        (Method::GET, Route::Tags(repository)) => Ok(tags(shared, &repository)),
        (Method::GET, Route::Referrers(repository, digest)) => manifests::referrers(shared, &repository, &digest).await,
        (Method::POST, Route::Uploads(repository)) => uploads::start(shared, &repository, &parts.uri, body).await,
        (method, Route::Upload(repository, id)) => {
            uploads::go_on(shared, &repository, &id, &method, &parts, body).await
        }
        _ => Err(Failure::unsupported()),
    }
}

fn tags(shared: &Shared, repository: &Repository) -> Response {
    let tags: Vec<String> = shared.memory.tags(repository).into_keys().map(|tag| tag.to_string()).collect();
    let list = serde_json::json!({ "name": repository, "tags": tags });
    json(StatusCode::OK, "application/json", list.to_string())
}

fn json(status: StatusCode, media_type: &str, text: String) -> Response {
    answer(status)
        .with(header::CONTENT_TYPE, media_type)
        .with(header::CONTENT_LENGTH, text.len().to_string())
        .body(text)
}
