//! Git's protocols for fetching and pushing, as bytes (gitprotocol-common(5), -pack(5), -v2(5), -http(5)). No I/O: what is
//! to be sent is made and what was received is read. A server is not trusted: nothing here allocates by a claimed size.

pub(crate) mod advertisement;
pub(crate) mod fetch;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub(crate) mod ls_refs;
mod pkt_line;
pub(crate) mod receive_pack;
pub(crate) mod report_status;
mod side_band;

use std::collections::BTreeMap;

use release::CommitId;

use crate::Said;

/// Refs by their full names, each with the object that it points to. Names that are not UTF-8 are left out: no branch
/// and no turn is called so.
pub(crate) type Refs = BTreeMap<String, CommitId>;

/// What this client calls itself.
const AGENT: &str = concat!("agent=conveyor/", env!("CARGO_PKG_VERSION"));

/// Why the answer of a Git server could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// It stops in the middle.
    #[error("the answer ends early")]
    Truncated,
    /// It is no answer of a Git server at all.
    #[error("the answer is {said} and not Git's: a sign-in page, where the credentials are not right?")]
    ContentType {
        /// What it claims to be.
        said: Said,
    },
    /// It is something else than what was asked for.
    #[error("the answer is not {expected}")]
    Malformed {
        /// What should have come.
        expected: &'static str,
    },
    /// The server says that it cannot.
    #[error("the server says: {said}")]
    Refused {
        /// Its words.
        said: Said,
    },
}

impl WireError {
    /// Whether the same request may get a better answer later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Truncated | Self::Refused { .. })
    }
}
