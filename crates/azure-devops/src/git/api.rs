use ::http::{Method, StatusCode, header};
use bytes::Bytes;
use guarded_http::{Client, Credentials, HttpError, Limits, Origin, Response};
use ledger::{LedgerError, Said};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{GitError, server_error::ServerError};

const API_VERSION: &str = "api-version=7.1";
const JSON: &str = "application/json";

/// One repository's resources.
#[derive(Debug)]
pub(super) struct Api {
    client: Client,
    root: String,
}

/// Why a request has no answer that says what was asked for.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server said so.
    Server(ServerError),
    /// Nothing was sent.
    Unsent(LedgerError),
    /// There was no answer, or none that can be read.
    Unheard(LedgerError),
    /// The server wants to know who asks: by a status, by a redirect or a page to sign in at.
    Denied(LedgerError),
}

impl From<Failure> for LedgerError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Server(error) => error.into(),
            Failure::Unsent(error) | Failure::Unheard(error) | Failure::Denied(error) => error,
        }
    }
}

impl Api {
    pub(super) fn new(
        origin: Origin,
        root: String,
        credentials: &Credentials,
        limits: Limits,
    ) -> Result<Self, LedgerError> {
        let client = Client::new(origin, credentials, limits).map_err(|source| LedgerError::Http { source })?;
        Ok(Self { client, root })
    }

    pub(super) fn requests(&self) -> u64 {
        self.client.requests()
    }

    /// A document of at most `cap` bytes.
    pub(super) async fn get(&self, resource: &str, query: &[(&str, &str)], cap: usize) -> Result<Response, Failure> {
        let request = self.client.request(Method::GET, &self.at(resource, query)).map_err(heard)?;
        document(request.header(header::ACCEPT, JSON).send(cap).await.map_err(heard)?)
    }

    /// Bytes as they are, of which at most `cap` may be there.
    pub(super) async fn bytes(&self, resource: &str, query: &[(&str, &str)], cap: usize) -> Result<Bytes, Failure> {
        const KIND: &str = "application/octet-stream";
        let request = self.client.request(Method::GET, &self.at(resource, query)).map_err(heard)?;
        let response = request.header(header::ACCEPT, KIND).send(cap).await.map_err(heard)?;
        match response.header(&header::CONTENT_TYPE) {
            Some(kind) if kind.starts_with(KIND) && response.status() == StatusCode::OK => Ok(response.bytes().clone()),
            _ => Err(match document(response) {
                Err(failure) => failure,
                Ok(_) => Failure::Unheard(GitError::Mistaken { what: "blob" }.into()),
            }),
        }
    }

    /// Sends a document, once.
    pub(super) async fn post(&self, resource: &str, body: &Value, cap: usize) -> Result<Response, Failure> {
        let request = self.client.request(Method::POST, &self.at(resource, &[])).map_err(heard)?;
        let request = request.header(header::ACCEPT, JSON).header(header::CONTENT_TYPE, JSON).body(body.to_string());
        document(request.send(cap).await.map_err(heard)?)
    }

    fn at(&self, resource: &str, query: &[(&str, &str)]) -> String {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(query);
        let query = text.finish();
        let and = if query.is_empty() { "" } else { "&" };
        format!("{}/{resource}?{query}{and}{API_VERSION}", self.root)
    }
}

/// The answer, if it is a document: JSON with the status of a success.
fn document(response: Response) -> Result<Response, Failure> {
    let said = || Said::new("a page to sign in at");
    let is_page = response.header(&header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html"));
    match response.status() {
        StatusCode::NON_AUTHORITATIVE_INFORMATION => Err(Failure::Denied(LedgerError::Denied { said: said() })),
        StatusCode::OK | StatusCode::CREATED if is_page => Err(Failure::Denied(LedgerError::Denied { said: said() })),
        StatusCode::OK | StatusCode::CREATED => match response.json::<IgnoredAny>() {
            Ok(_) => Ok(response),
            Err(source) => Err(Failure::Unheard(LedgerError::Http { source })),
        },
        StatusCode::UNAUTHORIZED => {
            let said = ServerError::parse(StatusCode::UNAUTHORIZED, response.bytes()).said;
            Err(Failure::Denied(LedgerError::Denied { said }))
        }
        status if status.is_client_error() && !temporary(status) => {
            Err(Failure::Server(ServerError::parse(status, response.bytes())))
        }
        _ => Err(Failure::Unheard(LedgerError::Http { source: response.into_error() })),
    }
}

/// Whether a status says by itself that the server may answer later, whatever it did until now.
fn temporary(status: StatusCode) -> bool {
    matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

fn heard(source: HttpError) -> Failure {
    match source {
        HttpError::Redirect { .. } => Failure::Denied(LedgerError::Denied { said: Said::new(&source.to_string()) }),
        source if source.was_sent() => Failure::Unheard(LedgerError::Http { source }),
        source => Failure::Unsent(LedgerError::Http { source }),
    }
}
