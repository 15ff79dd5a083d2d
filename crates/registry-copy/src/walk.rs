//! Finds out what an image and its referrers are made of, and what of it has to be moved.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use release::Digest;

use crate::{CopyError, Descriptor, GraphError, Manifest, Options, beside::beside, manifest::is_image, side::Side};

/// Levels of manifests, the root's included.
pub(crate) const MAX_DEPTH: usize = 4;
/// Manifests and blobs of one copy.
pub(crate) const MAX_NODES: usize = 10_000;
/// Bytes of all manifests of one copy, which are held at once.
pub(crate) const MAX_BYTES: u64 = 32 << 20;
/// Referrers of one manifest.
const MAX_REFERRERS: usize = 1_000;
/// Referrers, and referrers of those: a signature of an SBOM.
const REFERRER_DEPTH: usize = 2;

/// What has to be at the destination and was not found before.
#[derive(Default)]
pub(crate) struct Found {
    /// Manifests to store.
    pub(crate) manifests: Vec<Manifest>,
    /// Which of them are referrers.
    pub(crate) referrers: BTreeSet<Digest>,
    /// Blobs that the destination is to have, foreign layers left out.
    pub(crate) blobs: Vec<Descriptor>,
    /// The foreign layers that are left out.
    pub(crate) foreign: BTreeSet<Digest>,
    /// Referrers that are listed at the source and not there.
    pub(crate) dangling: Vec<Digest>,
    /// Whether the source cannot tell what refers to a manifest.
    pub(crate) referrers_unknown: bool,
}

pub(crate) struct Walker<'a> {
    from: Side<'a>,
    to: Side<'a>,
    jobs: usize,
    /// Whether what the destination has is walked too, for it may have lost a part since.
    thorough: bool,
    /// Whether referrers are walked at all.
    refers: bool,
    /// Manifests, each walked once.
    seen: BTreeSet<Digest>,
    /// Blobs and their sizes.
    sizes: BTreeMap<Digest, u64>,
    /// Bytes of the manifests that were read.
    bytes: u64,
    /// Manifests whose referrers were not asked for yet.
    subjects: Vec<Digest>,
}

/// A manifest to look at.
struct Step {
    digest: Digest,
    /// Its size, where another manifest gives it.
    size: Option<u64>,
    referrer: Option<Referrer>,
    /// Whether the destination is known to have it with all its parts, so that only its referrers matter.
    vouched: bool,
    /// Whether the destination probably lacks it, for it lacks what lists it.
    new: bool,
}

struct Referrer {
    subject: Digest,
    /// Its size as the list gives it, which nobody has checked.
    size: u64,
    /// Whether the destination lists it too.
    listed: bool,
}

/// Where a manifest was found.
enum At {
    Destination(Manifest),
    /// At the source alone.
    Source(Manifest),
}

impl<'a> Walker<'a> {
    pub(crate) fn new(from: Side<'a>, to: Side<'a>, options: &Options) -> Self {
        let Options { jobs, thorough, referrers, .. } = *options;
        let (seen, sizes, subjects) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
        Self { from, to, jobs: jobs.get(), thorough, refers: referrers, seen, sizes, bytes: 0, subjects }
    }

    /// Walks an image or index whose manifest is known. Where the destination has it under its tag, the manifest itself
    /// need not be stored.
    pub(crate) async fn image(&mut self, root: &Manifest, tagged: bool) -> Result<Found, CopyError> {
        let mut found = Found::default();
        self.make_room(root.bytes().len() as u64)?;
        self.seen.insert(root.digest());
        let at = if tagged { At::Destination(root.clone()) } else { At::Source(root.clone()) };
        let below = self.enter(at, &mut found)?;
        self.walk(below, 1, &mut found).await?;
        let depth = depth_at_most(MAX_DEPTH, &found.manifests);
        depth.then_some(found).ok_or(GraphError::TooDeep.into())
    }

    /// Walks what refers to all that was walked so far; `of_root` are the referrers of the root.
    pub(crate) async fn referrers(
        &mut self,
        root: Digest,
        of_root: Option<Vec<Descriptor>>,
    ) -> Result<Found, CopyError> {
        let mut found = Found { referrers_unknown: of_root.is_none(), ..Found::default() };
        if found.referrers_unknown {
            return Ok(found);
        }
        let mut of_root = of_root;
        for _ in 0..if self.refers { REFERRER_DEPTH } else { 0 } {
            let subjects = mem::take(&mut self.subjects);
            let mut steps = Vec::new();
            let lists = stream::iter(subjects).map(|subject| {
                let known = if subject == root { of_root.take() } else { None };
                self.referrers_of(subject, known)
            });
            let mut lists = lists.buffered(self.jobs);
            while let Some(more) = lists.try_next().await? {
                found.referrers_unknown |= more.is_none();
                steps.extend(more.into_iter().flatten());
                if steps.len() > MAX_NODES {
                    return Err(GraphError::TooMany.into());
                }
            }
            drop(lists);
            if steps.is_empty() {
                break;
            }
            self.walk(steps, 0, &mut found).await?;
        }
        Ok(found)
    }

