//! Moves blobs and stores manifests, each as soon as all that it needs is there.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{FutureExt, TryStreamExt, future::BoxFuture, stream::FuturesUnordered};
use release::Digest;

use crate::{
    CopyError, Descriptor, GraphError, Manifest, Transfer,
    blob::{Moved, Mover, Read},
    put::{Putter, Supplied},
    walk::Found,
};

/// How many blobs of more than a MiB move at once: few fill the line, and each has buffers on both sides.
const MOST_LARGE: usize = 6;
const LARGE: u64 = 1 << 20;
/// A blob up to this size is asked for at the source before the destination has said whether it wants it, where that is
/// likely. That saves a round trip where it does, and is no great loss where it does not.
const AHEAD: u64 = 128 << 10;
/// How many are asked for although nothing is known of what it wants.
const GUESSES: usize = 8;

/// Parts that were found to be needed.
pub(crate) struct Batch {
    pub(crate) found: Found,
    /// Blobs that the destination was asked for and has.
    pub(crate) present: u64,
    /// Whether it was asked at all, so that the blobs are known to be missing. Else each is offered.
    pub(crate) asked: bool,
}

pub(crate) struct Pipeline<'a> {
    mover: Mover<'a>,
    putter: &'a Putter<'a>,
    jobs: usize,
    running: FuturesUnordered<BoxFuture<'a, Result<Event, CopyError>>>,
    /// How many of those are moves and puts, and how many are moves of large blobs.
    busy: usize,
    busy_large: usize,
    /// Blobs that wait for their turn, by size, and whether they are known to be missing.
    large: BTreeMap<(u64, Digest), (Descriptor, bool)>,
    small: BTreeMap<(u64, Digest), (Descriptor, bool)>,
    /// Manifests to store, each with the number of its parts that are not there.
    waiting: BTreeMap<Digest, (Manifest, usize)>,
    /// Those of which none is missing.
    ready: Vec<Digest>,
    /// Parts that are not there, and the manifests that wait for them.
    awaited: BTreeMap<Digest, Vec<Digest>>,
    referrers: BTreeSet<Digest>,
    guesses: usize,
    account: Moves,
}

/// What was done.
pub(crate) struct Moves {
    pub(crate) transfer: Transfer,
    pub(crate) stored: BTreeSet<Digest>,
    /// Blobs that were not at the destination before.
    pub(crate) moved: BTreeSet<Digest>,
}

impl Moves {
    /// All that was moved, with what a put was refused for want of.
    pub(crate) fn with(self, supplied: Supplied) -> Transfer {
        let Self { mut transfer, mut stored, mut moved } = self;
        stored.extend(supplied.manifests);
        transfer.manifests = stored.len() as u64;
        for (blob, size) in supplied.blobs {
            transfer.bytes += size;
            if moved.insert(blob) {
                // It was said to be there.
                transfer.blobs.copied += 1;
                transfer.blobs.present = transfer.blobs.present.saturating_sub(1);
            }
        }
        transfer
    }
}

enum Event {
    Moved(Descriptor, Moved),
    Stored(Digest),
    Found(Batch),
}

impl<'a> Pipeline<'a> {
    /// For the image that `transfer` is of.
    pub(crate) fn new(mover: Mover<'a>, putter: &'a Putter<'a>, jobs: usize, transfer: Transfer) -> Self {
        Self {
            mover,
            putter,
            jobs,
            running: FuturesUnordered::new(),
            busy: 0,
            busy_large: 0,
            large: BTreeMap::new(),
            small: BTreeMap::new(),
            waiting: BTreeMap::new(),
            ready: Vec::new(),
            awaited: BTreeMap::new(),
            referrers: BTreeSet::new(),
            guesses: GUESSES,
            account: Moves { transfer, stored: BTreeSet::new(), moved: BTreeSet::new() },
        }
    }

    /// Moves all of `image` and of what `more` finds meanwhile, but leaves the root to be put under its tag.
    pub(crate) async fn run(
        mut self,
        image: Batch,
        more: impl Future<Output = Result<Batch, CopyError>> + Send + 'a,
    ) -> Result<Moves, CopyError> {
        self.running.push(more.map(|found| found.map(Event::Found)).boxed());
        self.add(image);
        loop {
            self.start();
            match self.running.try_next().await? {
                None => break,
                Some(Event::Found(batch)) => self.add(batch),
                Some(Event::Moved(blob, moved)) => {
                    self.busy -= 1;
                    self.busy_large -= usize::from(blob.size > LARGE);
                    if moved == Moved::Copied {
                        self.putter.stored(blob.digest);
                    }
                    self.count(&blob, moved);
                    self.release(blob.digest);
                }
                Some(Event::Stored(digest)) => {
                    self.busy -= 1;
                    self.putter.stored(digest);
                    self.release(digest);
                }
            }
        }
        self.waiting.remove(&self.account.transfer.digest);
        // Only a manifest that is a part of itself could be left.
        if self.waiting.is_empty() { Ok(self.account) } else { Err(GraphError::TooDeep.into()) }
    }

