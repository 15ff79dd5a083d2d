//! Registries that do not do what they say.

use async_trait::async_trait;
use registry_copy::{Chunks, Descriptor, InMemory, Manifest, Put, Registry, RegistryError, TagRule};
use release::{Digest, Repository, Tag};

/// Takes every tag and remembers none.
#[derive(Debug)]
pub(crate) struct Forgetful(pub(crate) InMemory);

#[async_trait]
impl Registry for Forgetful {
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>, RegistryError> {
        self.0.resolve(repository, tag).await
    }

    async fn tag_rule(&self, repository: &Repository, tag: &Tag) -> Result<TagRule, RegistryError> {
        self.0.tag_rule(repository, tag).await
    }

    async fn missing(&self, repository: &Repository, blobs: &[Descriptor]) -> Result<Vec<Digest>, RegistryError> {
        self.0.missing(repository, blobs).await
    }

    async fn manifest(&self, repository: &Repository, digest: &Digest) -> Result<Option<Manifest>, RegistryError> {
        self.0.manifest(repository, digest).await
    }

    async fn blob(&self, repository: &Repository, blob: &Descriptor) -> Result<Chunks, RegistryError> {
        self.0.blob(repository, blob).await
    }

    async fn put_blob(&self, repository: &Repository, blob: &Descriptor, bytes: Chunks) -> Result<(), RegistryError> {
        self.0.put_blob(repository, blob, bytes).await
    }

    async fn put(&self, repository: &Repository, manifest: &Manifest, _: Option<&Tag>) -> Result<Put, RegistryError> {
        self.0.put(repository, manifest, None).await
    }

    async fn mount(&self, _: &Repository, _: &Repository, _: &Descriptor) -> Result<bool, RegistryError> {
        Ok(false)
    }

    async fn referrers(&self, repository: &Repository, digest: &Digest) -> Result<Vec<Descriptor>, RegistryError> {
        self.0.referrers(repository, digest).await
    }
}