    /// Walks down level by level.
    async fn walk(&mut self, mut level: Vec<Step>, depth: usize, found: &mut Found) -> Result<(), CopyError> {
        for depth in depth.. {
            level.retain(|step| self.seen.insert(step.digest));
            let vouched = level.extract_if(.., |step| step.vouched).map(|step| step.digest);
            self.subjects.extend(vouched);
            if level.is_empty() {
                break;
            }
            if depth == MAX_DEPTH {
                return Err(GraphError::TooDeep.into());
            }
            self.make_room(level.iter().map(Step::expected).sum())?;
            let (from, to) = (self.from, self.to);
            let mut looks = stream::iter(level).map(|step| look(from, to, step)).buffered(self.jobs);
            level = Vec::new();
            while let Some((step, at)) = looks.try_next().await? {
                let Some(at) = at else {
                    found.dangling.push(step.digest);
                    continue;
                };
                let manifest = at.manifest();
                self.make_room((manifest.bytes().len() as u64).saturating_sub(step.expected()))?;
                if let Some(referrer) = &step.referrer {
                    if manifest.subject().map(|subject| subject.digest) != Some(referrer.subject) {
                        continue;
                    }
                    if matches!(at, At::Source(_)) {
                        found.referrers.insert(step.digest);
                    }
                }
                level.extend(self.enter(at, found)?);
                if self.seen.len() + level.len() + self.sizes.len() > MAX_NODES {
                    return Err(GraphError::TooMany.into());
                }
            }
        }
        Ok(())
    }

    /// Notes a manifest and the blobs that it needs; returns the manifests that it lists.
    fn enter(&mut self, at: At, found: &mut Found) -> Result<Vec<Step>, GraphError> {
        let manifest = at.manifest();
        let vouched = !self.thorough && matches!(at, At::Destination(_));
        self.subjects.push(manifest.digest());
        for blob in manifest.blobs().iter().filter(|_| !vouched) {
            if blob.is_foreign() {
                found.foreign.insert(blob.digest);
                continue;
            }
            match self.sizes.insert(blob.digest, blob.size) {
                None => found.blobs.push(blob.clone()),
                Some(size) if size == blob.size => {}
                Some(_) => return Err(GraphError::TwoSizes(blob.digest)),
            }
        }
        let new = matches!(at, At::Source(_));
        let step = |child: &Descriptor| Step {
            digest: child.digest,
            size: Some(child.size),
            referrer: None,
            // An index has to be read all the same, for the manifests that it lists.
            vouched: vouched && is_image(&child.media_type),
            new,
        };
        let below = manifest.children().iter().map(step).collect();
        if let At::Source(manifest) = at {
            found.manifests.push(manifest);
        }
        Ok(below)
    }

    /// The referrers that the source lists, which may be known; `None`: it cannot tell.
    async fn referrers_of(
        &self,
        subject: Digest,
        known: Option<Vec<Descriptor>>,
    ) -> Result<Option<Vec<Step>>, CopyError> {
        let known = if known.is_some() { known } else { self.from.known_referrers(subject).await? };
        let Some(listed) = known else { return Ok(None) };
        if listed.len() > MAX_REFERRERS {
            return Err(GraphError::TooManyReferrers(subject).into());
        }
        if listed.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let there: BTreeSet<Digest> = self.to.referrers(subject).await?.iter().map(|known| known.digest).collect();
        let step = |Descriptor { digest, size, .. }: Descriptor| {
            let listed = there.contains(&digest);
            // A list vouches for nothing: it may name what was deleted since.
            Step {
                digest,
                size: None,
                referrer: Some(Referrer { subject, size, listed }),
                vouched: false,
                new: !listed,
            }
        };
        Ok(Some(listed.into_iter().map(step).collect()))
    }

    fn make_room(&mut self, bytes: u64) -> Result<(), GraphError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MAX_BYTES { Err(GraphError::TooLarge) } else { Ok(()) }
    }
}

/// Reads a manifest from the destination, or where that lacks it from the source. Only a referrer may be nowhere:
/// registries list some that were deleted long ago.
async fn look(from: Side<'_>, to: Side<'_>, step: Step) -> Result<(Step, Option<At>), CopyError> {
    // A referrer that is stored but not listed is put again, for that is what lists it.
    let (digest, listed) = (step.digest, step.referrer.as_ref().is_none_or(|referrer| referrer.listed));
    let there = async { if listed { to.manifest(digest).await } else { Ok(None) } };
    let here = async move { from.manifest(digest).await }.boxed();
    let (there, here) = if step.new { beside(there, here).await } else { (there.await, here) };
    let at = match there? {
        Some(manifest) => At::Destination(manifest),
        None => match here.await? {
            Some(manifest) => At::Source(manifest),
            None if step.referrer.is_some() => return Ok((step, None)),
            None => return Err(from.no_manifest(step.digest)),
        },
    };
    match step.size {
        Some(size) if size != at.manifest().bytes().len() as u64 => Err(GraphError::TwoSizes(step.digest).into()),
        _ => Ok((step, Some(at))),
    }
}

impl Step {
    /// How many bytes it has, as far as is known before it is read.
    fn expected(&self) -> u64 {
        let size = self.size.or_else(|| Some(self.referrer.as_ref()?.size)).unwrap_or_default();
        size.min(Manifest::MAX_SIZE as u64)
    }
}

impl At {
    fn manifest(&self) -> &Manifest {
        match self {
            Self::Destination(manifest) | Self::Source(manifest) => manifest,
        }
    }
}

/// Whether no chain of manifests is longer than `most`: a short way to one does not make the long way shorter.
fn depth_at_most(most: usize, manifests: &[Manifest]) -> bool {
    let mut left: BTreeMap<Digest, &Manifest> = manifests.iter().map(|found| (found.digest(), found)).collect();
    for _ in 0..most {
        let above = |found: &Manifest| found.children().iter().any(|child| left.contains_key(&child.digest));
        let waiting = left.iter().filter(|(_, found)| above(found)).map(|(digest, found)| (*digest, *found)).collect();
        left = waiting;
    }
    left.is_empty()
}
