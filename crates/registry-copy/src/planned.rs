use release::Digest;

use crate::{
    CopyError, Destination, Options, Source,
    plan::{Plan, Planner},
    side::Side,
};

/// What [`copy`](crate::copy) would do now. Exhaustive on purpose, as [`Outcome`](crate::Outcome) is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Planned {
    /// The tag is free.
    Copy(ToMove),
    /// The tag names the digest already; what is told is what would be completed.
    AlreadyPresent(ToMove),
    /// The tag names another digest, so nothing would be written.
    TagHeld {
        /// What it names.
        by: Digest,
    },
}

/// What would be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToMove {
    /// What the tag would name.
    pub digest: Digest,
    /// Manifests and indexes that would be stored, referrers included.
    pub manifests: u64,
    /// Blobs that would be moved.
    pub blobs: u64,
    /// The bytes of those.
    pub bytes: u64,
    /// Referrers that would be stored.
    pub referrers: u64,
    /// Blobs that are there already, as far as they were asked for.
    pub present: u64,
    /// Non-distributable layers, which would stay where they are.
    pub foreign: Vec<Digest>,
}

/// Says what [`copy`](crate::copy) would do with the same arguments. It reads from both sides and writes nothing.
///
/// # Errors
/// As [`copy`](crate::copy), as far as reading goes.
pub async fn plan(source: &Source<'_>, destination: &Destination<'_>, options: &Options) -> Result<Planned, CopyError> {
    let from = Side::source(source, options.deadline);
    let to = Side::destination(destination, options.deadline);
    let tagged = match to.resolve(&destination.tag).await? {
        Some(held) if held != source.digest => return Ok(Planned::TagHeld { by: held }),
        held => held.is_some(),
    };
    let planner = Planner { from, to, jobs: options.jobs.get(), referrers: options.referrers };
    let Plan { manifests, referrers, blobs, foreign, .. } = planner.plan(source.digest).await?;
    let blobs: Vec<_> = blobs.into_values().collect();
    let missing = to.missing(&blobs).await?;
    let bytes = blobs.iter().filter(|blob| missing.contains(&blob.digest)).map(|blob| blob.size).sum();
    let to_move = ToMove {
        digest: source.digest,
        manifests: manifests.len() as u64,
        blobs: missing.len() as u64,
        bytes,
        referrers: referrers.len() as u64,
        present: (blobs.len() - missing.len()) as u64,
        foreign: foreign.into_iter().collect(),
    };
    Ok(if tagged { Planned::AlreadyPresent(to_move) } else { Planned::Copy(to_move) })
}
