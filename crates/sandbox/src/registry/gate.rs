use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::response::Response;
use http::{HeaderMap, header};
use tokio::time::Instant;

use super::{
    Failure,
    options::Admission,
    scope::{Action, Scope},
};
use crate::server::{bearer, user_and_password};

/// Who is let in, and what was given out to be let in with.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) admission: Admission,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What time is ahead of the clock.
    passed: Duration,
    tokens: BTreeMap<String, Token>,
    replaced: Vec<String>,
    current: Option<String>,
}

#[derive(Debug)]
struct Token {
    until: Instant,
    scopes: Vec<Scope>,
}

impl Gate {
    pub(super) fn new(admission: Admission) -> Self {
        Self { admission, state: Mutex::default() }
    }

    /// Lets a request in that does these things, or says what to do.
    pub(super) fn admit(&self, headers: &HeaderMap, needs: &[Scope]) -> Result<(), Response> {
        match &self.admission {
            Admission::Anyone => Ok(()),
            Admission::User { user, password } => match user_and_password(headers) {
                Some(given) if given == (user.clone(), password.clone()) => Ok(()),
                _ => Err(refusal("Basic realm=\"sandbox\"", "authentication required")),
            },
            Admission::EcrToken(first) => self.admit_token(headers, first),
            Admission::Bearer(issuer) => {
                let error = match bearer(headers) {
                    None => "",
                    Some(token) if !self.is_good(token) => ",error=\"invalid_token\"",
                    Some(token) if !self.covers(token, needs) => ",error=\"insufficient_scope\"",
                    Some(_) => return Ok(()),
                };
                let scopes: Vec<String> = needs.iter().map(ToString::to_string).collect();
                let scope = if scopes.is_empty() { String::new() } else { format!(",scope=\"{}\"", scopes.join(" ")) };
                let realm = format!("http://{}/token", host(headers));
                let challenge = format!("Bearer realm=\"{realm}\",service=\"{}\"{scope}{error}", issuer.service);
                Err(refusal(&challenge, "authentication required"))
            }
        }
    }

    fn admit_token(&self, headers: &HeaderMap, first: &str) -> Result<(), Response> {
        let given = user_and_password(headers).filter(|(user, _)| user == "AWS").map(|(_, token)| token);
        let state = self.lock();
        match given {
            Some(token) if token == state.current.as_deref().unwrap_or(first) => Ok(()),
            Some(token) if token == first || state.replaced.contains(&token) => {
                Err(Failure::token_expired().response())
            }
            _ => {
                let challenge = format!("Basic realm=\"http://{}/\",service=\"ecr.amazonaws.com\"", host(headers));
                Err(refusal(&challenge, "Not Authorized"))
            }
        }
    }

    /// Takes another token from now on.
    pub(super) fn replace(&self, token: &str) {
        let mut state = self.lock();
        let old = state.current.replace(token.to_owned());
        state.replaced.extend(old);
    }

    /// Lets time pass for tokens.
    pub(super) fn pass_time(&self, by: Duration) {
        self.lock().passed += by;
    }

    /// A new token for these things.
    pub(super) fn issue(&self, scopes: Vec<Scope>, life: Duration) -> String {
        let token: String = std::iter::repeat_with(fastrand::alphanumeric).take(40).collect();
        let mut state = self.lock();
        let until = state.now() + life;
        state.tokens.insert(token.clone(), Token { until, scopes });
        token
    }

    fn is_good(&self, token: &str) -> bool {
        let state = self.lock();
        state.tokens.get(token).is_some_and(|token| state.now() < token.until)
    }

    fn covers(&self, token: &str, needs: &[Scope]) -> bool {
        let state = self.lock();
        let granted = |need: &Scope, action: &Action| {
            let scopes = state.tokens.get(token).map(|token| token.scopes.as_slice()).unwrap_or_default();
            scopes.iter().any(|scope| scope.repository == need.repository && scope.actions.contains(action))
        };
        needs.iter().all(|need| need.actions.iter().all(|action| granted(need, action)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn now(&self) -> Instant {
        Instant::now() + self.passed
    }
}

/// A 401 with a challenge.
pub(super) fn refusal(challenge: &str, message: &str) -> Response {
    let mut response = Failure::unauthorized(message).response();
    if let Ok(challenge) = challenge.parse() {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// What the client calls this server: a proxy may stand before it.
fn host(headers: &HeaderMap) -> &str {
    headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost")
}
