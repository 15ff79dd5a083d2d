//! Stores manifests, and supplies the parts that the destination turns out to lack.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, try_join},
};
use release::{Digest, Tag};

use crate::{
    CopyError, Descriptor, Manifest, Put, RegistryError,
    blob::{Moved, Mover},
    retry::Backoff,
    side::Stored,
};

/// How often it is looked for what was just stored: a registry may take a moment to show it.
pub(crate) const LOOKS: usize = 5;

pub(crate) struct Putter<'a> {
    mover: Mover<'a>,
    given: Mutex<Given>,
}

/// What the destination was given in this copy.
#[derive(Default)]
struct Given {
    /// Parts that were stored, not only claimed to be there.
    stored: BTreeSet<Digest>,
    /// Parts that were supplied because a put named them.
    named: BTreeSet<Digest>,
    supplied: Supplied,
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
        Self { mover, given: Mutex::default() }
    }

    /// Notes that a part was stored, so that it cannot be what a manifest is refused for want of.
    pub(crate) fn stored(&self, part: Digest) {
        self.lock().stored.insert(part);
    }

    /// Stores a manifest, and with it each part that the destination says it lacks, whatever it said of it before.
    ///
    /// A part that is named is supplied once in a copy. Where that does not help, the put is repeated until the
    /// deadline: some registries refuse for a moment what another client stores at the same time. A destination that
    /// names no part is sent once all that this copy did not store.
    pub(crate) async fn put(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<Put, CopyError> {
        let to = self.mover.to;
        let mut backoff = Backoff::until(to.deadline);
        let (mut looks, mut all_sent) = (0, false);
        loop {
            let lack = match to.put(manifest, tag).await? {
                Stored::Yes(put) => return Ok(put),
                Stored::Lacks(part) => part,
            };
            let refused = self.refused(manifest, lack);
            looks += 1;
            let Some(part) = lack else {
                if all_sent || !self.supply(manifest, self.not_stored(manifest), &refused).await? {
                    return Err(refused);
                }
                all_sent = true;
                continue;
            };
            let first = self.lock().named.insert(part);
            if first && self.supply(manifest, BTreeSet::from([part]), &refused).await? {
                continue;
            }
            let is_hopeless = !refused.is_retryable() && looks >= LOOKS;
            if is_hopeless || !backoff.wait().await {
                return Err(refused);
            }
        }
    }

    /// Stores a manifest under its digest alone, and looks whether it is there.
    pub(crate) async fn put_untagged(&self, manifest: &Manifest) -> Result<(), CopyError> {
        self.put(manifest, None).await?;
        self.see(manifest.digest()).await
    }

    /// The same for a referrer, which has to be listed besides.
    pub(crate) async fn put_referrer(&self, manifest: &Manifest) -> Result<(), CopyError> {
        let Some(subject) = manifest.subject().map(|subject| subject.digest) else {
            return self.put_untagged(manifest).await;
        };
        self.put(manifest, None).await?;
        let is_listed = || async {
            let listed = self.mover.to.lists(manifest).await?;
            if !listed {
                // Who kept the list at the same time may have overwritten it.
                self.put(manifest, None).await?;
            }
            Ok(listed)
        };
        let ((), listed) = try_join(self.see(manifest.digest()), self.look(is_listed)).await?;
        if listed { Ok(()) } else { Err(CopyError::Unlisted { referrer: manifest.digest(), subject }) }
    }

    /// The same for a manifest that is there, but not listed.
    pub(crate) async fn relist(&self, manifest: &Manifest) -> Result<(), CopyError> {
        self.put_referrer(manifest).await?;
        self.lock().supplied.manifests.insert(manifest.digest());
        Ok(())
    }

    pub(crate) fn into_supplied(self) -> Supplied {
        self.given.into_inner().unwrap_or_else(PoisonError::into_inner).supplied
    }

    async fn see(&self, digest: Digest) -> Result<(), CopyError> {
        let is_there = || async { Ok(self.mover.to.manifest(digest).await?.is_some()) };
        if self.look(is_there).await? { Ok(()) } else { Err(CopyError::Lost { digest }) }
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

    /// Why a manifest is refused, as the part tells that the destination names.
    fn refused(&self, manifest: &Manifest, part: Option<Digest>) -> CopyError {
        let repository = self.mover.to.repository.clone();
        let Some(part) = part else { return CopyError::Destination(RegistryError::PartsMissing { repository }) };
        let is_it = |of: &&Descriptor| of.digest == part;
        let mut named = manifest.blobs().iter().chain(manifest.children()).filter(is_it);
        match named.next() {
            None => CopyError::StrangerWanted { part },
            Some(layer) if layer.is_foreign() && named.all(Descriptor::is_foreign) => {
                CopyError::ForeignWanted { layer: part }
            }
            Some(_) => CopyError::Destination(RegistryError::PartMissing { repository, part }),
        }
    }

    /// The parts of a manifest that the destination may only claim to have.
    fn not_stored(&self, manifest: &Manifest) -> BTreeSet<Digest> {
        let stored = &self.lock().stored;
        let parts = manifest.blobs().iter().chain(manifest.children()).map(|part| part.digest);
        parts.filter(|part| !stored.contains(part)).collect()
    }

    /// Moves these parts of `manifest`; `false` where there is none that could be.
    fn supply<'b>(
        &'b self,
        manifest: &'b Manifest,
        parts: BTreeSet<Digest>,
        because: &'b CopyError,
    ) -> BoxFuture<'b, Result<bool, CopyError>> {
        // Boxed, for a child may lack parts in its turn.
        async move {
            let mut supplied = false;
            for blob in manifest.blobs().iter().filter(|blob| parts.contains(&blob.digest) && !blob.is_foreign()) {
                self.mover.observer.restarted(&blob.digest, because);
                if self.mover.insist(blob).await? == Moved::Copied {
                    let mut given = self.lock();
                    given.stored.insert(blob.digest);
                    given.supplied.blobs.insert(blob.digest, blob.size);
                }
                supplied = true;
            }
            for child in manifest.children().iter().filter(|child| parts.contains(&child.digest)) {
                let child = self.mover.from.existing_manifest(child.digest).await?;
                self.put_untagged(&child).await?;
                let mut given = self.lock();
                given.stored.insert(child.digest());
                given.supplied.manifests.insert(child.digest());
                supplied = true;
            }
            Ok(supplied)
        }
        .boxed()
    }

    fn lock(&self) -> MutexGuard<'_, Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
