use std::collections::BTreeSet;

use release::Digest;
use tokio::time::timeout_at;

use crate::{
    CopyError, Descriptor, Destination, Options, Source,
    look::{Look, Settled, look},
    side::Side,
    walk::Walker,
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
    /// Whether the source cannot tell what refers to the image, so that whatever does would be left out.
    pub referrers_unknown: bool,
}

/// Says what [`copy`](crate::copy) would do with the same arguments. It reads from both sides and writes nothing.
///
/// # Errors
/// As [`copy`](crate::copy), as far as reading goes.
pub async fn plan(source: &Source<'_>, destination: &Destination<'_>, options: &Options) -> Result<Planned, CopyError> {
    timeout_at(options.deadline, run(source, destination, options)).await.unwrap_or(Err(CopyError::Deadline))
}

async fn run(source: &Source<'_>, destination: &Destination<'_>, options: &Options) -> Result<Planned, CopyError> {
    let digest = source.digest;
    let mut to_move = ToMove {
        digest,
        manifests: 0,
        blobs: 0,
        bytes: 0,
        referrers: 0,
        present: 0,
        foreign: Vec::new(),
        referrers_unknown: false,
    };
    let from = Side::source(source, options.deadline);
    let to = Side::destination(destination, options.deadline);
    let Look { root, tagged, listed } = match look(from, to, digest, &destination.tag, None, options).await? {
        Ok(look) => look,
        Err(Settled::Held { by }) => return Ok(Planned::TagHeld { by }),
        Err(Settled::Present) => return Ok(Planned::AlreadyPresent(to_move)),
    };
    to_move.manifests += u64::from(!to.lists(&root).await? && tagged);
    let mut walker = Walker::new(from, to, options);
    for found in [walker.image(&root, tagged).await?, walker.referrers(digest, listed.await?).await?] {
        let missing: BTreeSet<Digest> = to.missing(&found.blobs).await?.into_iter().collect();
        let (gone, there): (Vec<Descriptor>, Vec<_>) =
            found.blobs.into_iter().partition(|blob| missing.contains(&blob.digest));
        to_move.manifests += found.manifests.len() as u64;
        to_move.referrers += found.referrers.len() as u64;
        to_move.blobs += gone.len() as u64;
        to_move.bytes += gone.iter().map(|blob| blob.size).sum::<u64>();
        to_move.present += there.len() as u64;
        to_move.foreign.extend(found.foreign);
        to_move.referrers_unknown |= found.referrers_unknown;
    }
    Ok(if tagged { Planned::AlreadyPresent(to_move) } else { Planned::Copy(to_move) })
}
