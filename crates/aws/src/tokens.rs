//! The password for a registry.

use std::{fmt, time::SystemTime};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use guarded_http::{Authorize, AuthorizeError, HeaderValue, Limits, Refusal};
use tokio::{sync::Mutex, time::Instant};

use crate::{AwsError, answer::answer, lifetime::usable_for};

const ACTION: &str = "ecr:GetAuthorizationToken";

/// Tokens of ECR, as Basic credentials: valid for twelve hours, and asked for once by any number of requests.
pub(crate) struct Tokens {
    ecr: aws_sdk_ecr::Client,
    limits: Limits,
    held: Mutex<Option<Token>>,
}

struct Token {
    header: HeaderValue,
    until: Instant,
}

impl Tokens {
    pub(crate) fn new(ecr: aws_sdk_ecr::Client, limits: Limits) -> Self {
        Self { ecr, limits, held: Mutex::default() }
    }

    /// The token to send now.
    pub(crate) async fn header(&self) -> Result<HeaderValue, AwsError> {
        let mut held = self.held.lock().await;
        match held.as_ref().filter(|token| Instant::now() < token.until) {
            Some(token) => Ok(token.header.clone()),
            None => Ok(held.insert(self.ask().await?).header.clone()),
        }
    }

    async fn ask(&self) -> Result<Token, AwsError> {
        let unusable = |what| AwsError::Protocol { action: ACTION, what };
        let given = answer(&self.limits, ACTION, self.ecr.get_authorization_token().send()).await?;
        let given = given.authorization_data().first().ok_or_else(|| unusable("it has no token"))?;
        let token = given.authorization_token().ok_or_else(|| unusable("it has no token"))?;
        let user = BASE64_STANDARD.decode(token).ok().filter(|plain| plain.starts_with(b"AWS:") && plain.len() > 4);
        if user.is_none() {
            return Err(unusable("its token is not AWS:PASSWORD in base64"));
        }
        // What was given is what Basic sends (RFC 7617).
        let mut header = HeaderValue::from_str(&format!("Basic {token}")).map_err(|_| unusable("its token is none"))?;
        header.set_sensitive(true);
        let ends = given.expires_at().and_then(|ends| SystemTime::try_from(*ends).ok());
        Ok(Token { header, until: Instant::now() + usable_for(ends) })
    }
}

#[async_trait]
impl Authorize for Tokens {
    async fn authorization(&self, _scope: &str) -> Result<Option<HeaderValue>, AuthorizeError> {
        self.header().await.map(Some).map_err(refusal)
    }

    /// A token may end early, by a clock that is wrong or a session that was revoked: one new one is tried.
    async fn refused(&self, refused: &Refusal<'_>) -> Result<bool, AuthorizeError> {
        let mut held = self.held.lock().await;
        if held.as_ref().map(|token| &token.header) == refused.sent {
            *held = None;
            *held = Some(self.ask().await.map_err(refusal)?);
        }
        Ok(true)
    }
}

fn refusal(error: AwsError) -> AuthorizeError {
    AuthorizeError { retryable: error.is_retryable(), source: Box::new(error) }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}
