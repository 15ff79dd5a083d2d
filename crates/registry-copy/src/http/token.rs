//! Authentication with tokens, where a registry asks for it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use guarded_http::{
    Authorize, AuthorizeError, Credentials, HeaderValue, HttpError, Limits, Origin, Refusal, StatusCode, Told,
};
use release::Authority;
use secrecy::SecretString;
use tokio::time::Instant;

use super::{
    hosts,
    token_server::{TokenError, TokenServer},
    wire::challenge::{self, Bearer, Challenge},
};

/// Gives what a registry asks for: the credentials that are known, and once it challenges for one, a token of the
/// server that it names, if that may receive the credentials.
///
/// A token is kept for each scope and renewed shortly before its end, and after a refusal; however many requests need
/// it then, it is asked for once.
pub(super) struct Tokens {
    registry: Origin,
    is_ecr: bool,
    credentials: Credentials,
    known: Option<HeaderValue>,
    limits: Limits,
    state: Mutex<State>,
}

struct State {
    hosts: Vec<Origin>,
    identity: Option<SecretString>,
    told: Option<Told>,
    server: Option<Arc<TokenServer>>,
    slots: BTreeMap<String, Arc<tokio::sync::Mutex<Slot>>>,
}

/// The token of one scope.
#[derive(Default)]
struct Slot {
    /// What the registry says that it needs besides.
    besides: Option<String>,
    /// A failure that another try would not mend is kept too: a wrong password is sent once.
    held: Option<Result<Token, Arc<TokenError>>>,
}

struct Token {
    header: HeaderValue,
    renew: Instant,
}

impl Tokens {
    pub(super) fn new(authority: &Authority, credentials: &Credentials, limits: Limits) -> Result<Self, HttpError> {
        let registry = hosts::origin(authority);
        let known = credentials.header().map_err(|_| HttpError::Credentials { origin: registry.clone() })?;
        let state = State {
            hosts: hosts::token_hosts(authority),
            identity: None,
            told: None,
            server: None,
            slots: BTreeMap::new(),
        };
        let is_ecr = hosts::is_ecr(authority);
        Ok(Self { registry, is_ecr, credentials: credentials.clone(), known, limits, state: Mutex::new(state) })
    }

    pub(super) fn allow(&self, hosts: Vec<Origin>) {
        self.state().hosts.extend(hosts);
    }

    pub(super) fn identify(&self, token: SecretString) {
        self.state().identity = Some(token);
    }

    pub(super) fn tell(&self, told: Told) {
        self.state().told = Some(told);
    }

    /// The server that a challenge names; the one that is known where it names that again.
    fn server(&self, bearer: &Bearer) -> Result<Arc<TokenServer>, TokenError> {
        if self.is_ecr {
            return Err(TokenError::Ecr);
        }
        let mut state = self.state();
        if let Some(server) = state.server.as_ref().filter(|server| server.is_named_by(bearer)) {
            return Ok(Arc::clone(server));
        }
        let realm = TokenServer::judge(bearer, &self.registry, &state.hosts)?;
        let (identity, told) = (state.identity.clone(), state.told.clone());
        let server = Arc::new(TokenServer::new(bearer, realm, &self.credentials, identity, self.limits, told)?);
        state.server = Some(Arc::clone(&server));
        Ok(server)
    }

    fn slot(&self, scope: &str) -> Arc<tokio::sync::Mutex<Slot>> {
        Arc::clone(self.state().slots.entry(scope.to_owned()).or_default())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Authorize for Tokens {
    async fn authorization(&self, scope: &str) -> Result<Option<HeaderValue>, AuthorizeError> {
        let Some(server) = self.state().server.clone() else { return Ok(self.known.clone()) };
        let slot = self.slot(scope);
        let mut slot = slot.lock().await;
        match &slot.held {
            Some(Ok(token)) if Instant::now() < token.renew => Ok(Some(token.header.clone())),
            Some(Err(error)) => Err(failed(error)),
            _ => slot.renew(&server, scope).await.map(Some),
        }
    }

    async fn refused(&self, refusal: &Refusal<'_>) -> Result<bool, AuthorizeError> {
        if matches!(self.credentials, Credentials::Bearer(_)) {
            return Ok(false);
        }
        let challenge = match refusal.status {
            StatusCode::UNAUTHORIZED => challenge::parse(&refusal.challenges).map_err(TokenError::from),
            _ => Ok(None),
        };
        let (server, besides) = match challenge.map_err(|error| failed(&Arc::new(error)))? {
            Some(Challenge::Basic) => return Ok(false),
            Some(Challenge::Bearer(bearer)) => {
                (self.server(&bearer).map_err(|error| failed(&Arc::new(error)))?, bearer.scope)
            }
            None => match self.state().server.clone() {
                Some(server) => (server, None),
                None => return Ok(false),
            },
        };
        let slot = self.slot(refusal.scope);
        let mut slot = slot.lock().await;
        match &slot.held {
            Some(Err(error)) => return Err(failed(error)),
            Some(Ok(token)) if Some(&token.header) != refusal.sent => {}
            _ => {
                slot.besides = besides.or(slot.besides.take());
                slot.renew(&server, refusal.scope).await?;
            }
        }
        Ok(true)
    }
}

impl Slot {
    async fn renew(&mut self, server: &TokenServer, scope: &str) -> Result<HeaderValue, AuthorizeError> {
        let asked = Instant::now();
        match server.ask(&both(scope, self.besides.as_deref())).await {
            Ok((header, lifetime)) => {
                self.held = Some(Ok(Token { header: header.clone(), renew: asked + good_for(lifetime) }));
                Ok(header)
            }
            Err(error) => {
                let error = Arc::new(error);
                self.held = (!error.is_retryable()).then(|| Err(Arc::clone(&error)));
                Err(failed(&error))
            }
        }
    }
}

/// How long a token of this lifetime is used: requests take a while to arrive.
fn good_for(lifetime: Duration) -> Duration {
    const EARLIER: Duration = Duration::from_secs(10);
    lifetime - EARLIER.min(lifetime / 5)
}

/// The words of both, each once.
fn both(scope: &str, besides: Option<&str>) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in scope.split_ascii_whitespace().chain(besides.unwrap_or_default().split_ascii_whitespace()) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(" ")
}

fn failed(error: &Arc<TokenError>) -> AuthorizeError {
    AuthorizeError { source: Box::new(Arc::clone(error)), retryable: error.is_retryable() }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("registry", &self.registry).finish_non_exhaustive()
    }
}
