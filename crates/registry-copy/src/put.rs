//! Stores manifests, and supplies the parts that the destination turns out to lack.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use release::{Digest, Tag};

use crate::{
    CopyError, Manifest, Observer, Put, RegistryError,
    blob::move_blob,
    retry::Backoff,
    side::{Side, Stored},
};

/// How often it is looked for what was just stored: a registry may take a moment to show it.
pub(crate) const LOOKS: usize = 5;

pub(crate) struct Putter<'a> {
    from: Side<'a>,
    to: Side<'a>,
    stall: Duration,
    observer: &'a dyn Observer,
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
    pub(crate) fn new(from: Side<'a>, to: Side<'a>, stall: Duration, observer: &'a dyn Observer) -> Self {
        Self { from, to, stall, observer, supplied: Mutex::default() }
    }

    /// Stores a manifest, and with it each part that the destination says it lacks, whatever it said of it before.
    ///
    /// A part is supplied once in a copy. Where that does not help, the put is repeated until the deadline: some
    /// registries refuse for a moment what another client stores at the same time.
    pub(crate) async fn put(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<Put, CopyError> {
        let mut backoff = Backoff::until(self.to.deadline);
        loop {
            let part = match self.to.put(manifest, tag).await? {
                Stored::Yes(put) => return Ok(put),
                Stored::Lacks(part) => part,
            };
            let missing = RegistryError::PartMissing { repository: self.to.repository.clone(), part };
            let missing = CopyError::Destination(missing);
            if !self.supply(manifest, part, &missing).await? && !backoff.wait().await {
                return Err(missing);
            }
        }
    }

    /// Stores a manifest under its digest alone, and looks whether it is there.
    pub(crate) async fn put_untagged(&self, manifest: Manifest) -> Result<(), CopyError> {
        self.put(&manifest, None).await?;
        let digest = manifest.digest();
        let mut backoff = Backoff::until(self.to.deadline);
        for _ in 0..LOOKS {
            if self.to.manifest(digest).await?.is_some() {
                return Ok(());
            }
            if !backoff.wait().await {
                break;
            }
        }
        Err(CopyError::Lost { digest })
    }

    pub(crate) fn into_supplied(self) -> Supplied {
        self.supplied.into_inner().unwrap_or_else(PoisonError::into_inner)
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
                self.observer.restarted(&part, because);
                move_blob(self.from, self.to, blob, self.stall, self.observer).await?;
            } else if manifest.children().iter().any(|child| child.digest == part) {
                if !self.lock().manifests.insert(part) {
                    return Ok(false);
                }
                let child = self.from.existing_manifest(part).await?;
                self.put_untagged(child).await?;
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
