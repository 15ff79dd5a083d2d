use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, StatusCode, header};
use tokio::{net::TcpListener, sync::oneshot};

use crate::line::{Lines, Scissors};

/// A server on a port of loopback that the system chose. It stops when it is dropped: no connection is accepted any
/// more, idle ones are closed, a request that is being answered ends first.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    log: RequestLog,
    accepted: Arc<AtomicUsize>,
    _stop: oneshot::Sender<()>,
}

/// A port that is ours before anything answers on it, so that what answers can know its own address.
#[derive(Debug)]
pub(crate) struct Port {
    listener: TcpListener,
    address: SocketAddr,
}

impl Port {
    pub(crate) async fn bind() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok(Self { address: listener.local_addr()?, listener })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers with `router` whoever `admission` lets in.
    pub(crate) fn serve(self, router: Router, admission: Admission) -> Server {
        let log = RequestLog::default();
        let gate = Arc::new(Gate { admission, log: log.clone() });
        let router = router.layer(middleware::from_fn_with_state(gate, pass));
        let (stop, stopped) = oneshot::channel();
        let until_dropped = async { drop(stopped.await) };
        let accepted = Arc::default();
        let lines = Lines { listener: self.listener, refused: Arc::default(), accepted: Arc::clone(&accepted) };
        let service = router.into_make_service_with_connect_info::<Scissors>();
        let serve = axum::serve(lines, service).with_graceful_shutdown(until_dropped);
        tokio::spawn(async move { serve.await });
        Server { address: self.address, log, accepted, _stop: stop }
    }
}

impl Server {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn log(&self) -> &RequestLog {
        &self.log
    }

    /// How many connections were made so far.
    pub(crate) fn connections(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

/// Who is let in; everybody else gets a 401 with a challenge.
#[derive(Debug)]
pub(crate) enum Admission {
    /// Everybody.
    Anyone,
    /// Whoever has the token: as a Basic password with any user, or as a Bearer token.
    Token(String),
}

impl Admission {
    fn admits(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Anyone => true,
            Self::Token(token) => {
                let is_password = |(_, password): (String, String)| password == *token;
                bearer(headers) == Some(token) || user_and_password(headers).is_some_and(is_password)
            }
        }
    }
}

/// What a Basic credential says (RFC 7617).
pub(crate) fn user_and_password(headers: &HeaderMap) -> Option<(String, String)> {
    let text = String::from_utf8(BASE64_STANDARD.decode(credential(headers, "basic")?).ok()?).ok()?;
    text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

/// A Bearer token (RFC 6750).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    credential(headers, "bearer")
}

fn credential<'h>(headers: &'h HeaderMap, of_scheme: &str) -> Option<&'h str> {
    let (scheme, secret) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case(of_scheme).then_some(secret)
}

/// The requests that a server has answered, in the order of their answers.
#[derive(Debug, Clone, Default)]
pub struct RequestLog {
    requests: Arc<Mutex<Vec<Logged>>>,
}

/// A request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// All its headers.
    pub headers: HeaderMap,
    /// The answer's status.
    pub status: u16,
}

impl RequestLog {
    /// All requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Logged> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets them.
    pub fn clear(&self) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn add(&self, request: Logged) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    }
}

struct Gate {
    admission: Admission,
    log: RequestLog,
}

async fn pass(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let method = request.method().to_string();
    let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let headers = request.headers().clone();
    let response = if gate.admission.admits(request.headers()) { next.run(request).await } else { challenge() };
    gate.log.add(Logged { method, path, headers, status: response.status().as_u16() });
    response
}

fn challenge() -> Response {
    let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
    answer(StatusCode::UNAUTHORIZED)
        .with(header::WWW_AUTHENTICATE, "Basic realm=\"sandbox\"")
        .with(header::CONTENT_TYPE, "application/json")
        .body(body)
}

/// An answer under construction.
pub(crate) struct Answer(Response);

pub(crate) fn answer(status: StatusCode) -> Answer {
    let mut response = Response::default();
    *response.status_mut() = status;
    Answer(response)
}

impl Answer {
    /// Adds a header. A value that HTTP does not allow is left out: what the sandbox says is its own text.
    pub(crate) fn with(mut self, name: header::HeaderName, value: impl AsRef<str>) -> Self {
        if let Ok(value) = value.as_ref().try_into() {
            self.0.headers_mut().insert(name, value);
        }
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Body>) -> Response {
        *self.0.body_mut() = body.into();
        self.0
    }

    pub(crate) fn empty(self) -> Response {
        self.0
    }
}
