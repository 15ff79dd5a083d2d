use std::time::Duration;

use futures_util::TryStreamExt;
use guarded_http::{BodyError, HttpError, Method, Response, StatusCode, Upload, header};
use release::{Repository, Tag};
use tokio::time::{sleep, timeout};

use super::{
    HttpRegistry,
    paths::{self, Reference},
};
use crate::{Chunks, Descriptor, Manifest, Put, RegistryError};

/// The most bytes of a success that says all in its headers.
pub(super) const BRIEF: usize = 64 * 1024;

impl HttpRegistry {
    pub(super) async fn upload_blob(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        bytes: Chunks,
    ) -> Result<(), RegistryError> {
        let opened = self.client.request(Method::POST, &paths::uploads(repository))?.idempotent().send(BRIEF).await?;
        if opened.status() != StatusCode::ACCEPTED {
            return Err(self.refusal(repository, opened));
        }
        let session = self.session(repository, &opened)?;
        let stored = self.send_blob(repository, blob, bytes, &session).await;
        if stored.is_err() {
            self.cancel(&session).await;
        }
        stored
    }

    async fn send_blob(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        bytes: Chunks,
        session: &str,
    ) -> Result<(), RegistryError> {
        let joint = if session.contains('?') { '&' } else { '?' };
        let request = self
            .client
            .request(Method::PUT, &format!("{session}{joint}digest={}", blob.digest))?
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .upload(Upload { length: blob.size, bytes: Box::pin(bytes.map_err(BodyError::from)) });
        let response = request.send(BRIEF).await.map_err(cause)?;
        if response.status() != StatusCode::CREATED {
            return Err(self.refusal(repository, response));
        }
        self.agree(repository, &response, "the blob", blob.digest)
    }

    pub(super) async fn mount_blob(
        &self,
        repository: &Repository,
        from: &Repository,
        blob: &Descriptor,
    ) -> Result<bool, RegistryError> {
        let path = paths::mount(repository, from, &blob.digest);
        let response = self.client.request(Method::POST, &path)?.idempotent().send(BRIEF).await?;
        match response.status() {
            StatusCode::CREATED => {
                self.agree(repository, &response, "the blob", blob.digest)?;
                Ok(true)
            }
            StatusCode::ACCEPTED => {
                let session = self.session(repository, &response)?;
                self.cancel(&session).await;
                Ok(false)
            }
            _ => Err(self.refusal(repository, response)),
        }
    }

    /// Looks before each write, and when one seems to have failed, looks again: the tag decides. A blind repetition
    /// could move a tag that somebody else has taken since.
    pub(super) async fn put_under_tag(
        &self,
        repository: &Repository,
        manifest: &Manifest,
        tag: &Tag,
    ) -> Result<Put, RegistryError> {
        let mut retries = self.client.retries();
        loop {
            if let Some(put) = self.outcome(repository, manifest, tag).await? {
                return Ok(put);
            }
            match self.put_manifest(repository, manifest, Reference::Tag(tag)).await {
                Ok(()) => return Ok(Put::Stored),
                Err(RegistryError::Http(error)) if error.is_retryable() => sleep(retries.pause(error)?).await,
                Err(error) if error.is_integrity() => return Err(error),
                Err(error) => {
                    let outcome = self.outcome(repository, manifest, tag).await;
                    return outcome.ok().flatten().ok_or(error);
                }
            }
        }
    }

    pub(super) async fn put_by_digest(
        &self,
        repository: &Repository,
        manifest: &Manifest,
    ) -> Result<Put, RegistryError> {
        self.put_manifest(repository, manifest, Reference::Digest(&manifest.digest())).await?;
        Ok(Put::Stored)
    }

    async fn put_manifest(
        &self,
        repository: &Repository,
        manifest: &Manifest,
        reference: Reference<'_>,
    ) -> Result<(), RegistryError> {
        let mut request = self
            .client
            .request(Method::PUT, &paths::manifest(repository, reference))?
            .header(header::CONTENT_TYPE, manifest.media_type())
            .body(manifest.bytes().clone());
        if matches!(reference, Reference::Digest(_)) {
            request = request.idempotent();
        }
        let response = request.send(BRIEF).await?;
        if response.status() != StatusCode::CREATED {
            return Err(self.refusal(repository, response));
        }
        self.agree(repository, &response, "the manifest", manifest.digest())
    }

    /// What became of a put, as the tag tells it; `None`: nothing.
    async fn outcome(
        &self,
        repository: &Repository,
        manifest: &Manifest,
        tag: &Tag,
    ) -> Result<Option<Put>, RegistryError> {
        let held = self.resolve_tag(repository, tag).await?;
        Ok(held.map(|digest| if digest == manifest.digest() { Put::Stored } else { Put::Held(digest) }))
    }

    /// The URL of an upload session.
    fn session(&self, repository: &Repository, response: &Response) -> Result<String, RegistryError> {
        let location = response.header(&header::LOCATION);
        let location = location.ok_or_else(|| self.protocol(repository, "an upload has no Location"))?;
        Ok(response.resolve(location)?.into())
    }

    /// Tells the server that an upload will not come. It also forgets by itself, so whether this succeeds is no matter,
    /// and it is not waited for long.
    async fn cancel(&self, session: &str) {
        const LONGEST: Duration = Duration::from_secs(2);
        if let Ok(request) = self.client.request(Method::DELETE, session) {
            drop(timeout(LONGEST, request.send(BRIEF)).await);
        }
    }
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
