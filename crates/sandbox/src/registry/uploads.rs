use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::{body::Body, response::Response};
use bytes::{Bytes, BytesMut};
use futures_util::{TryStreamExt as _, stream};
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header, request::Parts};
use registry_copy::Registry as _;
use release::{Digest, Repository};
use url::form_urlencoded;

use super::{CONTENT_DIGEST, Failure, Shared, blobs::descriptor};
use crate::server::answer;

const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// Blobs that are being uploaded (distribution-spec, "Pushing Blobs").
#[derive(Default)]
pub(super) struct Uploads {
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    opened: u64,
    open: BTreeMap<String, Session>,
}

struct Session {
    repository: Repository,
    received: BytesMut,
}

impl Uploads {
    fn open(&self, repository: &Repository) -> String {
        let mut sessions = self.lock();
        sessions.opened += 1;
        let id = format!("upload-{}", sessions.opened);
        sessions.open.insert(id.clone(), Session { repository: repository.clone(), received: BytesMut::new() });
        id
    }

    /// Takes a session out, so that it has one user at a time. One whose chunk breaks off never comes back.
    fn take(&self, repository: &Repository, id: &str) -> Result<Session, Failure> {
        let mut sessions = self.lock();
        match sessions.open.remove(id) {
            Some(session) if session.repository == *repository => Ok(session),
            Some(session) => {
                sessions.open.insert(id.to_owned(), session);
                Err(Failure::upload_unknown())
            }
            None => Err(Failure::upload_unknown()),
        }
    }

    fn put_back(&self, id: &str, session: Session) {
        self.lock().open.insert(id.to_owned(), session);
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A POST: mounts a blob, takes a whole one, or opens a session.
pub(super) async fn start(
    shared: &Shared,
    repository: &Repository,
    uri: &Uri,
    body: Body,
) -> Result<Response, Failure> {
    if let (Some(mount), Some(from)) = (query(uri, "mount"), query(uri, "from")) {
        let digest: Digest = mount.parse().map_err(|_| Failure::digest_invalid("not a sha256 digest"))?;
        let from: Repository = from.parse().map_err(|_| Failure::name_invalid())?;
        if shared.memory.mount(repository, &from, &descriptor(digest, 0)).await? {
            return Ok(created(repository, &digest));
        }
    } else if let Some(digest) = query(uri, "digest") {
        let mut received = BytesMut::new();
        receive(&mut received, body).await?;
        return store(shared, repository, &digest, received.freeze()).await;
    }
    let id = shared.uploads.open(repository);
    Ok(progress(StatusCode::ACCEPTED, repository, &id, 0))
}

/// PATCH, PUT, GET or DELETE of a session.
pub(super) async fn go_on(
    shared: &Shared,
    repository: &Repository,
    id: &str,
    method: &Method,
    parts: &Parts,
    body: Body,
) -> Result<Response, Failure> {
    let mut session = shared.uploads.take(repository, id)?;
    if !begins_at(&parts.headers, session.received.len()) {
        shared.uploads.put_back(id, session);
        return Err(Failure::range());
    }
    match *method {
        Method::PUT => {
            let digest = query(&parts.uri, "digest").ok_or_else(|| Failure::digest_invalid("no digest"))?;
            receive(&mut session.received, body).await?;
            store(shared, repository, &digest, session.received.freeze()).await
        }
        Method::PATCH => {
            receive(&mut session.received, body).await?;
            let received = session.received.len();
            shared.uploads.put_back(id, session);
            Ok(progress(StatusCode::ACCEPTED, repository, id, received))
        }
        Method::GET => {
            let received = session.received.len();
            shared.uploads.put_back(id, session);
            Ok(progress(StatusCode::NO_CONTENT, repository, id, received))
        }
        Method::DELETE => Ok(answer(StatusCode::NO_CONTENT).empty()),
        _ => {
            shared.uploads.put_back(id, session);
            Err(Failure::unsupported())
        }
    }
}

/// Adds a body to what was received; what breaks off is not kept.
async fn receive(received: &mut BytesMut, body: Body) -> Result<(), Failure> {
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.try_next().await.map_err(|_| Failure::upload_invalid("the body broke off"))? {
        received.extend_from_slice(&chunk);
    }
    Ok(())
}

async fn store(shared: &Shared, repository: &Repository, digest: &str, bytes: Bytes) -> Result<Response, Failure> {
    let digest: Digest = digest.parse().map_err(|_| Failure::digest_invalid("not a sha256 digest"))?;
    let blob = descriptor(digest, bytes.len() as u64);
    shared.memory.put_blob(repository, &blob, Box::pin(stream::iter([Ok(bytes)]))).await?;
    Ok(created(repository, &digest))
}

fn created(repository: &Repository, digest: &Digest) -> Response {
    answer(StatusCode::CREATED)
        .with(header::LOCATION, format!("/v2/{repository}/blobs/{digest}"))
        .with(CONTENT_DIGEST, digest.to_string())
        .empty()
}

fn progress(status: StatusCode, repository: &Repository, id: &str, received: usize) -> Response {
    answer(status)
        .with(header::LOCATION, format!("/v2/{repository}/blobs/uploads/{id}"))
        .with(header::RANGE, format!("0-{}", received.saturating_sub(1)))
        .with(UPLOAD_ID, id)
        .empty()
}

/// Whether a chunk that says where it begins begins where the last one ended.
fn begins_at(headers: &HeaderMap, received: usize) -> bool {
    let Some(range) = headers.get(header::CONTENT_RANGE) else { return true };
    let begin = range.to_str().ok().and_then(|text| text.split_once('-')).and_then(|(begin, _)| begin.parse().ok());
    begin == Some(received)
}

fn query(uri: &Uri, name: &str) -> Option<String> {
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
