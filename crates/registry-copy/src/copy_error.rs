use release::{Digest, Tag};

use crate::RegistryError;

/// Why a copy did not come to an outcome. What was stored by then stays, harms nothing and is found by the next run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The registry that is read failed, or its bytes are wrong.
    #[error("the source failed")]
    Source(#[source] RegistryError),
    /// The registry that is written failed.
    #[error("the destination failed")]
    Destination(#[source] RegistryError),
    /// The destination said that the tag was stored, but reading it back gives something else.
    #[error("the destination took {tag} for {expected}, but reading it back gives {}", found.map_or("nothing".to_owned(), |found| found.to_string()))]
    ReadBack {
        /// The tag that was put.
        tag: Tag,
        /// The digest that it was put with.
        expected: Digest,
        /// The digest that it names now.
        found: Option<Digest>,
    },
    /// The destination said that a manifest was stored, but does not have it.
    #[error("the destination took {digest}, but does not have it")]
    Lost {
        /// The manifest.
        digest: Digest,
    },
    /// The destination refuses a manifest for want of a layer that is not copied.
    #[error(
        "the destination refuses the manifest for want of {layer}, a non-distributable layer, which stays where it is: \
         this registry takes no manifest with layers that it does not hold"
    )]
    ForeignWanted {
        /// The layer.
        layer: Digest,
    },
    /// The destination refuses a manifest for want of something that the manifest does not list.
    #[error("the destination refuses the manifest for want of {part}, which is no part of it")]
    StrangerWanted {
        /// What it names.
        part: Digest,
    },
    /// The destination has a referrer, but does not list it, so that nobody finds it.
    #[error("the destination took {referrer}, but does not list it among the referrers of {subject}")]
    Unlisted {
        /// The referrer.
        referrer: Digest,
        /// What it refers to.
        subject: Digest,
    },
    /// What is to be copied is no sensible image.
    #[error("the image is refused")]
    Graph(#[from] GraphError),
    /// The deadline came first.
    #[error("the deadline passed")]
    Deadline,
}

/// What is wrong with the whole that the manifests make up, where each of them is well formed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// Indexes inside indexes, more than four manifests deep.
    #[error("its manifests are nested more than 4 deep")]
    TooDeep,
    /// More than 10,000 manifests and blobs.
    #[error("it has more than 10,000 manifests and blobs")]
    TooMany,
    /// More than 32 MiB of manifests, the blobs not counted.
    #[error("its manifests have more than 32 MiB together")]
    TooLarge,
    /// More than 1,000 referrers of one manifest.
    #[error("{0} has more than 1,000 referrers")]
    TooManyReferrers(Digest),
    /// Two manifests give one blob two sizes.
    #[error("its manifests give {0} two sizes")]
    TwoSizes(Digest),
}

impl CopyError {
    /// Whether the same copy may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Source(error) | Self::Destination(error) => error.is_retryable(),
            Self::Deadline => true,
            Self::ReadBack { .. }
            | Self::Lost { .. }
            | Self::ForeignWanted { .. }
            | Self::StrangerWanted { .. }
            | Self::Unlisted { .. }
            | Self::Graph(_) => false,
        }
    }

    /// Whether bytes are not what they are said to be: something lies, or is damaged.
    #[must_use]
    pub fn is_integrity(&self) -> bool {
        match self {
            Self::Source(error) | Self::Destination(error) => error.is_integrity(),
            Self::ReadBack { .. } | Self::Lost { .. } | Self::Unlisted { .. } => true,
            Self::Graph(error) => matches!(error, GraphError::TwoSizes(_)),
            Self::ForeignWanted { .. } | Self::StrangerWanted { .. } | Self::Deadline => false,
        }
    }
}
