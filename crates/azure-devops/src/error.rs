use std::fmt;

use ::http::StatusCode;
use guarded_http::{HttpError, OriginError};
use release::BuildId;

use crate::document::DocumentError;

/// Why an answer is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AzureError {
    /// The configured URL names no server.
    #[error("the URL of Azure DevOps names no server")]
    Address(#[from] OriginError),
    /// The configured URL has no path to put a project into.
    #[error("the URL of Azure DevOps has no path")]
    NoBase,
    /// The server must not be spoken to, or not with these credentials.
    #[error("Azure DevOps cannot be asked")]
    Client(#[source] HttpError),
    /// The server was not reached, or its answer did not arrive as a whole.
    #[error("{what} was not read")]
    Http {
        /// What was asked for.
        what: Resource,
        /// What went wrong on the way.
        #[source]
        source: HttpError,
    },
    /// The server answered with a success that is no answer: only 200 is one, and a 203 is how sign-in pages come.
    #[error("{what} was not read: the server answered {status}")]
    Status {
        /// What was asked for.
        what: Resource,
        /// The status.
        status: StatusCode,
    },
    /// The document is not what the server promises.
    #[error("{what} cannot be relied on")]
    Document {
        /// What was asked for.
        what: Resource,
        /// What is wrong with it.
        #[source]
        source: DocumentError,
    },
    /// The server answered with a document about something else.
    #[error("the server was asked for {what} and answered with another one")]
    Mistaken {
        /// What was asked for.
        what: Resource,
    },
    /// The answer carries no `Date`, so the server's clock is not known.
    #[error("{what} came without the server's time")]
    NoDate {
        /// What was asked for.
        what: Resource,
    },
    /// The thing that was asked for is not there.
    #[error("there is no {what}")]
    NotFound {
        /// What was asked for.
        what: Resource,
    },
    /// The list has no end: a continuation token came twice, or there were too many pages.
    #[error("the list of {what} does not end")]
    Endless {
        /// What was asked for.
        what: Resource,
    },
    /// One approval stands in the lists in two versions, or twice in one list.
    #[error("the answers about approval {approval} of release {release} differ")]
    Inconsistent {
        /// The release.
        release: u64,
        /// The approval.
        approval: u64,
    },
    /// The release has no stage of this name.
    #[error("release {release} has no stage {stage:?}")]
    NoStage {
        /// The release.
        release: u64,
        /// The stage's name.
        stage: String,
    },
    /// The release has two stages of this name.
    #[error("release {release} has more than one stage {stage:?}")]
    StageTwice {
        /// The release.
        release: u64,
        /// The stage's name.
        stage: String,
    },
    /// More than one attempt is in progress, or two have the same number.
    #[error("the attempts at stage {stage:?} of release {release} cannot be told apart")]
    AttemptsAmbiguous {
        /// The release.
        release: u64,
        /// The stage's name.
        stage: String,
    },
}

impl AzureError {
    /// Whether the server did not answer, so that asking again may help. An answer that cannot be relied on stays so.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Http { source, .. } => source.is_retryable(),
            _ => false,
        }
    }

    /// What somebody can do about it; none where asking again is all there is to do.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            error if error.is_retryable() => None,
            Self::Address(_) | Self::NoBase => Some("correct azure_devops.url in conveyor.yaml"),
            Self::Client(_) => Some("correct azure_devops.url in conveyor.yaml, or this agent's token"),
            error if error.wants_sign_in() => {
                Some("give this agent a token that is valid and may read builds and releases")
            }
            Self::Http { .. } => Some("let this agent reach Azure DevOps as conveyor.yaml names it"),
            Self::NotFound { .. } => Some("check the id, and that azure_devops in conveyor.yaml names its project"),
            Self::NoStage { .. } => Some("write the stage's name in conveyor.yaml as the release has it"),
            Self::StageTwice { .. } => Some("give each stage of the release definition a name of its own"),
            Self::Status { .. }
            | Self::Document { .. }
            | Self::Mistaken { .. }
            | Self::NoDate { .. }
            | Self::Endless { .. }
            | Self::Inconsistent { .. }
            | Self::AttemptsAmbiguous { .. } => {
                Some("run it again; if it stays so, report it: Azure DevOps answers what it does not promise")
            }
        }
    }

    /// Whether the server wants a token, or another one: its sign-in page comes as a redirect or as a 203.
    fn wants_sign_in(&self) -> bool {
        let status = match self {
            Self::Http { source, .. } => source.status(),
            Self::Status { status, .. } => Some(*status),
            _ => None,
        };
        status.is_some_and(|status| matches!(status.as_u16(), 203 | 300..=399 | 401 | 403))
    }
}

/// What the server was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// A build.
    Build(BuildId),
    /// A release.
    Release(u64),
    /// The approvals of a release.
    Approvals(u64),
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Build(id) => write!(f, "build {id}"),
            Self::Release(id) => write!(f, "release {id}"),
            Self::Approvals(release) => write!(f, "approvals of release {release}"),
        }
    }
}
