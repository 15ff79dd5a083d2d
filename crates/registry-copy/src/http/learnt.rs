use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use release::{Digest, Repository, Tag};

/// What a registry has shown of itself to one client.
#[derive(Debug, Default)]
pub(super) struct Learnt {
    refuses_offers: AtomicBool,
    refuses_mounts: AtomicBool,
    wants_chunks: AtomicBool,
    lacks_referrers_api: AtomicBool,
    parts: Mutex<BTreeMap<(Repository, Digest), Part>>,
    free: Mutex<BTreeSet<(Repository, Tag)>>,
    renewed_for: Mutex<BTreeSet<(Repository, Digest)>>,
}

/// What became of a blob or a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The registry says that it has it.
    Claimed,
    /// It said so of bytes that it was sent.
    Stored,
}

impl Learnt {
    /// Whether to offer a blob before its bytes are sent. What a registry claims is believed once: who stores a blob
    /// again has a reason to doubt it.
    pub(super) fn may_offer(&self, repository: &Repository, blob: Digest) -> bool {
        !self.refuses_offers.load(Ordering::Relaxed) && !self.parts().contains_key(&(repository.clone(), blob))
    }

    pub(super) fn refuses_offers(&self) {
        self.refuses_offers.store(true, Ordering::Relaxed);
    }

    pub(super) fn may_mount(&self) -> bool {
        !self.refuses_mounts.load(Ordering::Relaxed)
    }

    pub(super) fn refuses_mounts(&self) {
        self.refuses_mounts.store(true, Ordering::Relaxed);
    }

    pub(super) fn wants_chunks(&self) {
        self.wants_chunks.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_for_chunks(&self) -> bool {
        self.wants_chunks.load(Ordering::Relaxed)
    }

    /// Whether it has shown that it has no referrers API.
    pub(super) fn is_without_referrers_api(&self) -> bool {
        self.lacks_referrers_api.load(Ordering::Relaxed)
    }

    pub(super) fn lacks_referrers_api(&self) {
        self.lacks_referrers_api.store(true, Ordering::Relaxed);
    }

    pub(super) fn claimed(&self, repository: &Repository, part: Digest) {
        self.parts().entry((repository.clone(), part)).or_insert(Part::Claimed);
    }

    pub(super) fn stored(&self, repository: &Repository, part: Digest) {
        self.parts().insert((repository.clone(), part), Part::Stored);
    }

    pub(super) fn was_stored(&self, repository: &Repository, part: Digest) -> bool {
        self.parts().get(&(repository.clone(), part)) == Some(&Part::Stored)
    }

    /// Whether anything was stored in a repository.
    pub(super) fn knows(&self, repository: &Repository) -> bool {
        self.parts().iter().any(|((of, _), part)| of == repository && *part == Part::Stored)
    }

    /// Whether a tag was once seen to be neither there nor archived.
    pub(super) fn is_free(&self, repository: &Repository, tag: &Tag) -> bool {
        self.free_tags().contains(&(repository.clone(), tag.clone()))
    }

    pub(super) fn free(&self, repository: &Repository, tag: &Tag) {
        self.free_tags().insert((repository.clone(), tag.clone()));
    }

    /// Notes whether an upload of a blob ended because the credentials were renewed; returns whether the one before did.
    pub(super) fn renewal(&self, repository: &Repository, blob: Digest, renewed: bool) -> bool {
        let upload = (repository.clone(), blob);
        let mut renewed_for = self.renewed_for.lock().unwrap_or_else(PoisonError::into_inner);
        if renewed { !renewed_for.insert(upload) } else { renewed_for.remove(&upload) }
    }

    fn free_tags(&self) -> MutexGuard<'_, BTreeSet<(Repository, Tag)>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn parts(&self) -> MutexGuard<'_, BTreeMap<(Repository, Digest), Part>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
