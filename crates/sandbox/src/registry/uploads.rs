use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header, request::Parts};
use registry_copy::Registry as _;
use release::{Digest, Hasher, Repository};
use url::form_urlencoded;

use super::{CONTENT_DIGEST, Failure, Manners, Shared, blobs::descriptor};
use crate::server::{Answer, answer};

const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");
const MIN_CHUNK: HeaderName = HeaderName::from_static("oci-chunk-min-length");

/// Blobs that are being uploaded (distribution-spec, "Pushing Blobs").
#[derive(Debug, Default)]
pub(super) struct Uploads {
    sessions: Mutex<Sessions>,
}

#[derive(Debug, Default)]
struct Sessions {
    opened: u64,
    open: BTreeMap<String, (Repository, Arc<tokio::sync::Mutex<Session>>)>,
}

/// What was received of a blob. What came of a chunk that broke off is kept, as registries do.
#[derive(Debug, Default)]
struct Session {
    chunks: Vec<Bytes>,
    received: u64,
    /// Whether a chunk was one that can only be the last.
    short: bool,
}

impl Uploads {
    fn open(&self, repository: &Repository) -> String {
        let mut sessions = self.lock();
        sessions.opened += 1;
        let id = format!("upload-{}", sessions.opened);
        sessions.open.insert(id.clone(), (repository.clone(), Arc::default()));
        id
    }

    fn find(&self, repository: &Repository, id: &str) -> Result<Arc<tokio::sync::Mutex<Session>>, Failure> {
        match self.lock().open.get(id) {
            Some((of, session)) if of == repository => Ok(Arc::clone(session)),
            _ => Err(Failure::upload_unknown()),
        }
    }

    fn close(&self, id: &str) {
        self.lock().open.remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    async fn receive(&mut self, body: Body) -> Result<u64, Failure> {
        let before = self.received;
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.try_next().await.map_err(|_| Failure::upload_invalid("the body broke off"))? {
            self.received += chunk.len() as u64;
            self.chunks.push(chunk);
        }
        Ok(self.received - before)
    }
}

/// A POST: mounts a blob, takes a whole one, or opens a session.
pub(super) async fn start(
    shared: &Shared,
    repository: &Repository,
    uri: &Uri,
    body: Body,
) -> Result<Response, Failure> {
    if let Some(mount) = query(uri, "mount") {
        let digest = digest(&mount)?;
        if shared.options.mounts && mounted(shared, repository, mounted_from(uri)?, digest).await? {
            return Ok(created(repository, &digest));
        }
    } else if let Some(named) = query(uri, "digest") {
        let mut session = Session::default();
        session.receive(body).await?;
        return store(shared, repository, digest(&named)?, session).await;
    }
    let id = shared.uploads.open(repository);
    let opened = progress(StatusCode::ACCEPTED, repository, &id, 0);
    Ok(match shared.options.min_chunk {
        0 => opened.empty(),
        least => opened.with(MIN_CHUNK, least.to_string()).empty(),
    })
}

/// The repository that a POST wants to mount from, where it names one.
pub(super) fn mounted_from(uri: &Uri) -> Result<Option<Repository>, Failure> {
    let from = query(uri, "mount").and_then(|_| query(uri, "from"));
    from.map(|name| name.parse().map_err(|_| Failure::name_invalid())).transpose()
}

/// Without a source, any repository may be one.
async fn mounted(
    shared: &Shared,
    repository: &Repository,
    from: Option<Repository>,
    digest: Digest,
) -> Result<bool, Failure> {
    for from in from.map_or_else(|| shared.memory.repositories(), |from| vec![from]) {
        if shared.memory.mount(repository, &from, &descriptor(digest, 0)).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// PATCH, PUT, GET or DELETE of a session.
pub(super) async fn go_on(
    shared: &Shared,
    repository: &Repository,
    id: &str,
    parts: &Parts,
    body: Body,
) -> Result<Response, Failure> {
    let found = shared.uploads.find(repository, id)?;
    // One request at a time; those who come later wait.
    let mut session = found.lock().await;
    match parts.method {
        Method::PUT => {
            let named = query(&parts.uri, "digest").ok_or_else(|| Failure::digest_invalid("no digest"))?;
            let digest = digest(&named)?;
            add(shared, id, &mut session, &parts.headers, body).await?;
            shared.uploads.close(id);
            store(shared, repository, digest, std::mem::take(&mut session)).await
        }
        Method::PATCH => {
            let length = add(shared, id, &mut session, &parts.headers, body).await?;
            session.short = length < shared.options.min_chunk;
            let status = match shared.options.manners {
                Manners::Plain => StatusCode::ACCEPTED,
                Manners::Ecr => StatusCode::CREATED,
            };
            Ok(progress(status, repository, id, session.received).empty())
        }
        Method::GET | Method::HEAD => Ok(progress(StatusCode::NO_CONTENT, repository, id, session.received).empty()),
        Method::DELETE => {
            shared.uploads.close(id);
            Ok(answer(StatusCode::NO_CONTENT).empty())
        }
        _ => Err(Failure::unsupported()),
    }
}

/// Adds a chunk to a session.
async fn add(
    shared: &Shared,
    id: &str,
    session: &mut Session,
    headers: &HeaderMap,
    body: Body,
) -> Result<u64, Failure> {
    if !begins_at(headers, session.received) {
        return Err(Failure::range());
    }
    let length = session.receive(body).await?;
    if session.short && length > 0 {
        shared.uploads.close(id);
        return Err(Failure::chunk_too_small(shared.options.min_chunk));
    }
    Ok(length)
}

async fn store(shared: &Shared, repository: &Repository, digest: Digest, all: Session) -> Result<Response, Failure> {
    // The in-memory registry does not look at the bytes of a blob that it holds.
    let mut hasher = Hasher::default();
    all.chunks.iter().for_each(|chunk| hasher.update(chunk));
    let actual = hasher.finish();
    if actual != digest {
        return Err(Failure::digest_invalid(format!("the blob's digest is {actual}")));
    }
    let blob = descriptor(digest, all.received);
    let chunks = stream::iter(all.chunks.into_iter().map(Ok));
    shared.memory.put_blob(repository, &blob, Box::pin(chunks)).await?;
    Ok(created(repository, &digest))
}

fn created(repository: &Repository, digest: &Digest) -> Response {
    answer(StatusCode::CREATED)
        .with(header::LOCATION, format!("/v2/{repository}/blobs/{digest}"))
        .with(CONTENT_DIGEST, digest.to_string())
        .empty()
}

fn progress(status: StatusCode, repository: &Repository, id: &str, received: u64) -> Answer {
    answer(status)
        .with(header::LOCATION, format!("/v2/{repository}/blobs/uploads/{id}"))
        .with(header::RANGE, format!("0-{}", received.saturating_sub(1)))
        .with(UPLOAD_ID, id)
}

/// Whether a chunk that says where it begins begins where the last one ended.
fn begins_at(headers: &HeaderMap, received: u64) -> bool {
    let Some(range) = headers.get(header::CONTENT_RANGE) else { return true };
    let begin = range.to_str().ok().and_then(|text| text.split_once('-')).and_then(|(begin, _)| begin.parse().ok());
    begin == Some(received)
}

fn digest(text: &str) -> Result<Digest, Failure> {
    text.parse().map_err(|_| Failure::digest_invalid("not a sha256 digest"))
}

pub(super) fn query(uri: &Uri, name: &str) -> Option<String> {
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
