//! Blobs on their way to the registry.

use std::time::Duration;

use futures_util::TryStreamExt;
use guarded_http::{BodyError, HeaderName, HttpError, Method, Request, Response, StatusCode, Upload, header};
use release::{Digest, Repository};
use tokio::time::timeout;

use super::{HttpRegistry, chunks::chunk_size, paths, wire::refusals};
use crate::{Chunks, Descriptor, RegistryError};

/// The most bytes of a success that says all in its headers.
pub(super) const BRIEF: usize = 64 * 1024;
/// The least bytes of a chunk that is not the last (distribution-spec, "Pushing a blob in chunks").
const CHUNK_MIN_LENGTH: HeaderName = HeaderName::from_static("oci-chunk-min-length");

impl HttpRegistry {
    /// Offers the blob, and sends its bytes where the registry does not have it.
    pub(super) async fn upload_blob(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        bytes: Chunks,
    ) -> Result<(), RegistryError> {
        let Some(opened) = self.open(repository, blob.digest).await? else { return Ok(()) };
        let mut session = self.session(repository, &opened)?;
        let least = opened.header(&CHUNK_MIN_LENGTH).and_then(|text| text.parse().ok());
        let sent = match chunk_size(least, self.learnt.is_for_chunks(), blob.size) {
            Some(size) => self.send_in_chunks(repository, blob, bytes, &mut session, size).await,
            None => self.send_whole(repository, blob, bytes, &session).await,
        };
        let sent = self.renewed_once(repository, blob.digest, sent);
        match sent {
            Ok(()) => self.learnt.stored(repository, blob.digest),
            Err(_) => self.cancel(repository, &session).await,
        }
        sent
    }

    /// New credentials are a reason for another upload, but not for a third: what refuses them as well means it.
    fn renewed_once(
        &self,
        repository: &Repository,
        blob: Digest,
        sent: Result<(), RegistryError>,
    ) -> Result<(), RegistryError> {
        let renewed = matches!(sent, Err(RegistryError::Http(HttpError::Renewed { .. })));
        let renewed_before = self.learnt.renewal(repository, blob, renewed);
        match sent {
            Err(RegistryError::Http(HttpError::Renewed { refusal, .. })) if renewed_before => Err((*refusal).into()),
            sent => sent,
        }
    }

    /// Begins an upload; `None`: the registry has the blob.
    ///
    /// The offer is a mount from the repository itself. A registry that has the blob there links it once more and says
    /// 201, any other opens a session: one request tells both.
    async fn open(&self, repository: &Repository, blob: Digest) -> Result<Option<Response>, RegistryError> {
        if self.learnt.may_offer(repository, blob) {
            let offer = paths::mount(repository, repository, &blob);
            match self.post_upload(repository, &offer, paths::write_scope(repository)).await {
                Ok(response) if response.status() == StatusCode::CREATED => {
                    self.agree(repository, &response, "the blob", blob)?;
                    self.learnt.claimed(repository, blob);
                    return Ok(None);
                }
                Ok(response) => return Ok(Some(response)),
                Err(RegistryError::Http(error)) if refuses_the_offer(&error) => self.learnt.refuses_offers(),
                Err(error) => return Err(error),
            }
        }
        let response =
            self.post_upload(repository, &paths::uploads(repository), paths::write_scope(repository)).await?;
        if response.status() == StatusCode::ACCEPTED {
            Ok(Some(response))
        } else {
            Err(self.refusal(repository, response))
        }
    }

    /// 201 or 202, or an error.
    async fn post_upload(&self, repository: &Repository, path: &str, scope: String) -> Result<Response, RegistryError> {
        let mut patience = self.patience(repository);
        loop {
            let request = self.client.request(Method::POST, path)?.scope(scope.as_str());
            let error = match request.send(BRIEF).await {
                Ok(response) if matches!(response.status(), StatusCode::CREATED | StatusCode::ACCEPTED) => {
                    return Ok(response);
                }
                Ok(response) => self.refusal(repository, response),
                Err(error) => error.into(),
            };
            patience.again(error).await?;
        }
    }

