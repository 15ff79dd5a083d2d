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

    pub(super) fn has_credentials(&self) -> bool {
        self.known.is_some() || self.state().identity.is_some()
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

/// The scope of a request, and what else the registry says that it needs: other resources than those of the request,
/// for it knows best what it does with its own.
fn both(scope: &str, besides: Option<&str>) -> String {
    let resource = |word: &str| word.rsplit_once(':').map_or(word, |(resource, _)| resource).to_owned();
    let mut words: Vec<&str> = scope.split_ascii_whitespace().collect();
    for word in besides.unwrap_or_default().split_ascii_whitespace() {
        if !words.iter().any(|known| resource(known) == resource(word)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(registry: &str) -> Tokens {
        let second = Duration::from_secs(1);
        let limits = Limits { connect: second, stall: second, deadline: Instant::now() + second };
        let credentials = Credentials::Basic { user: "AWS".to_owned(), password: "canary".into() };
        Tokens::new(&registry.parse().unwrap(), &credentials, limits).unwrap()
    }

    #[test]
    fn who_may_give_tokens_is_known_before() {
        let ecr = "111111111111.dkr.ecr.ap-southeast-2.amazonaws.com";
        let cases = [
            ("docker.io", "https://auth.docker.io/token", "accepted"),
            ("docker.io", "https://registry-1.docker.io/token", "accepted"),
            ("docker.io", "https://auth.docker.io:8443/token", "Foreign"),
            ("docker.io", "http://auth.docker.io/token", "Foreign"),
            ("docker.io", "https://auth.docker.io.evil.example/token", "Foreign"),
            ("docker.io", "https://listed.example/token", "accepted"),
            ("ghcr.io", "https://ghcr.io/token", "accepted"),
            ("ghcr.io", "https://ghcr.io:443/token", "accepted"),
            ("ghcr.io", "https://auth.docker.io/token", "Foreign"),
            ("ghcr.io", "http://ghcr.io/token", "Foreign"),
            ("ghcr.io", "http://ghcr.io:443/token", "Foreign"),
            ("ghcr.io", "http://plain.example/token", "PlainHttp"),
            ("ghcr.io", "http://127.0.0.1:5000/token", "PlainHttp"),
            ("ghcr.io", "https://127.0.0.1/token", "Foreign"),
            ("ghcr.io", "https://ghcr.io@evil.example/token", "NoUrl"),
            ("127.0.0.1:5001", "http://127.0.0.1:5001/token", "accepted"),
            ("127.0.0.1:5001", "http://127.0.0.1:5000/token", "accepted"),
            ("127.0.0.1:5001", "http://127.0.0.1:5002/token", "Foreign"),
            ("127.0.0.1:5001", "http://plain.example/token", "PlainHttp"),
            ("127.0.0.1:5001", "https://listed.example/token", "accepted"),
            (ecr, "https://111111111111.dkr.ecr.ap-southeast-2.amazonaws.com/token", "Ecr"),
            (ecr, "https://listed.example/token", "Ecr"),
        ];
        for (registry, realm, expected) in cases {
            let tokens = tokens(registry);
            let listed = ["https://listed.example", "http://plain.example", "http://127.0.0.1:5000"];
            tokens.allow(listed.map(|origin| origin.parse().unwrap()).to_vec());
            let bearer = Bearer { realm: realm.to_owned(), service: None, scope: None };
            let judged = match tokens.server(&bearer).map(drop) {
                Ok(()) => "accepted".to_owned(),
                Err(error) => {
                    assert!(!error.is_retryable(), "{error}");
                    format!("{error:?}")
                }
            };
            assert!(judged.starts_with(expected), "{registry}, {realm}: {judged}");
        }
    }

    #[tokio::test]
    async fn ecr_gets_a_password_and_no_token_instead() {
        let tokens = tokens("111111111111.dkr.ecr.ap-southeast-2.amazonaws.com");
        let sent = tokens.authorization("").await.unwrap();
        let refusal =
            |challenges| Refusal { scope: "", status: StatusCode::UNAUTHORIZED, sent: sent.as_ref(), challenges };
        let basic = vec!["Basic realm=\"https://111111111111.dkr.ecr.ap-southeast-2.amazonaws.com/\",service=\"ecr\""];
        assert!(!tokens.refused(&refusal(basic)).await.unwrap());
        let bearer = vec!["Bearer realm=\"https://111111111111.dkr.ecr.ap-southeast-2.amazonaws.com/token\""];
        let error = tokens.refused(&refusal(bearer)).await.unwrap_err();
        assert!(!error.retryable && error.source.to_string().contains("ECR"), "{}", error.source);
    }

    #[test]
    fn a_token_is_not_used_to_its_last_moment() {
        for (lifetime, used) in [(1_000, 800), (5_000, 4_000), (60_000, 50_000), (300_000, 290_000)] {
            assert_eq!(good_for(Duration::from_millis(lifetime)), Duration::from_millis(used));
        }
    }

    #[test]
    fn a_registry_adds_resources_and_no_actions() {
        let own = "repository:a:pull,push";
        assert_eq!(both(own, Some("repository:a:pull")), own);
        assert_eq!(both(own, Some("repository:a:delete repository:b:pull")), format!("{own} repository:b:pull"));
        assert_eq!(both("", Some("registry:catalog:*")), "registry:catalog:*");
        assert_eq!(both(own, None), own);
    }
}
