use std::{fmt, io, sync::Arc, time::Duration};

use http::{Method, StatusCode};

use crate::{AuthorizeError, JsonError, Origin};

/// Why a streamed request body ended early: the error of whoever made the stream.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// What was asked, as an error may show it: method, origin and path. No query, no user, and not the name of a registry's
/// upload session, whoever knows which may write to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Call(Arc<(Method, Origin, String)>);

impl Call {
    /// A request of this method to this path, which begins with a slash.
    #[must_use]
    pub fn new(method: Method, origin: Origin, path: &str) -> Self {
        const LONGEST_PATH: usize = 300;
        const SESSIONS: &str = "/blobs/uploads/";
        let shown = match path.split_once(SESSIONS) {
            Some((repository, session)) if !session.is_empty() => format!("{repository}{SESSIONS}…"),
            _ => path.to_owned(),
        };
        let path = match shown.char_indices().nth(LONGEST_PATH) {
            Some((cut, _)) => format!("{}…", shown.get(..cut).unwrap_or_default()),
            None => shown,
        };
        Self(Arc::new((method, origin, path)))
    }

    /// The server.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.0.1
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, origin, path) = &*self.0;
        write!(f, "{method} {origin}{path}")
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a request has no usable answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// Plain HTTP to another machine; nothing was sent.
    #[error("{origin} is plain http and not on this machine: only https is spoken over a network")]
    PlainHttp {
        /// The server.
        origin: Origin,
    },
    /// The user or the secret holds a character that no `Authorization` header can carry.
    #[error("the credentials for {origin} hold a character that cannot be sent")]
    Credentials {
        /// The server.
        origin: Origin,
    },
    /// No credentials could be had for the request, which was not sent or refused.
    #[error("{call}")]
    Authorize {
        /// The request.
        call: Call,
        /// Why.
        source: AuthorizeError,
    },
    /// The server refused the credentials when the streamed body was gone; there are newer ones now.
    #[error("{call}: the credentials had to be renewed")]
    Renewed {
        /// The request.
        call: Call,
        /// The refusal: what it means that the newer ones are refused too.
        #[source]
        refusal: Box<HttpError>,
    },
    /// No client could be made, for want of root certificates, say.
    #[error("no HTTP client could be set up for {origin}")]
    Setup {
        /// The server.
        origin: Origin,
        /// What the HTTP library says.
        source: reqwest::Error,
    },
    /// Where the request was to go is no plain URL: it does not parse, or holds a user, a fragment or a backslash.
    #[error("{origin} was to be asked for something that is no plain path or URL")]
    Reference {
        /// The server.
        origin: Origin,
    },
    /// Where the request was to go is on another server; nothing was sent there.
    #[error("{origin} points to {to}, another server: it is not followed")]
    ForeignOrigin {
        /// The client's server.
        origin: Origin,
        /// The other.
        to: Origin,
    },
    /// A header of the request that HTTP does not allow.
    #[error("{call}: the request has a header that cannot be sent")]
    Header {
        /// The request.
        call: Call,
    },
    /// The server redirects; it is not followed.
    #[error("{call}: the server redirects{}, which is not followed ({status})", toward(to.as_ref()))]
    Redirect {
        /// The request.
        call: Call,
        /// The 3xx status.
        status: StatusCode,
        /// The server that it points to, when it says one.
        to: Option<Origin>,
    },
    /// The server redirects, which was followed, and where that leads is no usable answer.
    #[error("{call}: the server redirects")]
    Redirected {
        /// The request, as it was sent to the client's own server.
        call: Call,
        /// What is wrong at the target: its own [`Call`] names it.
        source: Box<HttpError>,
    },
    /// No connection was made; the server saw nothing of the request.
    #[error("{call}: no connection")]
    Connect {
        /// The request.
        call: Call,
        /// What the HTTP library says.
        source: reqwest::Error,
    },
    /// The server does not speak TLS, or shows a certificate that is not trusted for its name. It saw nothing of the
    /// request.
    #[error("{call}: the server cannot be trusted to be itself")]
    Tls {
        /// The request.
        call: Call,
        /// What the HTTP library says.
        source: reqwest::Error,
    },
    /// The connection broke, or the answer ended early. The server may have acted.
    #[error("{call}: the connection broke")]
    Broken {
        /// The request.
        call: Call,
        /// What the HTTP library says.
        source: reqwest::Error,
    },
    /// Too few bytes came or went for too long.
    #[error("{call}: stalled for {} s", after.as_secs_f32())]
    Stalled {
        /// The request.
        call: Call,
        /// How long.
        after: Duration,
    },
    /// The client's deadline came first.
    #[error("{call}: the time is up")]
    Deadline {
        /// The request.
        call: Call,
    },
    /// The request was repeated until the client's deadline.
    #[error("gave up after {attempts} attempts")]
    Exhausted {
        /// How often it was sent.
        attempts: u32,
        /// How the last attempt that had a result failed.
        #[source]
        last: Box<HttpError>,
    },
    /// The stream that was to be sent failed, or did not have the length that was promised.
    #[error("{call}: the bytes to send ended early")]
    Upload {
        /// The request.
        call: Call,
        /// What the stream said.
        source: BodyError,
    },
    /// The server answered with a status that is no success.
    #[error("{call}: {status}{}", after_colon(detail))]
    Status {
        /// The request.
        call: Call,
        /// The status.
        status: StatusCode,
        /// What the server said: escaped, 300 bytes at most, perhaps empty.
        detail: String,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// The answer is compressed although nobody asked for that.
    #[error("{call}: the answer has a Content-Encoding, which nobody asked for")]
    Encoded {
        /// The request.
        call: Call,
    },
    /// The answer is longer than it may be. The rest was not read.
    #[error("{call}: the answer is longer than {cap} bytes")]
    TooLarge {
        /// The request.
        call: Call,
        /// The most bytes that were acceptable.
        cap: usize,
    },
    /// The answer is not declared to be JSON: a sign-in page, say.
    #[error("{call}: the answer is {} and not JSON", content_type.as_deref().unwrap_or("of no type"))]
    NotJson {
        /// The request.
        call: Call,
        /// Its Content-Type, escaped.
        content_type: Option<String>,
    },
    /// The answer is not the JSON that was expected.
    #[error("{call}: the answer is not the JSON expected")]
    Json {
        /// The request.
        call: Call,
        /// Where and why.
        source: JsonError,
    },
}

