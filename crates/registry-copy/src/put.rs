//! Stores manifests, and supplies the parts that the destination turns out to lack.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures_util::{FutureExt, future::BoxFuture};
use release::{Digest, Tag};

use crate::{
    CopyError, Manifest, Put, RegistryError,
    blob::{Moved, Mover},
    retry::Backoff,
    side::Stored,
};

/// How often it is looked for what was just stored: a registry may take a moment to show it.
pub(crate) const LOOKS: usize = 5;

pub(crate) struct Putter<'a> {
    mover: Mover<'a>,
    supplied: Mutex<Supplied>,
}

/// Parts that were moved because a put was refused for want of them.
#[derive(Default)]
pub(crate) struct Supplied {
    /// Blobs with their sizes.
    pub(crate) blobs: BTreeMap<Digest, u64>,
    pub(crate) manifests: BTreeSet<Digest>,
}

impl<'a> Putter<'a> {
    pub(crate) fn new(mover: Mover<'a>) -> Self {
        Self { mover, supplied: Mutex::default() }
    }

    /// Stores a manifest, and with it each part that the destination says it lacks, whatever it said of it before.
    ///
    /// A part is supplied once in a copy. Where that does not help, the put is repeated until the deadline: some
    /// registries refuse for a moment what another client stores at the same time.
    pub(crate) async fn put(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<Put, CopyError> {
        let to = self.mover.to;
        let mut backoff = Backoff::until(to.deadline);
        loop {
            let part = match to.put(manifest, tag).await? {
                Stored::Yes(put) => return Ok(put),
                Stored::Lacks(part) => part,
            };
            let missing = RegistryError::PartMissing { repository: to.repository.clone(), part };
            let missing = CopyError::Destination(missing);
            if !self.supply(manifest, part, &missing).await? && !backoff.wait().await {
                return Err(missing);
            }
        }
    }

    /// Stores a manifest under its digest alone, and looks whether it is there.
    pub(crate) async fn put_untagged(&self, manifest: &Manifest) -> Result<(), CopyError> {
        self.put(manifest, None).await?;
        let digest = manifest.digest();
        let is_there = || async { Ok(self.mover.to.manifest(digest).await?.is_some()) };
        if self.look(is_there).await? { Ok(()) } else { Err(CopyError::Lost { digest }) }
    }

    /// The same for a referrer, which has to be listed besides.
    pub(crate) async fn put_referrer(&self, manifest: &Manifest) -> Result<(), CopyError> {
        self.put_untagged(manifest).await?;
        let Some(subject) = manifest.subject().map(|subject| subject.digest) else { return Ok(()) };
        let referrer = manifest.digest();
        let is_listed = || async {
            let listed = self.mover.to.referrers(subject).await?;
            Ok(listed.iter().any(|listed| listed.digest == referrer))
        };
        if self.look(is_listed).await? { Ok(()) } else { Err(CopyError::Unlisted { referrer, subject }) }
    }

    pub(crate) fn into_supplied(self) -> Supplied {
        self.supplied.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look<Look>(&self, is_there: impl Fn() -> Look + Send) -> Result<bool, CopyError>
    where
        Look: Future<Output = Result<bool, CopyError>> + Send,
    {
        let mut backoff = Backoff::until(self.mover.to.deadline);
        for _ in 0..LOOKS {
            if is_there().await? {
                return Ok(true);
            }
            if !backoff.wait().await {
                break;
            }
        }
        Ok(false)
    }

    /// Moves a part of `manifest`; `false` when that was done before.
    fn supply<'b>(
        &'b self,
        manifest: &'b Manifest,
        part: Digest,
        because: &'b CopyError,
    ) -> BoxFuture<'b, Result<bool, CopyError>> {
        // Boxed, for a child may lack parts in its turn.
        async move {
            if let Some(blob) = manifest.blobs().iter().find(|blob| blob.digest == part && !blob.is_foreign()) {
                if self.lock().blobs.insert(part, blob.size).is_some() {
                    return Ok(false);
                }
                self.mover.observer.restarted(&part, because);
                if self.mover.obtain(blob, false).await? == Moved::Present {
                    // Now it has claimed the blob to the face of who puts it, and is sent it in full.
                    self.mover.obtain(blob, false).await?;
                }
            } else if manifest.children().iter().any(|child| child.digest == part) {
                if !self.lock().manifests.insert(part) {
                    return Ok(false);
                }
                let child = self.mover.from.existing_manifest(part).await?;
                self.put_untagged(&child).await?;
            } else {
                return Ok(false);
            }
            Ok(true)
        }
        .boxed()
    }

    fn lock(&self) -> MutexGuard<'_, Supplied> {
        self.supplied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
