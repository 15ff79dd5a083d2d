use std::{fmt, pin::Pin};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use release::{Digest, Repository, Tag};

use crate::{Descriptor, Manifest, RegistryError};

/// A blob's bytes as they arrive. Nobody has hashed them yet: [`copy`](crate::copy) does, and trusts no backend to.
pub type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, RegistryError>> + Send>>;

/// What a registry promises about a tag that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagRule {
    /// It refuses to move it.
    Immutable,
    /// It moves it when asked to.
    Mutable,
    /// It does not say.
    Unknown,
}

/// What became of a manifest that was put under a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The manifest is stored; the tag, where one was given, is new or named this manifest already.
    Stored,
    /// The tag names this other manifest; nothing was written.
    Held(Digest),
}

/// A place that stores images: what [`copy`](crate::copy) needs of it and no more.
///
/// # Contract
/// Every backend passes [`conformance`](crate::conformance):
/// * No method moves a tag. [`put`](Registry::put) under a tag that names another digest answers [`Put::Held`], as far
///   as the server lets a client know; a race that only the server could refuse is what [`TagRule`] is about.
/// * A manifest's digest is of its bytes as received. A backend that is told another one fails.
/// * "Not there" is `None` or `false`, never an error; an error means that the answer is not known.
/// * A call may be repeated: storing what is stored already succeeds.
/// * A future may be dropped at any await: what was stored by then is whole blobs and manifests.
#[async_trait]
pub trait Registry: fmt::Debug + Send + Sync {
    /// The digest that a tag names, computed from the manifest's bytes.
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>, RegistryError>;

    /// What the registry promises about this tag once written.
    async fn tag_rule(&self, repository: &Repository, tag: &Tag) -> Result<TagRule, RegistryError>;

    /// What the registry's own settings may do to this tag once it is written: nothing that forbids it, but what
    /// somebody should know, in sentences.
    async fn cautions(&self, _repository: &Repository, _tag: &Tag) -> Result<Vec<String>, RegistryError> {
        Ok(Vec::new())
    }

    /// Whether [`missing`](Self::missing) costs one request for many blobs. Where it does not, [`copy`](crate::copy)
    /// offers each blob to [`put_blob`](Self::put_blob) instead of asking first.
    fn answers_in_bulk(&self) -> bool {
        false
    }

    /// Which of these blobs are not in the repository, in the order given. It changes nothing.
    async fn missing(&self, repository: &Repository, blobs: &[Descriptor]) -> Result<Vec<Digest>, RegistryError>;

    /// A manifest by its digest; at most 4 MiB.
    async fn manifest(&self, repository: &Repository, digest: &Digest) -> Result<Option<Manifest>, RegistryError>;

    /// A blob's bytes. The stream ends with an error where the backend notices that bytes are missing.
    async fn blob(&self, repository: &Repository, blob: &Descriptor) -> Result<Chunks, RegistryError>;

    /// Stores a blob of exactly the descriptor's size and digest; anything else is refused and leaves nothing behind.
    ///
    /// Where the registry turns out to have the blob, this may end without asking for a single byte: who wants to
    /// know whether bytes went by must look at the stream, which may be opened as late as at its first poll. Called once
    /// more for a blob of which this was the answer, it does not rely on what the registry claims.
    async fn put_blob(&self, repository: &Repository, blob: &Descriptor, bytes: Chunks) -> Result<(), RegistryError>;

    /// Stores a manifest whose parts are all there, and names it by `tag` where one is given.
    async fn put(&self, repository: &Repository, manifest: &Manifest, tag: Option<&Tag>) -> Result<Put, RegistryError>;

    /// Makes a blob of another repository of this registry available in `repository`; `false`: upload it.
    async fn mount(&self, repository: &Repository, from: &Repository, blob: &Descriptor)
    -> Result<bool, RegistryError>;

    /// The manifests whose subject is `digest`. A registry that cannot tell is an error
    /// ([`RegistryError::NoReferrersApi`]), not an empty list.
    async fn referrers(&self, repository: &Repository, digest: &Digest) -> Result<Vec<Descriptor>, RegistryError>;
}
