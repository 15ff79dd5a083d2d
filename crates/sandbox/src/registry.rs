//! The OCI distribution API over the in-memory registry.

mod blobs;
mod error;
mod gate;
mod manifests;
mod object_store;
mod options;
mod referrers;
mod route;
mod scope;
mod tags;
mod tokens;
mod uploads;

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    response::Response,
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use registry_copy::InMemory;
use release::{Digest, Repository};

use self::{error::Failure, gate::Gate, route::Route, uploads::Uploads};
pub use self::{
    object_store::ObjectStore,
    options::{Account, Admission, Issuer, Manners, RegistryOptions},
};
use crate::{
    RequestLog,
    line::{Cut, Scissors},
    server::{self, Port, Server, answer},
};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// A registry on loopback. What it stores, and which tags may move, is the in-memory registry's business; here is only
/// its HTTP, as [`RegistryOptions`] want it.
#[derive(Debug)]
pub struct RegistryServer {
    server: Server,
    shared: Arc<Shared>,
}

/// What every request sees.
#[derive(Debug)]
struct Shared {
    memory: InMemory,
    uploads: Uploads,
    options: RegistryOptions,
    gate: Gate,
    object_store: Option<ObjectStore>,
    archived: Mutex<BTreeSet<(Repository, Digest)>>,
}

impl RegistryServer {
    /// Serves `memory`.
    ///
    /// # Errors
    /// When no port of loopback is to be had.
    pub async fn start(memory: InMemory, options: RegistryOptions) -> io::Result<Self> {
        let object_store = match options.manners {
            Manners::Plain => None,
            Manners::Ecr => Some(ObjectStore::start(memory.clone()).await?),
        };
        let shared = Arc::new(Shared {
            memory,
            uploads: Uploads::default(),
            gate: Gate::new(options.admission.clone()),
            options,
            object_store,
            archived: Mutex::default(),
        });
        let router = Router::new().fallback(handle).with_state(Arc::clone(&shared));
        Ok(Self { server: Port::bind().await?.serve(router, server::Admission::Anyone), shared })
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
        &self.shared.memory
    }

    /// What it was asked.
    #[must_use]
    pub fn log(&self) -> &RequestLog {
        self.server.log()
    }

    /// Where [`Manners::Ecr`] send those who want a blob.
    #[must_use]
    pub fn object_store(&self) -> Option<&ObjectStore> {
        self.shared.object_store.as_ref()
    }

    /// Lets time pass for the tokens of an [`Issuer`].
    pub fn pass_time(&self, by: Duration) {
        self.shared.gate.pass_time(by);
    }

    /// Takes another [`Admission::EcrToken`] from now on; the ones before have expired.
    pub fn replace_token(&self, token: &str) {
        self.shared.gate.replace(token);
    }

    /// Moves an image to the archive: it is there, and cannot be pulled.
    pub fn archive(&self, repository: &Repository, digest: Digest) {
        self.shared.archive().insert((repository.clone(), digest));
    }

    /// Brings an image back from the archive.
    pub fn restore(&self, repository: &Repository, digest: Digest) {
        self.shared.archive().remove(&(repository.clone(), digest));
    }
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let head = parts.method == Method::HEAD;
    let mut response = match respond(&shared, &scissors, &parts, body).await {
        Ok(response) => response,
        Err(failure) => failure.response(),
    };
    response.headers_mut().insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
    if head {
        *response.body_mut() = Body::empty();
    }
    response
}

async fn respond(shared: &Shared, scissors: &Scissors, parts: &Parts, body: Body) -> Result<Response, Failure> {
    if let Admission::Bearer(issuer) = &shared.options.admission
        && parts.uri.path() == tokens::PATH
    {
        return tokens::answer(&shared.gate, issuer, parts, body).await;
    }
    let route = Route::of(parts.uri.path())?;
    let from = match route {
        Route::Uploads(_) => uploads::mounted_from(&parts.uri)?,
        _ => None,
    };
    if let Err(refused) = shared.gate.admit(&parts.headers, &scope::needed(&parts.method, &route, from)) {
        return Ok(refused);
    }
    let repository = route.repository();
    if let Some(repository) = repository.filter(|name| !shared.memory.repositories().contains(name)) {
        if shared.options.manners == Manners::Ecr && !matches!(parts.method, Method::GET | Method::HEAD) {
            scissors.cut(Cut::Close);
        }
        return Err(Failure::name_unknown(repository));
    }
    act(shared, &route, parts, body).await
}

async fn act(shared: &Shared, route: &Route, parts: &Parts, body: Body) -> Result<Response, Failure> {
    let whole = parts.method == Method::GET;
    // A HEAD is a GET whose body is left out in the end.
    let method = if parts.method == Method::HEAD { &Method::GET } else { &parts.method };
    match (method, route) {
        (&Method::GET, Route::Base) => Ok(json(StatusCode::OK, "application/json", "{}".to_owned())),
        (&Method::GET, Route::Blob(repository, digest)) => {
            if whole && let Some(redirect) = blobs::elsewhere(shared, repository, digest).await? {
                return Ok(redirect);
            }
            blobs::get(&shared.memory, repository, digest, &parts.headers).await
        }
        (&Method::DELETE, Route::Blob(repository, digest)) => blobs::delete(shared, repository, digest).await,
        (&Method::GET, Route::Manifest(repository, reference)) => {
            manifests::get(shared, repository, reference, whole).await
        }
        (&Method::PUT, Route::Manifest(repository, reference)) => {
            manifests::put(shared, repository, reference, &parts.headers, body).await
        }
        (&Method::DELETE, Route::Manifest(repository, reference)) => {
            manifests::delete(shared, repository, reference).await
        }
        (&Method::GET, Route::Tags(repository)) => tags::list(&shared.memory, repository, &parts.uri).await,
        (&Method::GET, Route::Referrers(repository, digest)) => {
            referrers::list(&shared.memory, repository, digest, &parts.uri).await
        }
        (&Method::POST, Route::Uploads(repository)) => uploads::start(shared, repository, &parts.uri, body).await,
        (_, Route::Upload(repository, id)) => uploads::go_on(shared, repository, id, parts, body).await,
        _ => Err(Failure::unsupported()),
    }
}

impl Shared {
    fn is_archived(&self, repository: &Repository, digest: &Digest) -> bool {
        self.archive().contains(&(repository.clone(), *digest))
    }

    fn archive(&self) -> MutexGuard<'_, BTreeSet<(Repository, Digest)>> {
        self.archived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn json(status: StatusCode, media_type: &str, text: String) -> Response {
    answer(status)
        .with(header::CONTENT_TYPE, media_type)
        .with(header::CONTENT_LENGTH, text.len().to_string())
        .body(text)
}
