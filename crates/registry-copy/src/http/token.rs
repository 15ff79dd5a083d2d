use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use guarded_http::{Authorize, AuthorizeError, Credentials, HeaderValue, HttpError, Limits, Origin, Refusal};
use release::Authority;
use secrecy::SecretString;

/// Answers a registry's challenges.
#[derive(Debug)]
pub(super) struct Tokens {
    known: Option<HeaderValue>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    hosts: Vec<Origin>,
    identity: Option<SecretString>,
}

impl Tokens {
    pub(super) fn new(authority: &Authority, credentials: &Credentials, _limits: Limits) -> Result<Self, HttpError> {
        let origin = Origin::for_registry(authority);
        let known = credentials.header().map_err(|_| HttpError::Credentials { origin })?;
        Ok(Self { known, state: Mutex::default() })
    }

    pub(super) fn allow(&self, hosts: Vec<Origin>) {
        self.state().hosts.extend(hosts);
    }

    pub(super) fn identify(&self, token: SecretString) {
        self.state().identity = Some(token);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Authorize for Tokens {
    async fn authorization(&self, _scope: &str) -> Result<Option<HeaderValue>, AuthorizeError> {
        Ok(self.known.clone())
    }

    async fn refused(&self, _refusal: &Refusal<'_>) -> Result<bool, AuthorizeError> {
        Ok(false)
    }
}
