use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
    serve::ListenerExt as _,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, StatusCode, header};
use tokio::{net::TcpListener, sync::oneshot};

/// A server on a port of loopback that the system chose. It stops when it is dropped: no connection is accepted any
/// more, idle ones are closed, a request that is being answered ends first.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    log: RequestLog,
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
        // Heads and first chunks are written apart; they must not wait for each other's acknowledgement.
        let listener = self.listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        let serve = axum::serve(listener, router).with_graceful_shutdown(until_dropped);
        tokio::spawn(async move { serve.await });
        Server { address: self.address, log, _stop: stop }
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
}

/// Who is let in; everybody else gets a 401 with a challenge.
#[derive(Debug)]
pub(crate) enum Admission {
    /// Everybody.
    Anyone,
    /// This user with this password.
    User { user: String, password: String },
    /// Whoever has the token: as a Basic password with any user, or as a Bearer token.
    Token(String),
}

impl Admission {
    fn admits(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (scheme, secret) = given.split_once(' ').unwrap_or_default();
        let is = |name: &str| scheme.eq_ignore_ascii_case(name);
        match self {
            Self::Anyone => true,
            Self::User { user, password } => {
                is("basic") && user_and_password(secret) == Some((user.clone(), password.clone()))
            }
            Self::Token(token) => {
                is("bearer") && secret == token
                    || is("basic") && user_and_password(secret).is_some_and(|(_, password)| password == *token)
            }
        }
    }
}

/// What a Basic credential says (RFC 7617).
fn user_and_password(secret: &str) -> Option<(String, String)> {
    let text = String::from_utf8(BASE64_STANDARD.decode(secret).ok()?).ok()?;
    text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
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
    let response = if gate.admission.admits(request.headers()) { next.run(request).await } else { challenge() };
    gate.log.add(Logged { method, path, status: response.status().as_u16() });
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