    async fn send_whole(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        bytes: Chunks,
        session: &str,
    ) -> Result<(), RegistryError> {
        let upload = Upload { length: blob.size, bytes: Box::pin(bytes.map_err(BodyError::from)) };
        let response =
            self.closing(repository, blob.digest, session)?.upload(upload).send(BRIEF).await.map_err(cause)?;
        match response.status().as_u16() {
            405 | 411 | 413 | 501 => {
                self.learnt.wants_chunks();
                Err(self.upload_again(repository, "the registry takes no blob in one piece"))
            }
            _ => self.closed(repository, blob.digest, response),
        }
    }

    /// The request that ends an upload.
    pub(super) fn closing(
        &self,
        repository: &Repository,
        blob: Digest,
        session: &str,
    ) -> Result<Request<'_>, RegistryError> {
        let joint = if session.contains('?') { '&' } else { '?' };
        let request = self.writing(repository, Method::PUT, &format!("{session}{joint}digest={blob}"))?;
        Ok(request.header(header::CONTENT_TYPE, "application/octet-stream"))
    }

    /// What the answer to that says.
    pub(super) fn closed(
        &self,
        repository: &Repository,
        blob: Digest,
        response: Response,
    ) -> Result<(), RegistryError> {
        match response.status() {
            StatusCode::CREATED => self.agree(repository, &response, "the blob", blob),
            _ => Err(self.upload_refusal(repository, response)),
        }
    }

    /// As [`refusal`](Self::refusal); that the session is not known is no reason to give up.
    pub(super) fn upload_refusal(&self, repository: &Repository, response: Response) -> RegistryError {
        let no_repository = refusals::parse(response.bytes()).say(&["NAME_UNKNOWN"]);
        if response.status() == StatusCode::NOT_FOUND && !no_repository {
            return self.upload_again(repository, "the registry no longer knows it");
        }
        self.refusal(repository, response)
    }

    pub(super) fn upload_again(&self, repository: &Repository, why: &'static str) -> RegistryError {
        RegistryError::UploadAgain { at: self.at(repository), why }
    }

    /// Whether the registry took the blob from its other repository. One that will not, for whatever reason, is not asked
    /// again: an upload shows what it thinks of this client.
    pub(super) async fn mount_blob(
        &self,
        repository: &Repository,
        from: &Repository,
        blob: &Descriptor,
    ) -> Result<bool, RegistryError> {
        if !self.learnt.may_mount() {
            return Ok(false);
        }
        let scope = format!("{} {}", paths::write_scope(repository), paths::read_scope(from));
        let response = match self.post_upload(repository, &paths::mount(repository, from, &blob.digest), scope).await {
            Ok(response) => response,
            Err(error) if error.is_retryable() => return Err(error),
            Err(_) => {
                self.learnt.refuses_mounts();
                return Ok(false);
            }
        };
        if response.status() == StatusCode::CREATED {
            self.agree(repository, &response, "the blob", blob.digest)?;
            return Ok(true);
        }
        let session = self.session(repository, &response)?;
        self.cancel(repository, &session).await;
        Ok(false)
    }

    /// The URL of an upload session.
    pub(super) fn session(&self, repository: &Repository, response: &Response) -> Result<String, RegistryError> {
        let location = response.header(&header::LOCATION);
        let location = location.ok_or_else(|| self.protocol(repository, "an upload has no Location"))?;
        Ok(response.resolve(location)?.into())
    }

    /// Tells the server that an upload will not come. It also forgets by itself, so whether this succeeds is no matter,
    /// and it is not waited for long.
    async fn cancel(&self, repository: &Repository, session: &str) {
        const LONGEST: Duration = Duration::from_secs(2);
        if let Ok(request) = self.writing(repository, Method::DELETE, session) {
            drop(timeout(LONGEST, request.send(BRIEF)).await);
        }
    }
}

/// Whether a registry may take the blob, but not in this way. Where it wants other credentials it is not asked twice.
fn refuses_the_offer(error: &HttpError) -> bool {
    let status = error.status().map(|status| status.as_u16());
    !error.is_retryable() && status.is_some_and(|status| (400..600).contains(&status) && status != 403)
}

/// The error of the stream that was to be sent, where that is what failed.
fn cause(error: HttpError) -> RegistryError {
    match error {
        HttpError::Upload { call, source } => match source.downcast::<RegistryError>() {
            Ok(error) => *error,
            Err(source) => HttpError::Upload { call, source }.into(),
        },
        error => error.into(),
    }
}