impl HttpError {
    /// Why no answer came.
    pub(crate) fn of_transport(call: Call, error: reqwest::Error) -> Self {
        let source = error.without_url();
        if !source.is_connect() {
            Self::Broken { call, source }
        } else if is_tls(&source) {
            Self::Tls { call, source }
        } else {
            Self::Connect { call, source }
        }
    }

    /// Whether the same request may succeed later: transport faults and 408, 429, 500, 502, 503 and 504.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::Broken { .. }
            | Self::Stalled { .. }
            | Self::Deadline { .. }
            | Self::Renewed { .. }
            | Self::Exhausted { .. } => true,
            Self::Authorize { source, .. } => source.retryable,
            Self::Status { status, .. } => is_temporary(*status),
            Self::Redirected { source, .. } => source.is_retryable(),
            _ => false,
        }
    }

    /// Whether the server may have seen the request and acted on it. Of a request that was repeated until the deadline
    /// nothing is known but the last attempt, so it may; one that was refused for want of credentials was not acted on.
    #[must_use]
    pub fn was_sent(&self) -> bool {
        !matches!(
            self,
            Self::PlainHttp { .. }
                | Self::Credentials { .. }
                | Self::Authorize { .. }
                | Self::Setup { .. }
                | Self::Reference { .. }
                | Self::Header { .. }
                | Self::ForeignOrigin { .. }
                | Self::Connect { .. }
                | Self::Tls { .. }
        )
    }

    /// The status that the client's own server answered with, if that is what is wrong.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } | Self::Redirect { status, .. } => Some(*status),
            Self::Exhausted { last, .. } => last.status(),
            _ => None,
        }
    }

    /// Whether it says no more than that the client's deadline came.
    pub(crate) fn is_deadline(&self) -> bool {
        match self {
            Self::Deadline { .. } => true,
            Self::Redirected { source, .. } => source.is_deadline(),
            _ => false,
        }
    }

    /// How long the server, or that to which it redirects, asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            Self::Redirected { source, .. } => source.retry_after(),
            _ => None,
        }
    }
}

/// Whether a status says that the server cannot answer now.
pub(crate) fn is_temporary(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// Whether a connection was made and then refused by this side: rustls reports what it does not accept as invalid data.
fn is_tls(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|error| error.kind() == io::ErrorKind::InvalidData) {
            return true;
        }
        // An I/O error's source is that of the error which it wraps, not the wrapped one.
        cause = match io.and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    false
}

fn toward(origin: Option<&Origin>) -> String {
    origin.map(|origin| format!(" to {origin}")).unwrap_or_default()
}

fn after_colon(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(": {detail}") }
}
