//! A registry over HTTP (OCI distribution-spec 1.1).

mod answer;
mod link;
mod paths;
mod pull;
mod push;
mod referrers;
mod subject;

use async_trait::async_trait;
use guarded_http::{Client, Credentials, Limits, Origin};
use release::{Authority, Digest, Repository, Tag};

use crate::{Chunks, Descriptor, Manifest, Put, Registry, RegistryError, TagRule};

/// A registry that is spoken to over HTTP, anonymously or with Basic authentication.
///
/// Nothing it says is believed: digests are computed, and a `Docker-Content-Digest` that disagrees is an error; upload
/// locations and further pages are followed on its own origin alone. A call that is harmless when repeated is repeated
/// on temporary faults until the deadline of the [`Limits`]; transfers of blobs are not.
#[derive(Debug)]
pub struct HttpRegistry {
    client: Client,
}

impl HttpRegistry {
    /// The registry at `authority`: over HTTPS, except on loopback. No connection is made yet.
    ///
    /// # Errors
    /// [`RegistryError::Http`] when the credentials fit into no header or the system's certificates cannot be read.
    pub fn new(authority: &Authority, credentials: &Credentials, limits: Limits) -> Result<Self, RegistryError> {
        Ok(Self { client: Client::new(Origin::for_registry(authority), credentials, limits)? })
    }

    /// How many requests were sent so far, repeated ones included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.client.requests()
    }
}

#[async_trait]
impl Registry for HttpRegistry {
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>, RegistryError> {
        self.resolve_tag(repository, tag).await
    }

    /// Always unknown: the protocol has no word for it.
    async fn tag_rule(&self, _repository: &Repository, _tag: &Tag) -> Result<TagRule, RegistryError> {
        Ok(TagRule::Unknown)
    }

    async fn missing(&self, repository: &Repository, blobs: &[Descriptor]) -> Result<Vec<Digest>, RegistryError> {
        self.missing_blobs(repository, blobs).await
    }

    async fn manifest(&self, repository: &Repository, digest: &Digest) -> Result<Option<Manifest>, RegistryError> {
        self.manifest_by_digest(repository, digest).await
    }

    async fn blob(&self, repository: &Repository, blob: &Descriptor) -> Result<Chunks, RegistryError> {
        self.download_blob(repository, blob).await
    }

    async fn put_blob(&self, repository: &Repository, blob: &Descriptor, bytes: Chunks) -> Result<(), RegistryError> {
        self.upload_blob(repository, blob, bytes).await
    }

    async fn put(&self, repository: &Repository, manifest: &Manifest, tag: Option<&Tag>) -> Result<Put, RegistryError> {
        let put = match tag {
            Some(tag) => self.put_under_tag(repository, manifest, tag).await?,
            None => self.put_by_digest(repository, manifest).await?,
        };
        if put == Put::Stored {
            self.list_under_subject(repository, manifest).await?;
        }
        Ok(put)
    }

    async fn mount(
        &self,
        repository: &Repository,
        from: &Repository,
        blob: &Descriptor,
    ) -> Result<bool, RegistryError> {
        self.mount_blob(repository, from, blob).await
    }

    async fn referrers(&self, repository: &Repository, digest: &Digest) -> Result<Vec<Descriptor>, RegistryError> {
        self.referrers_of(repository, digest).await
    }
}
