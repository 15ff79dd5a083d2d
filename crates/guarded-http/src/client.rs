use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::Method;
use tokio::time::Instant;
use url::Url;

use crate::{
    Authorize, Credentials, HttpError, Origin, Request, Retries, Told, authorize::Fixed, connections::Connections,
    gate::Gate, location::resolve,
};

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest that making a connection may take.
    pub connect: Duration,
    /// The longest wait for an answer to begin, for each KiB of a body that arrives and for each piece of a body that
    /// is sent. Time in which nobody asks for the next bytes does not count. For the answer to a body
    /// that is streamed or longer than 64 KiB, once the server has the whole of it, it is five minutes at least.
    pub stall: Duration,
    /// When all ends, retries and bodies included.
    pub deadline: Instant,
}

/// A client of one origin, with the credentials for it.
pub struct Client {
    pub(crate) origin: Origin,
    pub(crate) limits: Limits,
    pub(crate) connections: Connections,
    pub(crate) authorize: Arc<dyn Authorize>,
    reads: Arc<Gate>,
    /// Apart from reads: a write waits for the read that its bytes come from, which may be one of this client's, and
    /// registries limit the two apart.
    writes: Arc<Gate>,
    told: Option<Told>,
    requests: AtomicU64,
}

impl Client {
    /// A client that sends `credentials` to `origin` and speaks to nobody else. It opens no connection yet.
    ///
    /// # Errors
    /// [`HttpError::PlainHttp`] for plain HTTP to another machine, [`HttpError::Credentials`] for a secret that fits
    /// into no header, [`HttpError::Setup`] when the system's root certificates cannot be read.
    pub fn new(origin: Origin, credentials: &Credentials, limits: Limits) -> Result<Self, HttpError> {
        let fixed = Fixed::new(credentials).map_err(|_| HttpError::Credentials { origin: origin.clone() })?;
        Self::authorized_by(origin, Arc::new(fixed), limits)
    }

    /// A client that sends what `authorize` gives to `origin`, and speaks to nobody else.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn authorized_by(origin: Origin, authorize: Arc<dyn Authorize>, limits: Limits) -> Result<Self, HttpError> {
        if !origin.is_private() {
            return Err(HttpError::PlainHttp { origin });
        }
        let connections = Connections::new(limits.connect);
        let root = Url::parse(&origin.to_string()).map_err(|_| HttpError::Reference { origin: origin.clone() })?;
        // Here, so that certificates that cannot be read are an error of whoever opens the server.
        connections
            .of(&root)
            .map_err(|source| HttpError::Setup { origin: origin.clone(), source: source.without_url() })?;
        let (reads, writes) = (Gate::new(), Gate::new());
        let requests = AtomicU64::new(0);
        Ok(Self { origin, limits, connections, authorize, reads, writes, told: None, requests })
    }

    /// Tells `told` before each repetition of a request what it is repeated for and how long that is waited for.
    #[must_use]
    pub fn telling(self, told: Told) -> Self {
        Self { told: Some(told), ..self }
    }

    /// The server.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether `to` may receive this client's credentials: only its own origin may.
    #[must_use]
    pub fn may_send_credentials(&self, to: &Origin) -> bool {
        *to == self.origin && to.is_private()
    }

    /// A request for `reference`: an absolute path with an optional query, or a URL of this client's origin.
    ///
    /// GET and HEAD are repeated on temporary faults; see [`Request::idempotent`] for the others.
    ///
    /// # Errors
    /// [`HttpError::Reference`] and [`HttpError::ForeignOrigin`].
    pub fn request(&self, method: Method, reference: &str) -> Result<Request<'_>, HttpError> {
        let root = Url::parse(&self.origin.to_string()).map_err(|_| self.no_reference())?;
        let url = resolve(&self.origin, &root, reference)?;
        Ok(Request::new(self, method, url))
    }

    /// The pauses for something that is repeated until the deadline, but not blindly: [`Request::idempotent`] does not
    /// fit it.
    #[must_use]
    pub fn retries(&self) -> Retries {
        Retries::until(self.limits.deadline, self.told.clone())
    }

    /// How many requests were sent so far, repeated ones included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// What a request with this method has to pass.
    pub(crate) fn gate(&self, method: &Method) -> &Arc<Gate> {
        if method.is_safe() { &self.reads } else { &self.writes }
    }

    pub(crate) fn count(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    fn no_reference(&self) -> HttpError {
        HttpError::Reference { origin: self.origin.clone() }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("origin", &self.origin).finish_non_exhaustive()
    }
}
