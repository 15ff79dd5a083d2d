use futures_util::{FutureExt, StreamExt, TryStreamExt, future, stream};
use guarded_http::{HttpError, Method, Response, StatusCode, header};
use release::{Digest, Repository, Tag};

use super::{
    HttpRegistry,
    answer::too_large_is_no_manifest,
    paths::{self, Reference},
    patience::{LOOKS, look_again},
};
use crate::{Chunks, Descriptor, Manifest, RegistryError};

/// How many blobs are asked for at once. More gain nothing on one connection pool, and registries count requests.
const QUESTIONS: usize = 16;

impl HttpRegistry {
    pub(super) async fn resolve_tag(
        &self,
        repository: &Repository,
        tag: &Tag,
    ) -> Result<Option<Digest>, RegistryError> {
        let found = match self.get_manifest(repository, Reference::Tag(tag)).await? {
            None if !self.learnt.is_free(repository, tag) => self.not_archived(repository, Reference::Tag(tag)).await?,
            found => found,
        };
        let Some((digest, response)) = found else {
            self.learnt.free(repository, tag);
            return Ok(None);
        };
        self.given.keep(repository, digest, response);
        Ok(Some(digest))
    }

    pub(super) async fn manifest_by_digest(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<Manifest>, RegistryError> {
        let found = match self.given.take(repository, *digest) {
            Some(response) => Some((*digest, response)),
            None => match self.get_manifest(repository, Reference::Digest(digest)).await? {
                // What this client has stored and does not see yet is no surprise.
                None if !self.learnt.was_stored(repository, *digest) => {
                    self.not_archived(repository, Reference::Digest(digest)).await?
                }
                found => found,
            },
        };
        let Some((found, response)) = found else { return Ok(None) };
        if found != *digest {
            return Err(RegistryError::DigestMismatch { what: "the manifest", expected: *digest, found });
        }
        let manifest = Manifest::parse(response.header(&header::CONTENT_TYPE), response.bytes().clone())?;
        Ok(Some(manifest))
    }

    /// Makes sure that a manifest which is not given out is not there: ECR still tells of one that is archived, and its
    /// tag is not free. What somebody has stored in between is given out now.
    async fn not_archived(
        &self,
        repository: &Repository,
        reference: Reference<'_>,
    ) -> Result<Option<(Digest, Response)>, RegistryError> {
        let request = self.reading(repository, Method::HEAD, &paths::manifest(repository, reference))?;
        let response = request.header(header::ACCEPT, &Manifest::MEDIA_TYPES.join(", ")).send(0).await?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::OK => match self.get_manifest(repository, reference).await? {
                None => Err(RegistryError::Archived { repository: repository.clone(), image: reference.to_string() }),
                stored => Ok(stored),
            },
            _ => Err(self.refusal(repository, response)),
        }
    }

    /// A manifest as the server holds it, and the digest of its bytes.
    pub(super) async fn get_manifest(
        &self,
        repository: &Repository,
        reference: Reference<'_>,
    ) -> Result<Option<(Digest, Response)>, RegistryError> {
        let request = self
            .reading(repository, Method::GET, &paths::manifest(repository, reference))?
            .header(header::ACCEPT, &Manifest::MEDIA_TYPES.join(", "));
        let response = request.send(Manifest::MAX_SIZE).await.map_err(too_large_is_no_manifest)?;
        match response.status() {
            StatusCode::OK => {
                let digest = Digest::of(response.bytes());
                self.agree(repository, &response, "the manifest", digest)?;
                Ok(Some((digest, response)))
            }
            StatusCode::NOT_FOUND => self.absent(repository, &response).map(|()| None),
            _ => Err(self.refusal(repository, response)),
        }
    }

    pub(super) async fn missing_blobs(
        &self,
        repository: &Repository,
        blobs: &[Descriptor],
    ) -> Result<Vec<Digest>, RegistryError> {
        let questions: Vec<_> = blobs
            .iter()
            .map(|blob| {
                async move { self.has_blob(repository, blob).await.map(|has| (!has).then_some(blob.digest)) }.boxed()
            })
            .collect();
        stream::iter(questions).buffered(QUESTIONS).try_filter_map(future::ok).try_collect().await
    }

    async fn has_blob(&self, repository: &Repository, blob: &Descriptor) -> Result<bool, RegistryError> {
        let mut looks = 0;
        let response = loop {
            let request = self.reading(repository, Method::HEAD, &paths::blob(repository, &blob.digest))?;
            let response = request.send(0).await?;
            let stored = response.status() == StatusCode::NOT_FOUND && self.learnt.was_stored(repository, blob.digest);
            if !stored || looks == LOOKS {
                break response;
            }
            looks += 1;
            look_again(looks).await;
        };
        match response.status() {
            StatusCode::OK => {
                let length = response.header(&header::CONTENT_LENGTH).and_then(|text| text.parse().ok());
                match length {
                    Some(found) if found != blob.size => {
                        Err(RegistryError::SizeMismatch { digest: blob.digest, expected: blob.size, found })
                    }
                    _ => Ok(true),
                }
            }
            // Whoever says so: at worst the blob is sent once more.
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(self.refusal(repository, response)),
        }
    }

    pub(super) async fn download_blob(
        &self,
        repository: &Repository,
        blob: &Descriptor,
    ) -> Result<Chunks, RegistryError> {
        let request = self.reading(repository, Method::GET, &paths::blob(repository, &blob.digest))?.follow_redirects();
        match request.download().await {
            Ok(chunks) => Ok(Box::pin(chunks.map_err(RegistryError::from))),
            Err(HttpError::Status { status: StatusCode::NOT_FOUND, .. }) => {
                Err(RegistryError::NoBlob { repository: repository.clone(), digest: blob.digest })
            }
            Err(error) => Err(self.fault(repository, error)),
        }
    }
}
