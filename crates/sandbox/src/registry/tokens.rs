use axum::{
    body::{Body, to_bytes},
    response::Response,
};
use http::{Method, StatusCode, request::Parts};
use url::form_urlencoded;

use super::{
    Failure,
    gate::{Gate, refusal},
    options::{Account, Issuer},
    scope::{Action, Scope},
};
use crate::server::user_and_password;

/// The issuer's path.
pub(super) const PATH: &str = "/token";
/// The most bytes of a form.
const FORM: usize = 64 << 10;

/// Gives a token out: by GET with Basic or nothing, by POST with an identity token or a password (distribution's "Token
/// Authentication Specification" and "Oauth2 Token Authentication").
pub(super) async fn answer(gate: &Gate, issuer: &Issuer, parts: &Parts, body: Body) -> Result<Response, Failure> {
    let form = match parts.method {
        Method::GET => parts.uri.query().unwrap_or_default().as_bytes().to_vec(),
        Method::POST => to_bytes(body, FORM).await.map_err(|_| Failure::unsupported())?.to_vec(),
        _ => return Err(Failure::unsupported()),
    };
    let fields: Vec<(String, String)> = form_urlencoded::parse(&form).into_owned().collect();
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value);
    if field("service") != issuer.service {
        return Err(Failure::unauthorized("another service"));
    }
    let known = |given: (String, String)| issuer.accounts.iter().find(|account| account.is(&given));
    let account = match (&parts.method, field("grant_type")) {
        (&Method::POST, "refresh_token") => {
            let shown = |account: &&Account| account.identity_token.as_deref() == Some(field("refresh_token"));
            issuer.accounts.iter().find(shown)
        }
        (&Method::POST, "password") => known((field("username").to_owned(), field("password").to_owned())),
        _ => user_and_password(&parts.headers).and_then(known),
    };
    let nobody = parts.method == Method::GET && !parts.headers.contains_key(http::header::AUTHORIZATION);
    if account.is_none() && !(nobody && issuer.anonymous_pull) {
        return Ok(refusal("Basic realm=\"sandbox\"", "no such account"));
    }
    let asked = fields.iter().filter(|(key, _)| key == "scope").flat_map(|(_, value)| value.split(' '));
    let scopes = asked.filter_map(|scope| scope.parse().ok()).map(|scope| allowed(scope, account)).collect();
    let token = gate.issue(scopes, issuer.life);
    let answer = serde_json::json!({ "token": token, "access_token": token, "expires_in": issuer.life.as_secs() });
    Ok(super::json(StatusCode::OK, "application/json", answer.to_string()))
}

/// What of a scope an account may do; without an account, pull.
fn allowed(mut scope: Scope, account: Option<&Account>) -> Scope {
    let may = |action: &Action| match account {
        None => *action == Action::Pull,
        Some(account) => {
            let here = account.repositories.as_ref().is_none_or(|all| all.contains(&scope.repository));
            here && (account.pushes || *action == Action::Pull)
        }
    };
    scope.actions = scope.actions.iter().copied().filter(may).collect();
    scope
}

impl Account {
    fn is(&self, (user, password): &(String, String)) -> bool {
        self.user == *user && self.password == *password
    }
}
