use std::{collections::BTreeSet, num::NonZeroUsize, time::Duration};

use release::{Digest, Repository, Tag};
use tokio::time::{Instant, timeout_at};

use crate::{
    CopyError, Observer, Put, Registry, RegistryError,
    beside::beside,
    blob::Mover,
    guess::Guess,
    look::{Look, Settled, look},
    pipeline::{Batch, Pipeline},
    put::{LOOKS, Putter},
    retry::Backoff,
    side::Side,
    walk::{Found, Walker},
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
    /// How many blobs and manifests may be on their way at once; of those above a MiB it is at most six.
    pub jobs: NonZeroUsize,
    /// When to give up. Until then what may help is tried again.
    pub deadline: Instant,
    /// How long a source may send no byte of a blob before that blob is begun again.
    pub stall: Duration,
    /// Whether what refers to the image (signatures, SBOMs) goes with it.
    pub referrers: bool,
    /// Whether the destination is asked for every part although the tag or a manifest is there, and what it has lost
    /// since is sent again. It costs a request for each manifest and blob.
    pub thorough: bool,
}

impl Options {
    /// 64 jobs, 30 seconds without a byte, referrers too, not thorough.
    #[must_use]
    pub fn until(deadline: Instant) -> Self {
        Self {
            jobs: NonZeroUsize::MIN.saturating_add(63),
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
    pub dangling: Vec<Digest>,
    /// Non-distributable layers, which stay where their licence wants them.
    pub foreign: Vec<Digest>,
    /// Whether the source could not tell what refers to the image ([`RegistryError::NoReferrersApi`]), so that whatever
    /// does was left out.
    pub referrers_unknown: bool,
}

impl Transfer {
    /// Nothing was moved: the tag named the digest.
    #[must_use]
    pub fn of(digest: Digest) -> Self {
        let (dangling, foreign) = (Vec::new(), Vec::new());
        Self {
            digest,
            manifests: 0,
            blobs: Blobs::default(),
            bytes: 0,
            referrers: 0,
            dangling,
            foreign,
            referrers_unknown: false,
        }
    }
}

/// Blobs, counted by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Blobs {
    /// Moved through this process.
    pub copied: u64,
    /// Made available by the registry itself.
    pub mounted: u64,
    /// There before, as far as that was asked: what a manifest that is there vouches for is not.
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
/// What the destination has is not sent again. A blob is offered to it ([`Registry::put_blob`]), or where it
/// [answers in bulk](Registry::answers_in_bulk) asked for with all others. A tag that names the digest, and a manifest
/// that is there, vouch for all their parts, for registries take none without them; referrers are completed all the
/// same. A [`thorough`](Options::thorough) copy does not rely on that: each manifest is read and compared with its
/// digest, each blob is asked for, and what was lost since is sent again. That the bytes of a blob which is there are
/// still right only [`verify`](crate::verify) proves. A part that the destination claims to have, but refuses the
/// manifest for want of, is sent in full.
///
/// # Errors
/// Which side failed and why, after all the tries that the deadline allowed; see [`CopyError`].
pub async fn copy(
    source: &Source<'_>,
    destination: &Destination<'_>,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Outcome, CopyError> {
    run(source, destination, None, options, observer).await
}

/// [`copy`] for who has just looked at the destination's tag: `held` is what it named. It is looked at again before it
/// is written.
///
/// # Errors
/// As [`copy`].
pub async fn copy_as_seen(
    source: &Source<'_>,
    destination: &Destination<'_>,
    held: Option<Digest>,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Outcome, CopyError> {
    run(source, destination, Some(held), options, observer).await
}

async fn run(
    source: &Source<'_>,
    destination: &Destination<'_>,
    seen: Option<Option<Digest>>,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Outcome, CopyError> {
    let copying = Copying {
        from: Side::source(source, options.deadline),
        to: Side::destination(destination, options.deadline),
        options,
        observer,
    };
    match timeout_at(options.deadline, copying.run(source.digest, &destination.tag, seen)).await {
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
    async fn run(&self, digest: Digest, tag: &Tag, seen: Option<Option<Digest>>) -> Result<Outcome, CopyError> {
        let Self { from, to, options, observer } = *self;
        let Look { root, tagged, listed } = match look(from, to, digest, tag, seen, options).await? {
            Ok(look) => look,
            Err(Settled::Held { by }) => return Ok(Outcome::TagHeld { by }),
            Err(Settled::Present) => return Ok(Outcome::AlreadyPresent(Transfer::of(digest))),
        };
        // One that refers to something has to be listed too. Where it cannot be, nothing is written.
        let listed_before = to.lists(&root).await?;
        let guess = Guess::default();
        let mover = Mover { from, to, stall: options.stall, observer, guess: &guess };
        let putter = Putter::new(mover);
        // What is there is asked for, for an offer would be a write.
        let ask = to.registry.answers_in_bulk() || (tagged && options.thorough);
        let mut walker = Walker::new(from, to, options);
        let image = async { self.ask(walker.image(&root, tagged).await?, ask).await };
        let (image, listed) = beside(image, listed).await;
        let image = image?;
        let referrers = async { self.ask(walker.referrers(digest, listed.await?).await?, ask).await };
        let pipeline = Pipeline::new(mover, &putter, options.jobs.get(), Transfer::of(digest));
        let moves = pipeline.run(image, referrers).await?;

        let put = if tagged { None } else { Some(putter.put(&root, Some(tag)).await?) };
        if let Some(Put::Held(by)) = put
            && by != digest
        {
            return Ok(Outcome::TagHeld { by });
        }
        if !listed_before && !to.lists(&root).await? {
            putter.relist(&root).await?;
        }
        let transfer = moves.with(putter.into_supplied());
        if tagged {
            return Ok(Outcome::AlreadyPresent(transfer));
        }
        self.read_back(digest, tag).await?;
        Ok(Outcome::Copied(transfer))
    }

    /// Asks for the blobs, if that is wanted; those that are there need not be moved.
    async fn ask(&self, mut found: Found, ask: bool) -> Result<Batch, CopyError> {
        if !ask {
            return Ok(Batch { found, present: 0, asked: false });
        }
        let missing: BTreeSet<Digest> = self.to.missing(&found.blobs).await?.into_iter().collect();
        let all = found.blobs.len();
        found.blobs.retain(|blob| missing.contains(&blob.digest));
        Ok(Batch { present: (all - found.blobs.len()) as u64, found, asked: true })
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
