use ::http::StatusCode;
use ledger::{LedgerError, Said};
use serde_json::Value;

use super::GitError;

/// An answer that is an error, as the server documents it: `{ "typeKey": …, "message": … }`. The key decides, and where
/// there is none the status; the message is shown and never read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerError {
    pub(crate) status: StatusCode,
    pub(crate) kind: Kind,
    pub(crate) said: Said,
}

/// The errors that mean something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The repository or its project is not there, or these credentials do not see it.
    NoRepository,
    /// The path is not in the tree.
    NoItem,
    /// The branch or commit is not there.
    NoVersion,
    /// The branch is not where it was expected.
    Stale,
    /// The branch takes changes through pull requests only.
    Policy,
    /// These credentials may not do that.
    Permission,
    /// There is such a pull request.
    PullRequestExists,
    /// Anything else.
    Other,
}

impl ServerError {
    pub(crate) fn parse(status: StatusCode, body: &[u8]) -> Self {
        let document: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name| document.get(name).and_then(Value::as_str);
        let key = text("typeKey").unwrap_or_default();
        let kind = Kind::of_key(key).unwrap_or(match status {
            StatusCode::FORBIDDEN => Kind::Permission,
            _ => Kind::Other,
        });
        let said = text("message").map_or_else(|| Said::new(&status.to_string()), Said::new);
        Self { status, kind, said }
    }
}

impl Kind {
    fn of_key(key: &str) -> Option<Self> {
        Some(match key {
            "GitRepositoryNotFoundException"
            | "ProjectDoesNotExistWithNameException"
            | "ProjectDoesNotExistException" => Self::NoRepository,
            "GitItemNotFoundException" => Self::NoItem,
            "GitUnresolvableToCommitException" | "GitCommitDoesNotExistException" => Self::NoVersion,
            "GitReferenceStaleException" => Self::Stale,
            "GitRefUpdateRejectedByPolicyException" => Self::Policy,
            "GitNeedsPermissionException" => Self::Permission,
            "GitPullRequestExistsException" => Self::PullRequestExists,
            _ => return None,
        })
    }
}

impl From<ServerError> for LedgerError {
    fn from(ServerError { status, kind, said }: ServerError) -> Self {
        match kind {
            Kind::NoRepository => Self::NoRepository { said },
            Kind::Permission => Self::Denied { said },
            _ => GitError::Refused { status, said }.into(),
        }
    }
}
