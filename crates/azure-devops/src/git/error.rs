use http::StatusCode;
use ledger::{LedgerError, LedgerUrl, Said};

use crate::document::DocumentError;

/// Why Azure Repos did not do it, where no variant of [`LedgerError`] says that.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// The URL names no repository of Azure DevOps.
    #[error(
        "{url} names no repository of Azure DevOps: write https://dev.azure.com/ORGANIZATION/PROJECT/_git/REPOSITORY"
    )]
    Address {
        /// The URL.
        url: LedgerUrl,
    },
    /// A document is not what the server promises.
    #[error("its {what} cannot be relied on")]
    Document {
        /// What was asked for: `commit`.
        what: &'static str,
        /// What is wrong with it.
        source: DocumentError,
    },
    /// The server answered about something else than what was asked for, or with bytes that are not those it names.
    #[error("it was asked for one {what} and answered with another")]
    Mistaken {
        /// What was asked for.
        what: &'static str,
    },
    /// A list goes on for longer than any can be.
    #[error("its list of {what} does not end")]
    Endless {
        /// What was asked for.
        what: &'static str,
    },
    /// The server answered with an error that has no meaning here.
    #[error("it answered {status}: {said}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// Its words.
        said: Said,
    },
    /// The topic branch was moved by others each time that a proposal was about to be put there.
    #[error("others keep moving the branch of the pull request")]
    TopicMoves,
    /// The server does not put the topic branch on the head that the proposal is made on.
    #[error("it does not move the branch of the pull request: {said}")]
    TopicStays {
        /// Its word for why.
        said: Said,
    },
    /// The server says that there is such a pull request, and lists none.
    #[error("it has an open pull request of this branch and does not list it")]
    Unlisted,
}

impl From<GitError> for LedgerError {
    fn from(error: GitError) -> Self {
        let retryable = matches!(error, GitError::TopicMoves | GitError::Unlisted);
        Self::Backend { source: Box::new(error), retryable }
    }
}
