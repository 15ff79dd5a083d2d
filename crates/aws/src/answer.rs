//! What became of a call to AWS.

use std::{error::Error, future::Future, iter};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::{
    error::ProvideErrorMetadata,
    operation::{assume_role::AssumeRoleError, assume_role_with_web_identity::AssumeRoleWithWebIdentityError},
};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use guarded_http::{Limits, shown};
use http_body_util::LengthLimitError;
use tokio::time::timeout_at;

use crate::{AwsError, transport::ForeignSts};

pub(crate) const ASSUME_ROLE: &str = "sts:AssumeRole";

/// A call that has no answer to use.
pub(crate) enum Failure {
    /// The service refused, in its own words.
    Refused(Refusal),
    /// Anything else.
    Failed(AwsError),
}

/// What a service says when it refuses.
pub(crate) struct Refusal {
    action: &'static str,
    status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn is_retryable(&self) -> bool {
        self.status >= 500
            || self.is_throttled()
            || matches!(self.code.as_str(), "RequestTimeout" | "IDPCommunicationError")
    }

    fn is_throttled(&self) -> bool {
        self.status == 429
            || matches!(
                self.code.as_str(),
                "Throttling"
                    | "ThrottlingException"
                    | "ThrottledException"
                    | "RequestLimitExceeded"
                    | "RequestThrottled"
                    | "TooManyRequestsException"
                    | "SlowDown"
            )
    }

    /// Whether it is about who asks.
    pub(crate) fn is_denied(&self) -> bool {
        matches!(self.status, 401 | 403)
            || matches!(
                self.code.as_str(),
                "AccessDenied"
                    | "AccessDeniedException"
                    | "UnrecognizedClientException"
                    | "InvalidClientTokenId"
                    | "ExpiredToken"
                    | "ExpiredTokenException"
                    | "InvalidSignatureException"
                    | "SignatureDoesNotMatch"
                    | "IncompleteSignature"
                    | "MissingAuthenticationToken"
                    | "MissingAuthenticationTokenException"
            )
    }
}

impl From<Failure> for AwsError {
    fn from(failure: Failure) -> Self {
        let refusal = match failure {
            Failure::Failed(error) => return error,
            Failure::Refused(refusal) => refusal,
        };
        let (throttled, denied, retryable) = (refusal.is_throttled(), refusal.is_denied(), refusal.is_retryable());
        let Refusal { action, code, message, .. } = refusal;
        if throttled {
            Self::Throttled { action }
        } else if denied {
            Self::Denied { action, code, message }
        } else {
            Self::Refused { action, code, message, retryable }
        }
    }
}

/// The answer to a call, until the deadline.
pub(crate) async fn answer<T, E>(
    limits: &Limits,
    action: &'static str,
    call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
) -> Result<T, Failure>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match timeout_at(limits.deadline, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(failure(action, &error)),
        Err(_elapsed) => Err(Failure::Failed(AwsError::Deadline { action })),
    }
}

fn failure<E>(action: &'static str, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let unreadable = || Failure::Failed(AwsError::Protocol { action, what: "it cannot be read" });
    if let SdkError::ServiceError(refused) = error {
        let status = refused.raw().status().as_u16();
        if refused.raw().status().is_success() {
            return unreadable();
        }
        let told = refused.err();
        // A server that is not AWS, or one in trouble, may answer without a code.
        let code = told.code().map_or_else(|| status.to_string(), |code| shown(code.as_bytes()));
        let message = fit(told.message().unwrap_or("it does not say why"));
        return Failure::Refused(Refusal { action, status, code, message });
    }
    match (causes(error).find_map(ours), error) {
        (Some(error), _) => Failure::Failed(error),
        (None, _) if causes(error).any(<dyn Error>::is::<LengthLimitError>) => unreadable(),
        (None, _) => Failure::Failed(AwsError::NoAnswer { action, why: innermost(error) }),
    }
}

/// What a provider of credentials said: one of this crate's, or one of the SDK's, which ask STS too.
fn ours(error: &(dyn Error + 'static)) -> Option<AwsError> {
    if let Some(error) = error.downcast_ref::<AwsError>() {
        return Some(error.clone());
    }
    let credentials = error.downcast_ref::<CredentialsError>()?;
    let mut deeper = causes(credentials).skip(1);
    Some(deeper.find_map(|cause| ours(cause).or_else(|| of_sts(cause))).unwrap_or_else(|| no_credentials(credentials)))
}

fn of_sts(error: &(dyn Error + 'static)) -> Option<AwsError> {
    if causes(error).any(<dyn Error>::is::<ForeignSts>) {
        return Some(no_credentials(error));
    }
    let assumed =
        error.downcast_ref().map(|error: &SdkError<AssumeRoleError, HttpResponse>| failure(ASSUME_ROLE, error));
    let exchanged = || {
        error
            .downcast_ref()
            .map(|error: &SdkError<AssumeRoleWithWebIdentityError, HttpResponse>| failure(ASSUME_ROLE, error))
    };
    assumed.or_else(exchanged).map(AwsError::from)
}

fn no_credentials(error: &(dyn Error + 'static)) -> AwsError {
    AwsError::NoCredentials { why: innermost(error) }
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| error.source())
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(|cause| fit(&cause.to_string())).unwrap_or_default()
}

/// A text of a server, fit to be shown: no query of a URL, and nothing that is as long as a token. The longest part of
/// an ARN is a session of a role, 142 characters.
pub(crate) fn fit(text: &str) -> String {
    const LONGEST: usize = 160;
    let words = text.split_whitespace().map(|word| {
        let bare = if word.contains("://") { word.split('?').next().unwrap_or(word) } else { word };
        if bare.split([':', '"', ',']).any(|part| part.len() > LONGEST) { "(left out)" } else { bare }
    });
    shown(words.collect::<Vec<_>>().join(" ").as_bytes())
}
