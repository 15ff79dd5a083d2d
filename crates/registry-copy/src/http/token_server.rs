use std::time::Duration;

use guarded_http::{Client, Credentials, HeaderValue, HttpError, Limits, Method, Origin, Request, Told, header};
use secrecy::{ExposeSecret, SecretString};
use url::{Url, form_urlencoded};

use super::wire::{
    challenge::{Bearer, ChallengeError},
    grant::Grant,
    realm,
};

/// The most bytes of a token and what comes with it.
const CAP: usize = 1 << 20;
/// The longest token: it goes into a header of each request, and servers take headers of a few KiB.
const LONGEST: usize = 64 * 1024;

/// The server that gives a registry's tokens. It receives the registry's credentials.
pub(super) struct TokenServer {
    named_by: Bearer,
    url: Url,
    client: Client,
    identity: Option<SecretString>,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(super) enum TokenError {
    #[error("the registry asks for them in a way that is not answered")]
    Challenge(#[from] ChallengeError),
    #[error("ECR asks for a user and a password only, but this server asks for a token")]
    Ecr,
    #[error("what the registry names as the giver of its tokens is no plain https URL")]
    NoUrl,
    #[error(
        "{registry} names {to} as the giver of its tokens, which is not known to be one: list it in token_hosts if it is"
    )]
    Foreign { registry: Origin, to: Origin },
    #[error("{to} would send tokens over plain http, which is only for registries on this machine")]
    PlainHttp { to: Origin },
    #[error("the token server does not accept the credentials, or wants some and there are none")]
    Refused(#[source] HttpError),
    #[error("the token server's token is one that cannot be sent")]
    Unsendable,
    #[error("the token server gave none")]
    Http(#[from] HttpError),
}

impl TokenError {
    pub(super) fn is_retryable(&self) -> bool {
        matches!(self, Self::Http(error) if error.is_retryable())
    }
}

impl TokenServer {
    /// The server of a realm, if it may have the credentials: it is the registry itself, or known as the giver of its
    /// tokens.
    pub(super) fn judge(bearer: &Bearer, registry: &Origin, hosts: &[Origin]) -> Result<(Origin, Url), TokenError> {
        let (to, url) = realm::parse(&bearer.realm).ok_or(TokenError::NoUrl)?;
        if to != *registry && !hosts.contains(&to) {
            return Err(TokenError::Foreign { registry: registry.clone(), to });
        }
        if url.scheme() != "https" && !(registry.is_loopback() && to.is_loopback()) {
            return Err(TokenError::PlainHttp { to });
        }
        Ok((to, url))
    }

    pub(super) fn new(
        bearer: &Bearer,
        (origin, url): (Origin, Url),
        credentials: &Credentials,
        identity: Option<SecretString>,
        limits: Limits,
        told: Option<Told>,
    ) -> Result<Self, TokenError> {
        // A refresh token stands for the credentials.
        let credentials = if identity.is_some() { &Credentials::Anonymous } else { credentials };
        let mut client = Client::new(origin, credentials, limits)?;
        if let Some(told) = told {
            client = client.telling(told);
        }
        Ok(Self { named_by: Bearer { scope: None, ..bearer.clone() }, url, client, identity })
    }

    pub(super) fn is_named_by(&self, bearer: &Bearer) -> bool {
        self.named_by.realm == bearer.realm && self.named_by.service == bearer.service
    }

    /// A token for these scopes as a header, and how long it is good for.
    pub(super) async fn ask(&self, scope: &str) -> Result<(HeaderValue, Duration), TokenError> {
        let response = self.request(scope)?.send(CAP).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response.into_error()));
        }
        let Grant { token, lifetime } = response.json()?;
        if token.expose_secret().len() > LONGEST {
            return Err(TokenError::Unsendable);
        }
        let header = Credentials::Bearer(token).header().ok().flatten();
        Ok((header.ok_or(TokenError::Unsendable)?, lifetime))
    }

    fn refusal(&self, mut error: HttpError) -> TokenError {
        // The client knows which secret it sent as a header, but not which one in a body.
        if let (Some(_), HttpError::Status { detail, .. }) = (&self.identity, &mut error) {
            detail.clear();
        }
        match error.status().map(|status| status.as_u16()) {
            Some(401 | 403) => TokenError::Refused(error),
            _ => TokenError::Http(error),
        }
    }

    fn request(&self, scope: &str) -> Result<Request<'_>, HttpError> {
        let service = self.named_by.service.as_deref();
        let Some(identity) = &self.identity else {
            return self.client.request(Method::GET, realm::asking(&self.url, service, scope).as_str());
        };
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "refresh_token")
            .append_pair("client_id", "conveyor")
            .append_pair("refresh_token", identity.expose_secret())
            .append_pair("scope", scope)
            .extend_pairs(service.map(|service| ("service", service)))
            .finish();
        let request = self.client.request(Method::POST, self.url.as_str())?;
        Ok(request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form))
    }
}
