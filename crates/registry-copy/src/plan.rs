//! Finds out what has to be moved, before anything is.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use release::Digest;

use crate::{CopyError, Descriptor, GraphError, Manifest, side::Side};

/// Levels of manifests, the root's included.
pub(crate) const MAX_DEPTH: usize = 4;
/// Manifests and blobs of one copy.
pub(crate) const MAX_NODES: usize = 10_000;
/// Bytes of all manifests of one copy, which are held at once.
pub(crate) const MAX_BYTES: u64 = 64 << 20;
/// Referrers of one manifest.
const MAX_REFERRERS: usize = 1_000;
/// Referrers, and referrers of those: a signature of an SBOM.
const REFERRER_DEPTH: usize = 2;

/// What a copy has to do.
#[derive(Default)]
pub(crate) struct Plan {
    /// The root.
    pub(crate) root: Option<Manifest>,
    /// Manifests to store, the root perhaps among them.
    pub(crate) manifests: BTreeMap<Digest, Manifest>,
    /// Which of them are referrers.
    pub(crate) referrers: BTreeSet<Digest>,
    /// The blobs that have to be at the destination, foreign layers left out: those of the manifests that are there
    /// too, for a registry may have lost one since.
    pub(crate) blobs: BTreeMap<Digest, Descriptor>,
    /// The foreign layers that are left out.
    pub(crate) foreign: BTreeSet<Digest>,
    /// Referrers that are listed at the source and not there.
    pub(crate) dangling: u64,
    /// Bytes of the manifests that were read.
    bytes: u64,
}

pub(crate) struct Planner<'a> {
    pub(crate) from: Side<'a>,
    pub(crate) to: Side<'a>,
    pub(crate) jobs: usize,
    pub(crate) referrers: bool,
}

/// A manifest to look at.
struct Step {
    digest: Digest,
    /// Its size, where another manifest gives it.
    size: Option<u64>,
    referrer: Option<Referrer>,
}

struct Referrer {
    subject: Digest,
    /// Its size as the list gives it, which nobody has checked.
    size: u64,
    /// Whether the destination lists it too.
    listed: bool,
}

/// Where a manifest was found.
enum Found {
    There(Manifest),
    /// At the source alone.
    Lacking(Manifest),
}

impl Planner<'_> {
    /// Walks the whole of `root` and of what refers to it.
    pub(crate) async fn plan(&self, root: Digest) -> Result<Plan, CopyError> {
        let mut plan = Plan::default();
        let mut seen = BTreeSet::new();
        let mut steps = vec![Step { digest: root, size: None, referrer: None }];
        for _ in 0..=REFERRER_DEPTH {
            let subjects = self.walk(steps, &mut seen, &mut plan).await?;
            if !self.referrers || subjects.is_empty() {
                break;
            }
            steps = self.referrers_of(subjects).await?;
        }
        Ok(plan)
    }

    /// Walks down level by level; returns the manifests that were seen for the first time.
    async fn walk(
        &self,
        mut level: Vec<Step>,
        seen: &mut BTreeSet<Digest>,
        plan: &mut Plan,
    ) -> Result<Vec<Digest>, CopyError> {
        let mut fresh = Vec::new();
        for depth in 0.. {
            level.retain(|step| seen.insert(step.digest));
            if level.is_empty() {
                break;
            }
            if depth == MAX_DEPTH {
                return Err(GraphError::TooDeep.into());
            }
            plan.make_room(level.iter().map(Step::expected).sum())?;
            let mut looks = stream::iter(level).map(|step| self.look(step)).buffered(self.jobs);
            level = Vec::new();
            while let Some((step, found)) = looks.try_next().await? {
                let Some(found) = found else {
                    plan.dangling += 1;
                    continue;
                };
                let manifest = found.manifest();
                plan.make_room((manifest.bytes().len() as u64).saturating_sub(step.expected()))?;
                if step.referrer.as_ref().is_some_and(|referrer| subject_of(manifest) != Some(referrer.subject)) {
                    continue;
                }
                fresh.push(step.digest);
                let below = |child: &Descriptor| Step { digest: child.digest, size: Some(child.size), referrer: None };
                level.extend(manifest.children().iter().map(below));
                plan.add(&step, found)?;
                if seen.len() + level.len() + plan.blobs.len() > MAX_NODES {
                    return Err(GraphError::TooMany.into());
                }
            }
        }
        Ok(fresh)
    }

    /// Reads a manifest from the destination, or where that lacks it from the source. Only a referrer may be nowhere:
    /// registries list some that were deleted long ago.
    async fn look(&self, step: Step) -> Result<(Step, Option<Found>), CopyError> {
        // A referrer that is stored but not listed is put again, for that is what lists it.
        let listed = step.referrer.as_ref().is_none_or(|referrer| referrer.listed);
        let there = if listed { self.to.manifest(step.digest).await? } else { None };
        let found = match there {
            Some(manifest) => Found::There(manifest),
            None => match self.from.manifest(step.digest).await? {
                Some(manifest) => Found::Lacking(manifest),
                None if step.referrer.is_some() => return Ok((step, None)),
                None => return Err(self.from.no_manifest(step.digest)),
            },
        };
        match step.size {
            Some(size) if size != found.manifest().bytes().len() as u64 => {
                Err(GraphError::TwoSizes(step.digest).into())
            }
            _ => Ok((step, Some(found))),
        }
    }

    /// The referrers that the source lists.
    async fn referrers_of(&self, subjects: Vec<Digest>) -> Result<Vec<Step>, CopyError> {
        let mut lists = stream::iter(subjects).map(|subject| self.referrers_of_one(subject)).buffered(self.jobs);
        let mut steps = Vec::new();
        while let Some(more) = lists.try_next().await? {
            steps.extend(more);
            if steps.len() > MAX_NODES {
                return Err(GraphError::TooMany.into());
            }
        }
        Ok(steps)
    }

    async fn referrers_of_one(&self, subject: Digest) -> Result<Vec<Step>, CopyError> {
        let listed = self.from.referrers(subject).await?;
        if listed.len() > MAX_REFERRERS {
            return Err(GraphError::TooManyReferrers(subject).into());
        }
        if listed.is_empty() {
            return Ok(Vec::new());
        }
        let there: BTreeSet<Digest> = self.to.referrers(subject).await?.iter().map(|known| known.digest).collect();
        let step = |Descriptor { digest, size, .. }: Descriptor| Step {
            digest,
            size: None,
            referrer: Some(Referrer { subject, size, listed: there.contains(&digest) }),
        };
        Ok(listed.into_iter().map(step).collect())
    }
}

