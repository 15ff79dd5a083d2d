//! Finds out what has to be moved, before anything is.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use release::Digest;

use crate::{CopyError, Descriptor, GraphError, Manifest, side::Side};

/// Levels of manifests, the root's included.
pub(crate) const MAX_DEPTH: usize = 4;
/// Manifests and blobs of one copy.
pub(crate) const MAX_NODES: usize = 10_000;
/// Referrers of one manifest.
const MAX_REFERRERS: usize = 1_000;
/// Referrers, and referrers of those: a signature of an SBOM.
const REFERRER_DEPTH: usize = 2;

/// What the destination lacks.
#[derive(Default)]
pub(crate) struct Plan {
    /// The root, where it was looked at.
    pub(crate) root: Option<Manifest>,
    /// Manifests to store, the root perhaps among them.
    pub(crate) manifests: BTreeMap<Digest, Manifest>,
    /// Which of them are referrers.
    pub(crate) referrers: BTreeSet<Digest>,
    /// The blobs that those manifests need, foreign layers left out.
    pub(crate) blobs: BTreeMap<Digest, Descriptor>,
    /// The foreign layers that are left out.
    pub(crate) foreign: BTreeSet<Digest>,
}

pub(crate) struct Planner<'a> {
    pub(crate) from: Side<'a>,
    pub(crate) to: Side<'a>,
    pub(crate) jobs: usize,
    pub(crate) referrers: bool,
}

/// A manifest to look at.
#[derive(Clone)]
struct Step {
    digest: Digest,
    described: Option<Descriptor>,
    presence: Presence,
    subject: Option<Digest>,
}

/// Whether the destination has a manifest.
#[derive(Clone, Copy, PartialEq)]
enum Presence {
    Unknown,
    /// It, and so all its parts: a registry takes no manifest before its parts.
    Whole,
    Absent,
}

impl Planner<'_> {
    /// Walks from `root`, or with `whole` only looks for referrers that an earlier copy left behind.
    pub(crate) async fn plan(&self, root: Digest, whole: bool) -> Result<Plan, CopyError> {
        let mut plan = Plan::default();
        let mut seen = BTreeSet::new();
        let presence = if whole { Presence::Whole } else { Presence::Unknown };
        let mut steps = vec![Step { digest: root, described: None, presence, subject: None }];
        if whole && !self.referrers {
            return Ok(plan);
        }
        for _ in 0..=REFERRER_DEPTH {
            let subjects = self.walk(steps, &mut seen, &mut plan).await?;
            if !self.referrers || subjects.is_empty() {
                break;
            }
            steps = self.referrers_of(subjects).await?;
        }
        if plan.root.is_none() {
            plan.root = plan.manifests.get(&root).cloned();
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
            if seen.len() + plan.blobs.len() > MAX_NODES {
                return Err(GraphError::TooMany.into());
            }
            let looks = stream::iter(level).map(|step| self.look(step)).buffered(self.jobs);
            let looked: Vec<(Step, Option<Manifest>)> = looks.try_collect().await?;
            level = Vec::new();
            for (step, manifest) in looked {
                if step.subject.is_some() && step.subject != manifest.as_ref().and_then(subject_of) {
                    continue;
                }
                fresh.push(step.digest);
                let Some(manifest) = manifest else { continue };
                let children = plan.add(&step, manifest)?;
                if step.presence != Presence::Whole || self.referrers {
                    level.extend(children);
                }
            }
        }
        Ok(fresh)
    }

    /// Reads a manifest from where it is, unless nothing can be learned from it.
    async fn look(&self, mut step: Step) -> Result<(Step, Option<Manifest>), CopyError> {
        let manifest = match step.presence {
            Presence::Whole if step.described.as_ref().is_some_and(Descriptor::is_image) => None,
            Presence::Whole => Some(self.to.existing_manifest(step.digest).await?),
            Presence::Absent => Some(self.from.existing_manifest(step.digest).await?),
            Presence::Unknown => match self.to.manifest(step.digest).await? {
                Some(manifest) => {
                    step.presence = Presence::Whole;
                    Some(manifest)
                }
                None => {
                    step.presence = Presence::Absent;
                    Some(self.from.existing_manifest(step.digest).await?)
                }
            },
        };
        if let (Some(described), Some(manifest)) = (&step.described, &manifest)
            && described.size != manifest.bytes().len() as u64
        {
            return Err(GraphError::TwoSizes(step.digest).into());
        }
        Ok((step, manifest))
    }

    /// The referrers that the source lists and the destination does not.
    async fn referrers_of(&self, subjects: Vec<Digest>) -> Result<Vec<Step>, CopyError> {
        let lists = stream::iter(subjects).map(|subject| self.unlisted(subject)).buffered(self.jobs);
        Ok(lists.try_collect::<Vec<_>>().await?.concat())
    }

    async fn unlisted(&self, subject: Digest) -> Result<Vec<Step>, CopyError> {
        let listed = self.from.referrers(subject).await?;
        if listed.len() > MAX_REFERRERS {
            return Err(GraphError::TooManyReferrers(subject).into());
        }
        if listed.is_empty() {
            return Ok(Vec::new());
        }
        let there: BTreeSet<Digest> = self.to.referrers(subject).await?.iter().map(|known| known.digest).collect();
        let step = |referrer: Descriptor| Step {
            digest: referrer.digest,
            // One that is stored but not listed is put again, for that is what lists it.
            presence: if there.contains(&referrer.digest) { Presence::Unknown } else { Presence::Absent },
            described: None,
            subject: Some(subject),
        };
        Ok(listed.into_iter().map(step).collect())
    }
}

impl Plan {
    /// Notes what this manifest needs; returns what is below it.
    fn add(&mut self, step: &Step, manifest: Manifest) -> Result<Vec<Step>, CopyError> {
        let presence = match step.presence {
            Presence::Whole => Presence::Whole,
            Presence::Unknown | Presence::Absent => Presence::Unknown,
        };
        let below =
            |child: &Descriptor| Step { digest: child.digest, described: Some(child.clone()), presence, subject: None };
        let children = manifest.children().iter().map(below).collect();
        if step.presence == Presence::Whole {
            if step.described.is_none() && step.subject.is_none() {
                self.root = Some(manifest);
            }
            return Ok(children);
        }
        for blob in manifest.blobs() {
            if blob.is_foreign() {
                self.foreign.insert(blob.digest);
            } else if self.blobs.entry(blob.digest).or_insert_with(|| blob.clone()).size != blob.size {
                return Err(GraphError::TwoSizes(blob.digest).into());
            }
        }
        if step.subject.is_some() {
            self.referrers.insert(step.digest);
        }
        self.manifests.insert(step.digest, manifest);
        Ok(children)
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
