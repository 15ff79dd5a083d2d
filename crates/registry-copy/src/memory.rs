use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{TryStreamExt, stream};
use release::{Digest, Repository, Tag};

use crate::{Chunks, Descriptor, Manifest, Put, Registry, RegistryError, TagRule, checked::checked};

/// A strict registry in memory: it checks digests and sizes, and takes no manifest before its parts.
///
/// Repositories have to be created first, as on ECR. Clones are the same registry. Each call is atomic.
#[derive(Clone, Default)]
pub struct InMemory {
    bulk: bool,
    repositories: Arc<Mutex<BTreeMap<Repository, Contents>>>,
}

struct Contents {
    rule: TagRule,
    blobs: BTreeMap<Digest, Bytes>,
    manifests: BTreeMap<Digest, Manifest>,
    tags: BTreeMap<Tag, Digest>,
}

/// The administrator's view, which no client of a registry has.
impl InMemory {
    /// A registry without repositories.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same registry, which from now on [answers in bulk](Registry::answers_in_bulk), as ECR does.
    #[must_use]
    pub fn answering_in_bulk(self) -> Self {
        Self { bulk: true, ..self }
    }

    /// Creates a repository whose tags follow `rule`, or changes the rule of one.
    pub fn create(&self, repository: &Repository, rule: TagRule) {
        self.lock().entry(repository.clone()).or_insert_with(Contents::new).rule = rule;
    }

    /// The repositories, in order.
    #[must_use]
    pub fn repositories(&self) -> Vec<Repository> {
        self.lock().keys().cloned().collect()
    }

    /// The tags of a repository and what they name; nothing where there is no such repository.
    #[must_use]
    pub fn tags(&self, repository: &Repository) -> BTreeMap<Tag, Digest> {
        self.lock().get(repository).map(|contents| contents.tags.clone()).unwrap_or_default()
    }

    /// The digests of all manifests and blobs that a repository holds, in order.
    #[must_use]
    pub fn digests(&self, repository: &Repository) -> Vec<Digest> {
        let repositories = self.lock();
        let Some(contents) = repositories.get(repository) else { return Vec::new() };
        let mut digests: Vec<Digest> = contents.manifests.keys().chain(contents.blobs.keys()).copied().collect();
        digests.sort_unstable();
        digests
    }

    /// Makes a tag name a digest whatever it named before, as somebody with the right to delete tags can. Nothing
    /// checks that the manifest is there.
    pub fn force_tag(&self, repository: &Repository, tag: &Tag, digest: Digest) {
        if let Some(contents) = self.lock().get_mut(repository) {
            contents.tags.insert(tag.clone(), digest);
        }
    }

    /// Takes a tag away; what it named stays.
    pub fn remove_tag(&self, repository: &Repository, tag: &Tag) {
        if let Some(contents) = self.lock().get_mut(repository) {
            contents.tags.remove(tag);
        }
    }

    /// Changes the bytes that are served for a blob, as a broken disk would; its digest stays.
    pub fn corrupt_blob(&self, repository: &Repository, blob: &Digest, bytes: Bytes) {
        if let Some(contents) = self.lock().get_mut(repository) {
            contents.blobs.insert(*blob, bytes);
        }
    }

    /// Removes a blob or a manifest, as a careless clean-up would: whatever needs it stays.
    pub fn remove(&self, repository: &Repository, digest: &Digest) {
        if let Some(contents) = self.lock().get_mut(repository) {
            contents.blobs.remove(digest);
            contents.manifests.remove(digest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Repository, Contents>> {
        // No change is half made where a panic could happen.
        self.repositories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn within<T>(
        &self,
        repository: &Repository,
        act: impl FnOnce(&mut Contents) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        match self.lock().get_mut(repository) {
            Some(contents) => act(contents),
            None => Err(RegistryError::NoRepository { repository: repository.clone() }),
        }
    }
}

impl fmt::Debug for InMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.repositories()).finish()
    }
}

#[async_trait]
impl Registry for InMemory {
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>, RegistryError> {
        self.within(repository, |contents| {
            // A tag whose manifest was removed holds nothing that could be read.
            let named = contents.tags.get(tag).filter(|digest| contents.manifests.contains_key(digest));
            Ok(named.copied())
        })
    }

