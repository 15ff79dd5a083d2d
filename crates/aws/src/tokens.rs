//! The password for a registry.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use guarded_http::{Authorize, AuthorizeError, HeaderValue, Limits, Refusal};
use tokio::{sync::Mutex, time::Instant};

use crate::{AwsError, answer::answer};

const ACTION: &str = "ecr:GetAuthorizationToken";

/// A token is renewed this long before it ends.
const MARGIN: Duration = Duration::from_secs(300);

/// How long a new token is used that has ended already, by what is said of it.
const UNKNOWN: Duration = Duration::from_secs(300);

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
        Ok(Token { header, until: Instant::now() + usable_for(ends, SystemTime::now()) })
    }
}

/// How long a token that is new at `now` is used.
fn usable_for(ends: Option<SystemTime>, now: SystemTime) -> Duration {
    match ends.and_then(|ends| ends.duration_since(now).ok()) {
        Some(left) if !left.is_zero() => left.saturating_sub(MARGIN).max(left / 2),
        _ => UNKNOWN,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_ends() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let used = |seconds| usable_for(Some(now + Duration::from_secs(seconds)), now).as_secs();
        assert_eq!(used(12 * 3600), 12 * 3600 - 300);
        assert_eq!(used(400), 200);
        assert_eq!(used(60), 30);
    }

    #[test]
    fn an_end_in_the_past_is_no_end() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        for ends in [None, Some(SystemTime::UNIX_EPOCH), Some(now)] {
            assert_eq!(usable_for(ends, now), UNKNOWN);
        }
    }
}
