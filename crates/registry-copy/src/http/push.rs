//! Manifests on their way to the registry.

use guarded_http::{HeaderName, Method, StatusCode, header};
use release::{Repository, Tag};

use super::{
    HttpRegistry,
    paths::{self, Reference},
    upload::BRIEF,
    wire::refusals,
};
use crate::{Manifest, Put, RegistryError};

/// The subject that a registry has listed a manifest under (distribution-spec, "Pushing Manifests with Subject").
const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

/// Whether the registry says that it lists a manifest among the referrers of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listed {
    Yes,
    Unknown,
}

impl HttpRegistry {
    /// Looks before each write, and when one seems to have failed, looks again: the tag decides. A blind repetition
    /// could move a tag that somebody else has taken since.
    pub(super) async fn put_under_tag(
        &self,
        repository: &Repository,
        manifest: &Manifest,
        tag: &Tag,
    ) -> Result<(Put, Listed), RegistryError> {
        let mut patience = self.patience(repository);
        loop {
            if let Some(put) = self.outcome(repository, manifest, tag).await? {
                return Ok((put, Listed::Unknown));
            }
            let error = match self.put_manifest(repository, manifest, Reference::Tag(tag)).await {
                Ok(listed) => return Ok((Put::Stored, listed)),
                Err(error) if error.is_integrity() => return Err(error),
                Err(error) => error,
            };
            if let Err(error) = patience.again(error).await {
                let outcome = self.outcome(repository, manifest, tag).await;
                return outcome.ok().flatten().map(|put| (put, Listed::Unknown)).ok_or(error);
            }
        }
    }

    pub(super) async fn put_by_digest(
        &self,
        repository: &Repository,
        manifest: &Manifest,
    ) -> Result<Listed, RegistryError> {
        let mut patience = self.patience(repository);
        loop {
            match self.put_manifest(repository, manifest, Reference::Digest(&manifest.digest())).await {
                Ok(listed) => return Ok(listed),
                Err(error) => patience.again(error).await?,
            }
        }
    }

    async fn put_manifest(
        &self,
        repository: &Repository,
        manifest: &Manifest,
        reference: Reference<'_>,
    ) -> Result<Listed, RegistryError> {
        let request = self
            .writing(repository, Method::PUT, &paths::manifest(repository, reference))?
            .header(header::CONTENT_TYPE, manifest.media_type())
            .body(manifest.bytes().clone());
        let response = request.send(BRIEF).await?;
        if response.status() != StatusCode::CREATED {
            let lacks_parts = refusals::parse(response.bytes()).say(&["MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"]);
            return Err(match self.refusal(repository, response) {
                RegistryError::Http(_) if lacks_parts => RegistryError::PartsMissing { repository: repository.clone() },
                error => error,
            });
        }
        self.agree(repository, &response, "the manifest", manifest.digest())?;
        self.learnt.stored(repository, manifest.digest());
        let listed = response.header(&SUBJECT).and_then(|text| text.parse().ok());
        let subject = manifest.subject().map(|subject| subject.digest);
        Ok(if listed.is_some() && listed == subject { Listed::Yes } else { Listed::Unknown })
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
}
