use std::{collections::BTreeSet, num::NonZeroUsize, ptr, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use release::{Digest, Repository, Tag};
use tokio::time::{Instant, timeout_at};

use crate::{
    CopyError, Descriptor, Observer, Put, Registry, RegistryError,
    blob::move_blob,
    plan::{Plan, Planner, waves},
    put::{LOOKS, Putter},
    retry::Backoff,
    side::Side,
};

/// What is copied: one digest. A tag does not fit here; [`pin`] it first.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// Where it is read.
    pub registry: &'a dyn Registry,
    /// Its repository there.
    pub repository: Repository,
    /// The digest of its manifest or index.
    pub digest: Digest,
}

/// Where it goes: a tag that does not name anything yet, or this very digest.
#[derive(Debug, Clone)]
pub struct Destination<'a> {
    /// Where it is written.
    pub registry: &'a dyn Registry,
    /// The repository there.
    pub repository: Repository,
    /// The tag that will name it.
    pub tag: Tag,
}

/// How to copy.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many calls may be under way at once.
    pub jobs: NonZeroUsize,
    /// When to give up. Until then what may help is tried again.
    pub deadline: Instant,
    /// How long a source may send no byte of a blob before that blob is begun again.
    pub stall: Duration,
    /// Whether what refers to the image (signatures, SBOMs) goes with it.
    pub referrers: bool,
    /// Whether the destination is asked for every part although the tag or a manifest is there, and what it has lost
    /// is sent again.
    pub thorough: bool,
}

impl Options {
    /// 32 jobs, 30 seconds without a byte, referrers too, not thorough.
    #[must_use]
    pub fn until(deadline: Instant) -> Self {
        Self {
            jobs: NonZeroUsize::MIN.saturating_add(31),
            deadline,
            stall: Duration::from_secs(30),
            referrers: true,
            thorough: false,
        }
    }
}

/// How a copy ended. A refusal is no error. Exhaustive on purpose: who calls must say what each means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The tag now names the digest; this was read back.
    Copied(Transfer),
    /// The tag named the digest already. Parts that had been lost since and referrers that an earlier copy had left
    /// behind were completed.
    AlreadyPresent(Transfer),
    /// The tag names another digest, and still does.
    TagHeld {
        /// What it names.
        by: Digest,
    },
}

/// What was moved.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transfer {
    /// What the tag names.
    pub digest: Digest,
    /// Manifests and indexes that were stored, referrers included.
    pub manifests: u64,
    /// What became of the blobs of the image and its referrers.
    pub blobs: Blobs,
    /// Bytes of the blobs that were copied.
    pub bytes: u64,
    /// Referrers that were stored.
    pub referrers: u64,
    /// Referrers that the source lists but does not have; they were left out.
    pub dangling: u64,
    /// Non-distributable layers, which stay where their licence wants them.
    pub foreign: Vec<Digest>,
}

/// Blobs, counted by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Blobs {
    /// Moved through this process.
    pub copied: u64,
    /// Made available by the registry itself.
    pub mounted: u64,
    /// There before.
    pub present: u64,
}

/// The digest that a tag names now: from here on only the digest counts.
///
/// # Errors
/// The registry's; the tag's absence is `None`.
pub async fn pin(registry: &dyn Registry, repository: &Repository, tag: &Tag) -> Result<Option<Digest>, RegistryError> {
    registry.resolve(repository, tag).await
}

/// Copies an image or index with all its parts, and with what refers to it.
///
/// Nothing is written when the tag names another digest. Else parts go before wholes, each blob is hashed on its way,
/// the tag comes last and is read back. Dropping the future leaves parts that the next copy finds, and no tag before
/// its image is whole.
///
/// What the destination has is not sent again. It is asked for every part each time, also when the tag is there
/// already, and what it has lost is sent again: each manifest is read and compared with its digest, and each blob is
/// asked for ([`Registry::missing`]: over HTTP one HEAD request each, which gives its size). That the bytes of such a
/// blob are still right only [`verify`](crate::verify) proves. A part that the destination claims to have, but refuses
/// the manifest for want of, is sent once more.
///
/// # Errors
/// Which side failed and why, after all the tries that the deadline allowed; see [`CopyError`].
pub async fn copy(
    source: &Source<'_>,
    destination: &Destination<'_>,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Outcome, CopyError> {
    let copying = Copying {
        from: Side::source(source, options.deadline),
        to: Side::destination(destination, options.deadline),
        options,
        observer,
    };
    match timeout_at(options.deadline, copying.run(source.digest, &destination.tag)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(CopyError::Deadline),
    }
}

