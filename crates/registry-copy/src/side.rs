use release::{Digest, Repository, Tag};
use tokio::time::Instant;

use crate::{CopyError, Descriptor, Destination, Manifest, Put, Registry, RegistryError, Source, retry::retry};

/// One end of a copy: its calls are repeated while that may help, and its errors say which end it is.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) registry: &'a dyn Registry,
    pub(crate) repository: &'a Repository,
    pub(crate) deadline: Instant,
    pub(crate) blame: fn(RegistryError) -> CopyError,
}

impl<'a> Side<'a> {
    pub(crate) fn source(source: &'a Source<'_>, deadline: Instant) -> Self {
        let Source { registry, repository, .. } = source;
        Self { registry: *registry, repository, deadline, blame: CopyError::Source }
    }

    pub(crate) fn destination(destination: &'a Destination<'_>, deadline: Instant) -> Self {
        let Destination { registry, repository, .. } = destination;
        Self { registry: *registry, repository, deadline, blame: CopyError::Destination }
    }

    pub(crate) async fn resolve(&self, tag: &Tag) -> Result<Option<Digest>, CopyError> {
        self.call(|| self.registry.resolve(self.repository, tag)).await
    }

    pub(crate) async fn manifest(&self, digest: Digest) -> Result<Option<Manifest>, CopyError> {
        let found = self.call(|| self.registry.manifest(self.repository, &digest)).await?;
        found.map(|manifest| expect(manifest, digest)).transpose().map_err(self.blame)
    }

    pub(crate) async fn existing_manifest(&self, digest: Digest) -> Result<Manifest, CopyError> {
        self.manifest(digest).await?.ok_or_else(|| self.no_manifest(digest))
    }

    pub(crate) fn no_manifest(&self, digest: Digest) -> CopyError {
        (self.blame)(RegistryError::NoManifest { repository: self.repository.clone(), digest })
    }

    pub(crate) async fn missing(&self, blobs: &[Descriptor]) -> Result<Vec<Digest>, CopyError> {
        if blobs.is_empty() {
            return Ok(Vec::new());
        }
        self.call(|| self.registry.missing(self.repository, blobs)).await
    }

    /// That a part is missing is an answer here: the same put again would not bring it.
    pub(crate) async fn put(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<Stored, CopyError> {
        self.call(|| async {
            match self.registry.put(self.repository, manifest, tag).await {
                Ok(put) => Ok(Stored::Yes(put)),
                Err(RegistryError::PartMissing { part, .. }) => Ok(Stored::Lacks(Some(part))),
                Err(RegistryError::PartsMissing { .. }) => Ok(Stored::Lacks(None)),
                Err(error) => Err(error),
            }
        })
        .await
    }

    pub(crate) async fn mount(&self, from: &Repository, blob: &Descriptor) -> Result<bool, CopyError> {
        self.call(|| self.registry.mount(self.repository, from, blob)).await
    }

    pub(crate) async fn referrers(&self, subject: Digest) -> Result<Vec<Descriptor>, CopyError> {
        self.call(|| self.registry.referrers(self.repository, &subject)).await
    }

    /// The same of a source; `None`: it cannot tell.
    pub(crate) async fn known_referrers(&self, subject: Digest) -> Result<Option<Vec<Descriptor>>, CopyError> {
        match self.referrers(subject).await {
            Ok(listed) => Ok(Some(listed)),
            Err(CopyError::Source(RegistryError::NoReferrersApi { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether a manifest is listed among the referrers of its subject, where it has one. One that is not and could not
    /// be is an error.
    pub(crate) async fn lists(&self, referrer: &Manifest) -> Result<bool, CopyError> {
        let Some(subject) = referrer.subject() else { return Ok(true) };
        let listed = self.referrers(subject.digest).await?;
        if listed.iter().any(|listed| listed.digest == referrer.digest()) {
            return Ok(true);
        }
        if listed.len() < Manifest::MAX_DESCRIPTORS {
            return Ok(false);
        }
        let repository = self.repository.clone();
        Err((self.blame)(RegistryError::ReferrersFull { repository, subject: subject.digest }))
    }

    async fn call<T, F, Call>(&self, mut call: F) -> Result<T, CopyError>
    where
        F: FnMut() -> Call + Send,
        Call: Future<Output = Result<T, RegistryError>> + Send,
    {
        retry(self.deadline, || {
            let answer = call();
            async { answer.await.map_err(self.blame) }
        })
        .await
    }
}

/// What came of a put.
pub(crate) enum Stored {
    Yes(Put),
    /// Nothing, for a part is not there; this one, where it is named.
    Lacks(Option<Digest>),
}

/// No backend is trusted to have compared the bytes with the digest that was asked for.
pub(crate) fn expect(manifest: Manifest, expected: Digest) -> Result<Manifest, RegistryError> {
    match manifest.digest() {
        found if found == expected => Ok(manifest),
        found => Err(RegistryError::DigestMismatch { what: "the manifest", expected, found }),
    }
}
