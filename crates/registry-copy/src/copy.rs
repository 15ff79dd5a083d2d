use std::{
    collections::BTreeSet,
    num::NonZeroUsize,
    pin::{Pin, pin},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Either, maybe_done, select, try_join},
};
use release::{Digest, Repository, Tag};
use tokio::time::{Instant, timeout_at};

use crate::{
    CopyError, Descriptor, Manifest, Observer, Put, Registry, RegistryError,
    blob::Mover,
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
    pub dangling: Vec<Digest>,
    /// Non-distributable layers, which stay where their licence wants them.
    pub foreign: Vec<Digest>,
}

impl Transfer {
    /// Nothing was moved: the tag named the digest.
    #[must_use]
    pub fn of(digest: Digest) -> Self {
        let (dangling, foreign) = (Vec::new(), Vec::new());
        Self { digest, manifests: 0, blobs: Blobs::default(), bytes: 0, referrers: 0, dangling, foreign }
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
        let Self { from, to, options, observer } = *self;
        let (root, tagged, listed) = match look(from, to, digest, tag, options).await? {
            Looked::Held { by } => return Ok(Outcome::TagHeld { by }),
            Looked::Settled => return Ok(Outcome::AlreadyPresent(Transfer::of(digest))),
            Looked::Image { root, tagged, listed } => (root, tagged, listed),
        };
        let mover = Mover { from, to, stall: options.stall, observer };
        let putter = Putter::new(mover);
        // What is there is asked for, for an offer would be a write.
        let ask = to.registry.answers_in_bulk() || (tagged && options.thorough);
        let mut walker = Walker::new(from, to, options);
        let image = self.ask(walker.image(&root, tagged).await?, ask).await?;
        let referrers = async { self.ask(walker.referrers(digest, listed.await?).await?, ask).await };
        let pipeline = Pipeline::new(mover, &putter, options.jobs.get(), Transfer::of(digest));
        let moves = pipeline.run(image, referrers).await?;

        let put = if tagged { None } else { Some(putter.put(&root, Some(tag)).await?) };
        let transfer = moves.with(putter.into_supplied());
        match put {
            None => Ok(Outcome::AlreadyPresent(transfer)),
            Some(Put::Held(by)) if by != digest => Ok(Outcome::TagHeld { by }),
            Some(Put::Stored | Put::Held(_)) => {
                self.read_back(digest, tag).await?;
                Ok(Outcome::Copied(transfer))
            }
        }
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

/// What is known before anything is walked.
pub(crate) enum Looked<'a> {
    /// The tag names this other digest.
    Held { by: Digest },
    /// The tag names the digest, and no more is asked.
    Settled,
    Image {
        root: Manifest,
        /// Whether the tag names it.
        tagged: bool,
        /// Its referrers at the source, which are on their way.
        listed: BoxFuture<'a, Result<Vec<Descriptor>, CopyError>>,
    },
}

/// Asks all that can be asked at once: the tag, the manifest and the list of its referrers. A tag that decides alone
/// waits for nothing else.
pub(crate) async fn look<'a>(
    from: Side<'a>,
    to: Side<'a>,
    digest: Digest,
    tag: &Tag,
    options: &Options,
) -> Result<Looked<'a>, CopyError> {
    let is_enough = !options.thorough && !options.referrers;
    let tagged = async {
        match to.resolve(tag).await {
            Ok(Some(by)) if by != digest => Err(Ok(Looked::Held { by })),
            Ok(Some(_)) if is_enough => Err(Ok(Looked::Settled)),
            Ok(held) => Ok(held.is_some()),
            Err(error) => Err(Err(error)),
        }
    };
    let wanted = options.referrers;
    let list = async move { if wanted { from.referrers(digest).await } else { Ok(Vec::new()) } };
    let mut list = maybe_done(list.boxed());
    // The tag decides before any failure of the source.
    let first = pin!(try_join(tagged, async { Ok(from.manifest(digest).await) }));
    let first = match select(first, &mut list).await {
        Either::Left((first, _)) => first,
        Either::Right(((), first)) => first.await,
    };
    let (tagged, root) = match first {
        Ok(first) => first,
        Err(ended) => return ended,
    };
    let root = match root? {
        Some(root) => root,
        None if tagged => to.existing_manifest(digest).await?,
        None => return Err(from.no_manifest(digest)),
    };
    let listed = async move {
        (&mut list).await;
        Pin::new(&mut list).take_output().unwrap_or(Ok(Vec::new()))
    };
    Ok(Looked::Image { root, tagged, listed: listed.boxed() })
}
