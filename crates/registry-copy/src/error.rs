use std::{io, path::PathBuf, time::Duration};

use guarded_http::HttpError;
use release::{Digest, Repository};

use crate::ManifestError;

/// Why a registry did not do what was asked of it.
///
/// No variant says "not there" of a tag or a manifest that was looked up: that is an answer (`None`).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The server does not accept the credentials, or wants some and there are none.
    #[error("{at} {}{}", if *known { "does not accept the credentials" } else { "wants credentials, and none are known for it" }, scheme.as_ref().map(|s| format!(" (it asks for {s})")).unwrap_or_default())]
    Unauthorized {
        /// The registry.
        at: String,
        /// Whether there are credentials for it.
        known: bool,
        /// The scheme that the server asks for, where it is not one that can be answered.
        scheme: Option<String>,
    },
    /// The registry has no such repository.
    #[error("there is no repository {repository}")]
    NoRepository {
        /// The repository that was named.
        repository: Repository,
    },
    /// A manifest that must be there is not.
    #[error("there is no manifest {digest} in {repository}")]
    NoManifest {
        /// Where it was looked for.
        repository: Repository,
        /// The manifest.
        digest: Digest,
    },
    /// The registry tells of a manifest, and does not give it out.
    #[error("{repository} has the manifest {image}, but does not give it out: it may be archived, so restore it first")]
    Archived {
        /// Where it was looked for.
        repository: Repository,
        /// Its tag or digest, as it was asked for.
        image: String,
    },
    /// A blob that must be there is not.
    #[error("there is no blob {digest} in {repository}")]
    NoBlob {
        /// Where it was looked for.
        repository: Repository,
        /// The blob.
        digest: Digest,
    },
    /// Bytes are not those that their digest names.
    #[error("{what} should be {expected}, but its bytes are {found}")]
    DigestMismatch {
        /// What was hashed, such as `the blob`.
        what: &'static str,
        /// The digest that was asked for or claimed.
        expected: Digest,
        /// The digest of the bytes.
        found: Digest,
    },
    /// There are more or fewer bytes than the descriptor says.
    #[error("{digest} should have {expected} bytes, but {found} arrived")]
    SizeMismatch {
        /// What the bytes should be.
        digest: Digest,
        /// The size that the descriptor gives.
        expected: u64,
        /// The bytes that came; where there were too many, those counted until then.
        found: u64,
    },
    /// A document is no manifest that can be trusted.
    #[error("the manifest is refused")]
    Manifest(#[from] ManifestError),
    /// A manifest was to be stored before one of its parts.
    #[error("{repository} has no part {part} of the manifest")]
    PartMissing {
        /// The repository.
        repository: Repository,
        /// The blob or manifest that is not there.
        part: Digest,
    },
    /// The same, and the registry does not say which part.
    #[error("{repository} has not all parts of the manifest, and does not say which it lacks")]
    PartsMissing {
        /// The repository.
        repository: Repository,
    },
    /// The registry has no referrers API, and lists that clients keep under tags do not count.
    #[error("{at} has no referrers API, so it has no list of what belongs to an image that could be trusted")]
    NoReferrersApi {
        /// The registry and repository.
        at: String,
    },
    /// With one more referrer the list of them would be longer than is read: it was not written.
    #[error(
        "{repository}: the list of what refers to {subject} is full (1,000 entries or 4 MiB): delete referrers that are no longer needed, take them off it, and try again"
    )]
    ReferrersFull {
        /// The repository.
        repository: Repository,
        /// What they refer to.
        subject: Digest,
    },
    /// The bytes that were to be stored ended with an error of their source.
    #[error("the bytes to be stored broke off")]
    BrokenOff,
    /// No byte came for this long.
    #[error("no byte came for {} seconds", after.as_secs())]
    Stalled {
        /// How long was waited.
        after: Duration,
    },
    /// The upload of a blob came to nothing, for a reason that another one may not meet.
    #[error("{at}: an upload has to begin again: {why}")]
    UploadAgain {
        /// The registry and repository.
        at: String,
        /// What became of it.
        why: &'static str,
    },
    /// This registry is only read.
    #[error("this registry is only read, never written")]
    ReadOnly,
    /// A file could not be read.
    #[error("{} cannot be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The request has no usable answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A backend of another crate failed.
    #[error("{at} did not do it")]
    Backend {
        /// The registry.
        at: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
        /// Whether the same call may succeed later.
        retryable: bool,
        /// Whether other credentials may help.
        denied: bool,
    },
    /// The server's answer is not one that the protocol allows.
    #[error("{at} does not speak the registry protocol: {what}")]
    Protocol {
        /// The registry and repository, without a query.
        at: String,
        /// What is wrong.
        what: &'static str,
    },
}

impl RegistryError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Http(error) => error.is_retryable(),
            Self::Backend { retryable, .. } => *retryable,
            // Somebody may be storing the part.
            Self::PartMissing { .. } | Self::BrokenOff | Self::Stalled { .. } | Self::UploadAgain { .. } => true,
            _ => false,
        }
    }

    /// Whether other credentials may help.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Unauthorized { .. } => true,
            Self::Backend { denied, .. } => *denied,
            Self::Http(HttpError::Authorize { source, .. }) => !source.retryable,
            Self::Http(error) => error.status().is_some_and(|status| matches!(status.as_u16(), 401 | 403)),
            _ => false,
        }
    }

    /// Whether bytes are not what they are said to be: something lies, or is damaged.
    #[must_use]
    pub fn is_integrity(&self) -> bool {
        match self {
            Self::DigestMismatch { .. } | Self::SizeMismatch { .. } => true,
            Self::Manifest(error) => error.is_integrity(),
            _ => false,
        }
    }
}
