use std::{error::Error, fmt};

use async_trait::async_trait;
use http::{HeaderValue, StatusCode};

use crate::{Credentials, InvalidCredentials};

/// Gives the `Authorization` of the requests to one origin.
///
/// It is asked before each request, and told of each refusal; a [`Client`](crate::Client) sends what it gives to its
/// own origin and to no other.
#[async_trait]
pub trait Authorize: fmt::Debug + Send + Sync {
    /// What to send now with a request that needs `scope`, marked as sensitive; none for nobody in particular.
    ///
    /// A scope is in the server's own words, such as a registry's `repository:NAME:pull`; it is empty where a request
    /// says none. A token that is about to expire is renewed here.
    ///
    /// # Errors
    /// When no credentials can be had.
    async fn authorization(&self, scope: &str) -> Result<Option<HeaderValue>, AuthorizeError>;

    /// The server refused a request. `true`: what [`authorization`](Self::authorization) gives now may be accepted.
    ///
    /// A client asks once for each request, so an answer that is always `true` ends too.
    ///
    /// # Errors
    /// When no other credentials can be had, or the server asks for them in a way that is not answered.
    async fn refused(&self, refusal: &Refusal<'_>) -> Result<bool, AuthorizeError>;
}

/// A 401 or 403.
#[derive(Debug)]
pub struct Refusal<'a> {
    /// The scope of the request.
    pub scope: &'a str,
    /// 401 or 403.
    pub status: StatusCode,
    /// What was sent: where it is no longer what would be sent now, somebody else was told already.
    pub sent: Option<&'a HeaderValue>,
    /// The values of `WWW-Authenticate` that are visible ASCII.
    pub challenges: Vec<&'a str>,
}

/// No credentials can be had.
#[derive(Debug, thiserror::Error)]
#[error("no credentials can be had")]
pub struct AuthorizeError {
    /// Why.
    pub source: Box<dyn Error + Send + Sync>,
    /// Whether they may be had later.
    pub retryable: bool,
}

/// Credentials that do not change.
#[derive(Debug)]
pub(crate) struct Fixed(Option<HeaderValue>);

impl Fixed {
    pub(crate) fn new(credentials: &Credentials) -> Result<Self, InvalidCredentials> {
        credentials.header().map(Self)
    }
}

#[async_trait]
impl Authorize for Fixed {
    async fn authorization(&self, _scope: &str) -> Result<Option<HeaderValue>, AuthorizeError> {
        Ok(self.0.clone())
    }

    async fn refused(&self, _refusal: &Refusal<'_>) -> Result<bool, AuthorizeError> {
        Ok(false)
    }
}