    async fn tag_rule(&self, repository: &Repository, _: &Tag) -> Result<TagRule, RegistryError> {
        self.within(repository, |contents| Ok(contents.rule))
    }

    fn answers_in_bulk(&self) -> bool {
        self.bulk
    }

    async fn missing(&self, repository: &Repository, blobs: &[Descriptor]) -> Result<Vec<Digest>, RegistryError> {
        self.within(repository, |contents| {
            let absent = |blob: &&Descriptor| !contents.blobs.contains_key(&blob.digest);
            Ok(blobs.iter().filter(absent).map(|blob| blob.digest).collect())
        })
    }

    async fn manifest(&self, repository: &Repository, digest: &Digest) -> Result<Option<Manifest>, RegistryError> {
        self.within(repository, |contents| Ok(contents.manifests.get(digest).cloned()))
    }

    async fn blob(&self, repository: &Repository, blob: &Descriptor) -> Result<Chunks, RegistryError> {
        const CHUNK: usize = 64 << 10;
        let mut bytes = self.within(repository, |contents| {
            let absent = || RegistryError::NoBlob { repository: repository.clone(), digest: blob.digest };
            contents.blobs.get(&blob.digest).cloned().ok_or_else(absent)
        })?;
        let chunks = std::iter::from_fn(move || {
            let chunk = bytes.split_to(bytes.len().min(CHUNK));
            (!chunk.is_empty()).then_some(Ok(chunk))
        });
        Ok(Box::pin(stream::iter(chunks)))
    }

    async fn put_blob(&self, repository: &Repository, blob: &Descriptor, bytes: Chunks) -> Result<(), RegistryError> {
        if self.within(repository, |contents| Ok(contents.blobs.contains_key(&blob.digest)))? {
            return Ok(());
        }
        let mut chunks = checked(blob, bytes);
        let mut whole = BytesMut::new();
        while let Some(chunk) = chunks.try_next().await? {
            whole.extend_from_slice(&chunk);
        }
        self.within(repository, |contents| {
            contents.blobs.insert(blob.digest, whole.freeze());
            Ok(())
        })
    }

    async fn put(&self, repository: &Repository, manifest: &Manifest, tag: Option<&Tag>) -> Result<Put, RegistryError> {
        self.within(repository, |contents| {
            let digest = manifest.digest();
            match tag.and_then(|tag| contents.tags.get(tag)) {
                Some(held) if *held != digest => return Ok(Put::Held(*held)),
                _ => {}
            }
            if let Some(part) = contents.absent_part(manifest) {
                return Err(RegistryError::PartMissing { repository: repository.clone(), part });
            }
            contents.manifests.insert(digest, manifest.clone());
            if let Some(tag) = tag {
                contents.tags.insert(tag.clone(), digest);
            }
            Ok(Put::Stored)
        })
    }

    async fn mount(
        &self,
        repository: &Repository,
        from: &Repository,
        blob: &Descriptor,
    ) -> Result<bool, RegistryError> {
        let there = self.lock().get(from).and_then(|contents| contents.blobs.get(&blob.digest)).cloned();
        self.within(repository, |contents| {
            let Some(bytes) = there else { return Ok(false) };
            contents.blobs.insert(blob.digest, bytes);
            Ok(true)
        })
    }

    async fn referrers(&self, repository: &Repository, digest: &Digest) -> Result<Vec<Descriptor>, RegistryError> {
        self.within(repository, |contents| {
            let refers = |manifest: &&Manifest| manifest.subject().is_some_and(|subject| subject.digest == *digest);
            Ok(contents.manifests.values().filter(refers).map(Manifest::descriptor).collect())
        })
    }
}

impl Contents {
    fn new() -> Self {
        Self { rule: TagRule::Immutable, blobs: BTreeMap::new(), manifests: BTreeMap::new(), tags: BTreeMap::new() }
    }

    /// The first part of a manifest that is not here. Its subject is none: it may come later or never.
    fn absent_part(&self, manifest: &Manifest) -> Option<Digest> {
        let blobs = manifest.blobs().iter().filter(|blob| !blob.is_foreign());
        let blob = blobs.map(|blob| blob.digest).find(|digest| !self.blobs.contains_key(digest));
        let children = || manifest.children().iter().map(|child| child.digest);
        blob.or_else(|| children().find(|digest| !self.manifests.contains_key(digest)))
    }
}
