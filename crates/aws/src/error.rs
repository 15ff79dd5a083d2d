use release::Repository;

use crate::{AccountId, RoleArn};

/// Why AWS did not do what was asked of it.
///
/// No variant holds a secret, a token or a URL with a query. Texts of servers are escaped and cut.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AwsError {
    /// There are no credentials to begin with.
    #[error(
        "no AWS credentials were found ({why}): the step needs AWS_ACCESS_KEY_ID and its kin, a profile, a web identity \
         (AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN), or a machine that has a role"
    )]
    NoCredentials {
        /// What was found instead.
        why: String,
    },
    /// The role cannot be assumed.
    #[error("{role} cannot be assumed ({code}: {message})")]
    AssumeRole {
        /// The role.
        role: RoleArn,
        /// STS's own word for it, such as `AccessDenied`.
        code: String,
        /// STS's sentence.
        message: String,
        /// Whether the same may succeed later.
        retryable: bool,
    },
    /// The credentials are of another account than the one that was named. Nothing else was asked.
    #[error("the credentials are of account {found} ({arn}) and must be of {expected}: nothing was asked with them")]
    WrongAccount {
        /// The account that was named.
        expected: AccountId,
        /// The account that the credentials are of.
        found: String,
        /// Who the caller is.
        arn: String,
    },
    /// The caller may not do this.
    #[error("{action} is not allowed ({code}: {message})")]
    Denied {
        /// The action, as IAM names it.
        action: &'static str,
        /// AWS's own word for it.
        code: String,
        /// AWS's sentence.
        message: String,
    },
    /// Too many requests, for longer than was waited.
    #[error("{action} was refused: too many requests")]
    Throttled {
        /// The action, as IAM names it.
        action: &'static str,
    },
    /// Any other answer that is a refusal.
    #[error("{action} failed ({code}: {message})")]
    Refused {
        /// The action, as IAM names it.
        action: &'static str,
        /// AWS's own word for it.
        code: String,
        /// AWS's sentence.
        message: String,
        /// Whether the same may succeed later.
        retryable: bool,
    },
    /// There is no answer.
    #[error("{action} has no answer: {why}")]
    NoAnswer {
        /// The action, as IAM names it.
        action: &'static str,
        /// What happened on the way.
        why: String,
    },
    /// The answer is not one that the API describes.
    #[error("{action} has no usable answer: {what}")]
    Protocol {
        /// The action, as IAM names it.
        action: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The time is over.
    #[error("the time was over before {action} had an answer")]
    Deadline {
        /// The action, as IAM names it.
        action: &'static str,
    },
    /// An endpoint that would carry credentials in plain sight, or is none.
    #[error("the {service} endpoint must be https://HOST[:PORT] (or http, on loopback)")]
    Endpoint {
        /// Whose endpoint it is.
        service: &'static str,
    },
    /// The image is archived, or on its way back: ECR still describes it, and it cannot be pulled.
    #[error("{image} in {repository} is {status}, so it can neither be pulled nor be replaced: restore it first")]
    Archived {
        /// The repository.
        repository: Repository,
        /// Its tag or digest.
        image: String,
        /// ECR's word for its state.
        status: String,
    },
    /// The image is described as any other, and the registry does not have it: one of the two answers is old.
    #[error("ECR describes {image} in {repository} and does not serve it: one of its answers is old")]
    NotServed {
        /// The repository.
        repository: Repository,
        /// Its tag or digest.
        image: String,
    },
}

impl AwsError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::AssumeRole { retryable, .. } | Self::Refused { retryable, .. } => *retryable,
            Self::Throttled { .. } | Self::NoAnswer { .. } | Self::NotServed { .. } => true,
            _ => false,
        }
    }

    /// Whether other credentials may help.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        match self {
            Self::NoCredentials { .. } | Self::WrongAccount { .. } | Self::Denied { .. } => true,
            Self::AssumeRole { retryable, .. } => !retryable,
            _ => false,
        }
    }
}