struct Copying<'a> {
    from: Side<'a>,
    to: Side<'a>,
    options: &'a Options,
    observer: &'a dyn Observer,
}

impl Copying<'_> {
    async fn run(&self, digest: Digest, tag: &Tag) -> Result<Outcome, CopyError> {
        let tagged = match self.to.resolve(tag).await? {
            Some(held) if held != digest => return Ok(Outcome::TagHeld { by: held }),
            held => held.is_some(),
        };
        let jobs = self.options.jobs.get();
        let planner = Planner { from: self.from, to: self.to, jobs, referrers: self.options.referrers };
        let Plan { root, manifests, referrers, blobs, foreign, dangling, .. } = planner.plan(digest).await?;
        // The root waits for its tag, unless that is there or a referrer lists the root as a part of its own.
        let is_part = manifests.values().any(|manifest| manifest.children().iter().any(|child| child.digest == digest));
        let mut stored: BTreeSet<Digest> = manifests.keys().copied().collect();
        let waves = waves(manifests)?;

        let (mut transfer, mut moved) = self.move_blobs(digest, blobs.into_values().collect()).await?;
        transfer.foreign = foreign.into_iter().collect();
        transfer.referrers = referrers.len() as u64;
        transfer.dangling = dangling;
        let putter = Putter::new(self.from, self.to, self.options.stall, self.observer);
        for mut wave in waves {
            wave.retain(|manifest| is_part || tagged || manifest.digest() != digest);
            let puts = stream::iter(wave).map(|manifest| putter.put_untagged(manifest)).buffer_unordered(jobs);
            puts.try_collect::<()>().await?;
        }
        let put = match root.as_ref().filter(|_| !tagged) {
            Some(root) => Some(putter.put(root, Some(tag)).await?),
            None => None,
        };

        let supplied = putter.into_supplied();
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
        match put {
            None => Ok(Outcome::AlreadyPresent(transfer)),
            Some(Put::Held(by)) if by != digest => Ok(Outcome::TagHeld { by }),
            Some(Put::Stored | Put::Held(_)) => {
                self.read_back(digest, tag).await?;
                Ok(Outcome::Copied(transfer))
            }
        }
    }

    /// Largest first, so that no long transfer begins when the others are done. Also returns which were moved.
    async fn move_blobs(
        &self,
        digest: Digest,
        mut blobs: Vec<Descriptor>,
    ) -> Result<(Transfer, BTreeSet<Digest>), CopyError> {
        let missing: BTreeSet<Digest> = self.to.missing(&blobs).await?.into_iter().collect();
        let all = blobs.len();
        blobs.retain(|blob| missing.contains(&blob.digest));
        blobs.sort_by_key(|blob| std::cmp::Reverse(blob.size));
        let mut counts = Blobs { present: (all - blobs.len()) as u64, ..Blobs::default() };
        let planned = blobs.iter().map(|blob| blob.size).sum();
        self.observer.planned(blobs.len() as u64, planned);

        let mut moves = stream::iter(blobs).map(|blob| self.obtain(blob)).buffer_unordered(self.options.jobs.get());
        let mut bytes = 0;
        while let Some(moved) = moves.try_next().await? {
            match moved {
                Moved::Copied(size) => {
                    counts.copied += 1;
                    bytes += size;
                }
                Moved::Mounted => counts.mounted += 1,
            }
        }
        Ok((
            Transfer { digest, manifests: 0, blobs: counts, bytes, referrers: 0, dangling: 0, foreign: Vec::new() },
            missing,
        ))
    }

    async fn obtain(&self, blob: Descriptor) -> Result<Moved, CopyError> {
        // Two registries that are one object are one registry; nothing else is sure to be.
        let same = ptr::addr_eq(self.from.registry, self.to.registry);
        if same && self.to.mount(self.from.repository, &blob).await? {
            self.observer.stored(&blob.digest);
            return Ok(Moved::Mounted);
        }
        move_blob(self.from, self.to, &blob, self.options.stall, self.observer).await?;
        Ok(Moved::Copied(blob.size))
    }

    async fn read_back(&self, expected: Digest, tag: &Tag) -> Result<(), CopyError> {
        let mut backoff = Backoff::until(self.options.deadline);
        for _ in 0..LOOKS {
            match self.to.resolve(tag).await? {
                Some(found) if found == expected => return Ok(()),
                Some(found) => return Err(CopyError::ReadBack { tag: tag.clone(), expected, found: Some(found) }),
                None if backoff.wait().await => {}
                None => break,
            }
        }
        Err(CopyError::ReadBack { tag: tag.clone(), expected, found: None })
    }
}

enum Moved {
    Copied(u64),
    Mounted,
}