impl Step {
    /// How many bytes it has, as far as is known before it is read.
    fn expected(&self) -> u64 {
        let size = self.size.or_else(|| Some(self.referrer.as_ref()?.size)).unwrap_or_default();
        size.min(Manifest::MAX_SIZE as u64)
    }
}

impl Found {
    fn manifest(&self) -> &Manifest {
        match self {
            Self::There(manifest) | Self::Lacking(manifest) => manifest,
        }
    }
}

impl Plan {
    fn make_room(&mut self, bytes: u64) -> Result<(), GraphError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MAX_BYTES { Err(GraphError::TooLarge) } else { Ok(()) }
    }

    /// Notes a manifest and the blobs that it needs.
    fn add(&mut self, step: &Step, found: Found) -> Result<(), GraphError> {
        for blob in found.manifest().blobs() {
            if blob.is_foreign() {
                self.foreign.insert(blob.digest);
            } else if self.blobs.entry(blob.digest).or_insert_with(|| blob.clone()).size != blob.size {
                return Err(GraphError::TwoSizes(blob.digest));
            }
        }
        // The first that is looked at.
        self.root.get_or_insert_with(|| found.manifest().clone());
        if let Found::Lacking(manifest) = found {
            if step.referrer.is_some() {
                self.referrers.insert(step.digest);
            }
            self.manifests.insert(step.digest, manifest);
        }
        Ok(())
    }
}

fn subject_of(manifest: &Manifest) -> Option<Digest> {
    manifest.subject().map(|subject| subject.digest)
}

/// Sorts manifests so that each wave needs only those before it.
pub(crate) fn waves(mut pending: BTreeMap<Digest, Manifest>) -> Result<Vec<Vec<Manifest>>, GraphError> {
    let mut waves = Vec::new();
    while !pending.is_empty() {
        let waits = |manifest: &Manifest| manifest.children().iter().any(|child| pending.contains_key(&child.digest));
        let ready: Vec<Manifest> = pending.values().filter(|manifest| !waits(manifest)).cloned().collect();
        if ready.is_empty() || waves.len() == MAX_DEPTH {
            return Err(GraphError::TooDeep);
        }
        for manifest in &ready {
            pending.remove(&manifest.digest());
        }
        waves.push(ready);
    }
    Ok(waves)
}
