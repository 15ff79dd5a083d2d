//! What a document says of a copy.

use conveyor::{CopyAccount, Moved, release::Digest};
use schemars::JsonSchema;
use serde::Serialize;

use crate::session::Session;

/// A copy: finished, or planned by a dry run.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CopyPart {
    /// From where.
    source: String,
    /// To where, with tag and digest.
    destination: String,
    /// What the tag names, or would.
    digest: String,
    #[serde(flatten)]
    moved: MovedPart,
}

/// What a copy moved, or in a dry run would move.
#[derive(Debug, Serialize, JsonSchema)]
struct MovedPart {
    /// Manifests and indexes that were stored, referrers included.
    manifests: u64,
    /// What became of the blobs.
    blobs: BlobsPart,
    /// Bytes of the blobs that were copied.
    bytes: u64,
    /// Requests sent in this run to each registry, those for the decision included.
    requests: RequestsPart,
    /// Referrers that were stored.
    referrers: u64,
    /// Non-distributable layers, which stay where they are.
    foreign: Vec<String>,
    /// Referrers that the source lists and does not have; they were left out.
    dangling: Vec<String>,
    /// Whether the source could not tell what refers to the image, so that whatever does was left out.
    referrers_unknown: bool,
}

/// Blobs, counted by what became of them.
#[derive(Debug, Serialize, JsonSchema)]
struct BlobsPart {
    /// Moved through this process.
    copied: u64,
    /// Made available by the registry itself.
    mounted: u64,
    /// There before.
    present: u64,
    /// Left where they are, because they may not be distributed.
    foreign: u64,
}

/// Requests, counted by registry.
#[derive(Debug, Serialize, JsonSchema)]
struct RequestsPart {
    /// Those to the source; 0 for a layout.
    source: u64,
    /// Those to the destination.
    destination: u64,
}

impl CopyPart {
    pub(crate) fn new(copy: &CopyAccount, session: Option<&Session>) -> Self {
        let requests = |registry| session.map_or(0, |session| session.live.requests(registry));
        Self {
            source: copy.source.clone(),
            destination: copy.destination.to_string(),
            digest: copy.digest.to_string(),
            moved: MovedPart::new(
                &copy.moved,
                RequestsPart {
                    source: copy.source_registry.as_ref().map_or(0, requests),
                    destination: requests(&copy.destination.registry),
                },
            ),
        }
    }
}

impl MovedPart {
    fn new(moved: &Moved, requests: RequestsPart) -> Self {
        let words = |digests: &[Digest]| digests.iter().map(ToString::to_string).collect();
        match moved {
            Moved::Done(transfer) => Self {
                manifests: transfer.manifests,
                blobs: BlobsPart {
                    copied: transfer.blobs.copied,
                    mounted: transfer.blobs.mounted,
                    present: transfer.blobs.present,
                    foreign: transfer.foreign.len() as u64,
                },
                bytes: transfer.bytes,
                requests,
                referrers: transfer.referrers,
                foreign: words(&transfer.foreign),
                dangling: words(&transfer.dangling),
                referrers_unknown: transfer.referrers_unknown,
            },
            Moved::Planned(to_move) => Self {
                manifests: to_move.manifests,
                blobs: BlobsPart {
                    copied: to_move.blobs,
                    mounted: 0,
                    present: to_move.present,
                    foreign: to_move.foreign.len() as u64,
                },
                bytes: to_move.bytes,
                requests,
                referrers: to_move.referrers,
                foreign: words(&to_move.foreign),
                dangling: Vec::new(),
                referrers_unknown: to_move.referrers_unknown,
            },
        }
    }
}
