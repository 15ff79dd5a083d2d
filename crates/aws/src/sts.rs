//! Who asks, according to STS.

use std::time::SystemTime;

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use guarded_http::Limits;

use crate::{
    AccountId, AwsError, RoleArn,
    answer::{ASSUME_ROLE, Failure, answer, fit},
    settings::Settings,
};

const CALLER: &str = "sts:GetCallerIdentity";

/// One hour, the longest session that a role gives to another role's session (IAM User Guide, "Role chaining").
const SESSION_SECONDS: i32 = 3600;

/// STS, asked as somebody or as nobody.
#[derive(Debug)]
pub(crate) struct Sts {
    client: aws_sdk_sts::Client,
    limits: Limits,
}

impl Sts {
    pub(crate) fn new(settings: &Settings, credentials: Option<SharedCredentialsProvider>) -> Self {
        Self { client: settings.sts(credentials), limits: settings.limits }
    }

    /// A session of `role` that may do what both the role and `policy` allow.
    pub(crate) async fn assume(&self, role: &RoleArn, session: &str, policy: &str) -> Result<Credentials, AwsError> {
        let call = self
            .client
            .assume_role()
            .role_arn(role.as_str())
            .role_session_name(session)
            .policy(policy)
            .duration_seconds(SESSION_SECONDS);
        let answered =
            answer(&self.limits, ASSUME_ROLE, call.send()).await.map_err(|failure| of_role(role, failure))?;
        credentials(answered.credentials)
    }

    /// A session of `role` for whoever holds this token of an identity provider.
    pub(crate) async fn assume_with_token(
        &self,
        role: &RoleArn,
        session: &str,
        token: &str,
    ) -> Result<Credentials, AwsError> {
        let call = self
            .client
            .assume_role_with_web_identity()
            .role_arn(role.as_str())
            .role_session_name(session)
            .web_identity_token(token);
        let answered =
            answer(&self.limits, ASSUME_ROLE, call.send()).await.map_err(|failure| of_role(role, failure))?;
        credentials(answered.credentials)
    }

    /// Fails unless the caller is of this account.
    pub(crate) async fn prove(&self, expected: &AccountId) -> Result<(), AwsError> {
        let caller = answer(&self.limits, CALLER, self.client.get_caller_identity().send()).await?;
        match caller.account() {
            Some(found) if found == expected.as_str() => Ok(()),
            found => Err(AwsError::WrongAccount {
                expected: expected.clone(),
                found: fit(found.unwrap_or("none")),
                arn: fit(caller.arn().unwrap_or("nobody")),
            }),
        }
    }
}

fn of_role(role: &RoleArn, failure: Failure) -> AwsError {
    match failure {
        Failure::Refused(refusal) => AwsError::AssumeRole {
            role: role.clone(),
            retryable: refusal.is_retryable(),
            code: refusal.code,
            message: refusal.message,
        },
        Failure::Failed(error) => error,
    }
}

fn credentials(given: Option<aws_sdk_sts::types::Credentials>) -> Result<Credentials, AwsError> {
    let given = given.ok_or(AwsError::Protocol { action: ASSUME_ROLE, what: "it has no credentials" })?;
    let expiry = SystemTime::try_from(given.expiration)
        .map_err(|_| AwsError::Protocol { action: ASSUME_ROLE, what: "its time is none" })?;
    Ok(Credentials::new(
        given.access_key_id,
        given.secret_access_key,
        Some(given.session_token),
        Some(expiry),
        "conveyor",
    ))
}