    fn add(&mut self, batch: Batch) {
        let Batch { found, present, asked } = batch;
        let bytes = found.blobs.iter().map(|blob| blob.size).sum();
        if !found.blobs.is_empty() {
            self.mover.observer.planned(found.blobs.len() as u64, bytes);
        }
        for blob in found.blobs {
            self.awaited.entry(blob.digest).or_default();
            let queue = if blob.size > LARGE { &mut self.large } else { &mut self.small };
            queue.insert((blob.size, blob.digest), (blob, asked));
        }
        let Moves { transfer, stored, .. } = &mut self.account;
        transfer.blobs.present += present;
        transfer.referrers += found.referrers.len() as u64;
        transfer.foreign.extend(found.foreign);
        transfer.dangling.extend(found.dangling);
        transfer.referrers_unknown |= found.referrers_unknown;
        stored.extend(found.manifests.iter().map(Manifest::digest));
        self.referrers.extend(found.referrers);
        for manifest in &found.manifests {
            self.awaited.entry(manifest.digest()).or_default();
        }
        for manifest in found.manifests {
            self.hold(manifest);
        }
    }

    /// Keeps a manifest until its parts are there.
    fn hold(&mut self, manifest: Manifest) {
        let digest = manifest.digest();
        let parts: BTreeSet<Digest> =
            manifest.blobs().iter().chain(manifest.children()).map(|part| part.digest).collect();
        let mut missing = 0;
        for part in &parts {
            if let Some(waiting) = self.awaited.get_mut(part) {
                waiting.push(digest);
                missing += 1;
            }
        }
        self.waiting.insert(digest, (manifest, missing));
        self.settle(digest);
        // A root that was left for its tag is now a part of something.
        let root = self.account.transfer.digest;
        if parts.contains(&root) {
            self.settle(root);
        }
    }

    /// Lets a manifest be stored that waits for nothing. The root waits for its tag, unless something waits for it.
    fn settle(&mut self, digest: Digest) {
        let root = digest == self.account.transfer.digest;
        let lacks_nothing = self.waiting.get(&digest).is_some_and(|(_, missing)| *missing == 0);
        let is_awaited = self.awaited.get(&digest).is_some_and(|waiting| !waiting.is_empty());
        if lacks_nothing && (is_awaited || !root) {
            self.ready.push(digest);
        }
    }

    /// A part is there now.
    fn release(&mut self, part: Digest) {
        for digest in self.awaited.remove(&part).unwrap_or_default() {
            if let Some((_, missing)) = self.waiting.get_mut(&digest) {
                *missing = missing.saturating_sub(1);
            }
            self.settle(digest);
        }
    }

    fn count(&mut self, blob: &Descriptor, moved: Moved) {
        let Moves { transfer, moved: fresh, .. } = &mut self.account;
        match moved {
            Moved::Copied => {
                transfer.blobs.copied += 1;
                transfer.bytes += blob.size;
            }
            Moved::Mounted => transfer.blobs.mounted += 1,
            Moved::Present => transfer.blobs.present += 1,
        }
        if moved != Moved::Present {
            fresh.insert(blob.digest);
        }
    }

    /// Starts as much as may run at once.
    fn start(&mut self) {
        while self.busy < self.jobs {
            let running = if let Some(manifest) = self.next_manifest() {
                self.store(manifest)
            } else if let Some((blob, asked)) = self.next_blob() {
                self.busy_large += usize::from(blob.size > LARGE);
                let read = self.when_to_read(&blob, asked);
                let mover = self.mover;
                async move { mover.obtain(&blob, read).await.map(|moved| Event::Moved(blob, moved)) }.boxed()
            } else {
                break;
            };
            self.busy += 1;
            self.running.push(running);
        }
    }

    fn when_to_read(&mut self, blob: &Descriptor, asked: bool) -> Read {
        if asked {
            return Read::Now;
        }
        if blob.size > AHEAD {
            return Read::WhenWanted;
        }
        match self.guesses.checked_sub(1) {
            Some(left) => {
                self.guesses = left;
                Read::Now
            }
            None => Read::WhenLikely,
        }
    }

    fn next_manifest(&mut self) -> Option<Manifest> {
        let waiting = &mut self.waiting;
        std::iter::from_fn(|| self.ready.pop()).find_map(|digest| waiting.remove(&digest)).map(|(manifest, _)| manifest)
    }

    /// The largest, so that no long transfer begins when the others are done.
    fn next_blob(&mut self) -> Option<(Descriptor, bool)> {
        let large = if self.busy_large < MOST_LARGE { self.large.pop_last() } else { None };
        large.or_else(|| self.small.pop_last()).map(|(_, blob)| blob)
    }

    fn store(&self, manifest: Manifest) -> BoxFuture<'a, Result<Event, CopyError>> {
        let (putter, refers) = (self.putter, self.referrers.contains(&manifest.digest()));
        async move {
            let stored =
                if refers { putter.put_referrer(&manifest).boxed() } else { putter.put_untagged(&manifest).boxed() };
            stored.await.map(|()| Event::Stored(manifest.digest()))
        }
        .boxed()
    }
}
