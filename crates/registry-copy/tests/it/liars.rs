//! Registries that do not do what they say.

use std::{
    collections::BTreeSet,
    future::pending,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use registry_copy::{Chunks, Descriptor, InMemory, Manifest, Put, Registry, RegistryError, TagRule};
use release::{Digest, Repository, Tag};

/// A registry that is honest but for one thing.
#[derive(Debug)]
pub(crate) struct Liar {
    pub(crate) inner: InMemory,
    pub(crate) lie: Lie,
}

#[derive(Debug)]
pub(crate) enum Lie {
    /// Takes every tag and remembers none.
    ForgetsTags,
    /// Says that this one refers to everything.
    ListsReferrer(Descriptor),
    /// Sends a byte of each blob and then none.
    FallsSilent,
    /// Sends other bytes for each blob, and two empty chunks behind them.
    SendsEmptyChunksAfterWrongOnes,
    /// Says that it has every blob, when asked and when one is offered for the first time.
    ClaimsBlobs(Mutex<BTreeSet<Digest>>),
    /// Lists no referrers.
    ListsNone,
    /// Lists none until a referrer was put this many times: somebody overwrites the list.
    LosesList(AtomicUsize),
    /// Has no list of referrers.
    CannotList,
    /// Shows the manifests of another registry as its own.
    ShowsManifestsOf(InMemory),
    /// Refuses every manifest for want of this part.
    NeverFinds(Digest),
    /// Does not say which part it lacks, and this.
    NamesNone(Box<Lie>),
}

impl Liar {
    fn lie(&self) -> &Lie {
        match &self.lie {
            Lie::NamesNone(lie) => lie,
            lie => lie,
        }
    }
}

#[async_trait]
impl Registry for Liar {
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>, RegistryError> {
        self.inner.resolve(repository, tag).await
    }

    async fn tag_rule(&self, repository: &Repository, tag: &Tag) -> Result<TagRule, RegistryError> {
        self.inner.tag_rule(repository, tag).await
    }

    fn answers_in_bulk(&self) -> bool {
        self.inner.answers_in_bulk()
    }

    async fn missing(&self, repository: &Repository, blobs: &[Descriptor]) -> Result<Vec<Digest>, RegistryError> {
        match self.lie() {
            Lie::ClaimsBlobs(_) => Ok(Vec::new()),
            _ => self.inner.missing(repository, blobs).await,
        }
    }

    async fn manifest(&self, repository: &Repository, digest: &Digest) -> Result<Option<Manifest>, RegistryError> {
        match self.lie() {
            Lie::ShowsManifestsOf(other) => other.manifest(repository, digest).await,
            _ => self.inner.manifest(repository, digest).await,
        }
    }

    async fn blob(&self, repository: &Repository, blob: &Descriptor) -> Result<Chunks, RegistryError> {
        let chunks = self.inner.blob(repository, blob).await?;
        match self.lie() {
            Lie::FallsSilent => {
                let first = chunks.take(1).map(|chunk| chunk.map(|bytes| bytes.slice(..1)));
                Ok(first.chain(stream::once(pending())).boxed())
            }
            Lie::SendsEmptyChunksAfterWrongOnes => {
                let wrong = vec![b'!'; usize::try_from(blob.size).unwrap()];
                Ok(stream::iter([Ok(wrong.into()), Ok(Bytes::new()), Ok(Bytes::new())]).boxed())
            }
            _ => Ok(chunks),
        }
    }

    async fn put_blob(&self, repository: &Repository, blob: &Descriptor, bytes: Chunks) -> Result<(), RegistryError> {
        if let Lie::ClaimsBlobs(offered) = self.lie()
            && offered.lock().unwrap().insert(blob.digest)
        {
            return Ok(());
        }
        self.inner.put_blob(repository, blob, bytes).await
    }

    async fn put(&self, repository: &Repository, manifest: &Manifest, tag: Option<&Tag>) -> Result<Put, RegistryError> {
        let tag = tag.filter(|_| !matches!(self.lie(), Lie::ForgetsTags));
        let repository = repository.clone();
        if let Lie::LosesList(puts) = self.lie()
            && manifest.subject().is_some()
        {
            puts.store(puts.load(Ordering::Relaxed).saturating_sub(1), Ordering::Relaxed);
        }
        let put = match *self.lie() {
            Lie::NeverFinds(part) => Err(RegistryError::PartMissing { repository: repository.clone(), part }),
            _ => self.inner.put(&repository, manifest, tag).await,
        };
        match put {
            Err(RegistryError::PartMissing { .. }) if matches!(self.lie, Lie::NamesNone(_)) => {
                Err(RegistryError::PartsMissing { repository })
            }
            put => put,
        }
    }

    async fn mount(&self, _: &Repository, _: &Repository, _: &Descriptor) -> Result<bool, RegistryError> {
        Ok(false)
    }

    async fn referrers(&self, repository: &Repository, digest: &Digest) -> Result<Vec<Descriptor>, RegistryError> {
        match self.lie() {
            Lie::ListsReferrer(stranger) => Ok(vec![stranger.clone()]),
            Lie::ListsNone => Ok(Vec::new()),
            Lie::LosesList(puts) if puts.load(Ordering::Relaxed) > 0 => Ok(Vec::new()),
            Lie::CannotList => Err(RegistryError::NoReferrersApi { at: repository.to_string() }),
            _ => self.inner.referrers(repository, digest).await,
        }
    }
}
