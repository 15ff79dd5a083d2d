//! A proxy before any HTTP server, which breaks what passes through it as a script says.

mod act;
mod script;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, HttpBody as _, to_bytes},
    extract::{ConnectInfo, Request, State},
    response::Response,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use http::{HeaderMap, StatusCode, header};
use tokio::{net::TcpListener, sync::watch, task::AbortHandle, time::sleep};

pub use self::{
    act::{Act, Answer, Break, Phase},
    script::{Faults, Script, Seen},
};
use crate::line::{Lines, Scissors};

/// The largest answer that is held in memory to be changed.
const LARGEST: usize = 64 << 20;

/// A proxy on a port of loopback that the system chose. It ends when it is dropped: then nobody listens on the port.
///
/// What is not broken is passed on as it comes, byte for byte, by a connection of its own to the server. The `Host` that
/// the client named is kept, so that a server that writes absolute URLs writes the proxy's.
///
/// ```no_run
/// # async fn story(registry: sandbox::RegistryServer) -> std::io::Result<()> {
/// use sandbox::{Act, FaultProxy, Faults, Phase, Script};
///
/// let script = Script::new();
/// let proxy = FaultProxy::start("registry", registry.authority(), &script).await?;
/// let faults = Faults::new()
///     .on("GET", "*/blobs/*", 1..=1, |_| Act::reset(Phase::Answer(100)))
///     .on("PUT", "*/manifests/*", 2..=3, |_| Act::answer(429, "").with(http::header::RETRY_AFTER, "2"));
/// script.set(faults.rule());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    server: Server,
    serving: Option<AbortHandle>,
}

/// What answers requests.
#[derive(Debug, Clone)]
struct Server {
    name: &'static str,
    script: Script,
    upstream: Arc<Mutex<String>>,
    refused: Arc<AtomicUsize>,
    client: reqwest::Client,
}

impl FaultProxy {
    /// Starts a proxy with a name for [`Seen::server`]; `upstream` is the server's authority, `127.0.0.1:PORT`.
    ///
    /// # Errors
    /// When no port of loopback is to be had.
    pub async fn start(name: &'static str, upstream: impl Into<String>, script: &Script) -> io::Result<Self> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            // A connection that the server has closed meanwhile would be a fault that nobody asked for.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(io::Error::other)?;
        let server = Server {
            name,
            script: script.clone(),
            upstream: Arc::new(Mutex::new(upstream.into())),
            refused: Arc::default(),
            client,
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let serving = Some(server.clone().serve(listener));
        Ok(Self { address, server, serving })
    }

    /// `127.0.0.1:PORT`, as references name it.
    #[must_use]
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts another server behind it.
    pub fn turn_to(&self, upstream: impl Into<String>) {
        *self.server.upstream.lock().unwrap_or_else(PoisonError::into_inner) = upstream.into();
    }

    /// Resets the next connections as soon as they are there. The script does not see them.
    pub fn refuse_connections(&self, number: usize) {
        self.server.refused.store(number, Ordering::Relaxed);
    }

    /// Nobody listens on its port any more: connections are refused by the system. Those that are there go on.
    pub fn stop_listening(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }

    /// Listens again, on the same port.
    ///
    /// # Errors
    /// When somebody else has taken the port.
    pub async fn listen_again(&mut self) -> io::Result<()> {
        self.stop_listening();
        let listener = TcpListener::bind(self.address).await?;
        self.serving = Some(self.server.clone().serve(listener));
        Ok(())
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.stop_listening();
    }
}

impl Server {
    fn serve(self, listener: TcpListener) -> AbortHandle {
        let lines = Lines { listener, refused: Arc::clone(&self.refused), accepted: Arc::default() };
        let router = Router::new().fallback(handle).with_state(self);
        let service = router.into_make_service_with_connect_info::<Scissors>();
        tokio::spawn(async move { axum::serve(lines, service).await }).abort_handle()
    }
}

/// One request, and what breaks it.
struct Passage {
    server: Server,
    scissors: Scissors,
    released: watch::Receiver<()>,
}

async fn handle(
    State(server): State<Server>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: Request,
) -> Response {
    // Before the rule is asked: whoever sets another one then lets go of this request too.
    let released = server.script.released();
    let act = server.script.see(server.name, &request);
    let passage = Passage { server, scissors, released };
    passage.perform(act, request).await.unwrap_or_else(|error| {
        let mut answer = Response::new(Body::from(error.to_string()));
        *answer.status_mut() = StatusCode::BAD_GATEWAY;
        answer
    })
}

impl Passage {
    async fn perform(self, act: Act, request: Request) -> io::Result<Response> {
        match act {
            Act::Pass => self.pass_on(request).await,
            Act::Delay(pause) => {
                sleep(pause).await;
                self.pass_on(request).await
            }
            Act::Answer(answer) => {
                // Whoever sends a body hears nothing before it is read.
                read_out(request.into_body()).await;
                Ok(act::recounted(answer).map(Body::from))
            }
            Act::Change(change) => {
                let (parts, body) = self.pass_on(request).await?.into_parts();
                let body = to_bytes(body, LARGEST).await.map_err(io::Error::other)?;
                Ok(act::recounted(change(Answer::from_parts(parts, body))).map(Body::from))
            }
            Act::Break(Phase::Before, how) => {
                read_out(request.into_body()).await;
                Ok(self.end(how).await)
            }
            Act::Break(Phase::Request(bytes), how) => {
                let (parts, body) = request.into_parts();
                let body = until(body, bytes, std::future::ready(()));
                drop(self.pass_on(Request::from_parts(parts, Body::from_stream(body))).await);
                Ok(self.end(how).await)
            }
            Act::Break(Phase::After, how) => {
                read_out(self.pass_on(request).await?.into_body()).await;
                Ok(self.end(how).await)
            }
            Act::Break(Phase::Answer(bytes), how) => {
                let (parts, body) = self.pass_on(request).await?.into_parts();
                let body = until(body, bytes, async move { drop(self.end(how).await) });
                Ok(Response::from_parts(parts, Body::from_stream(body)))
            }
            Act::Drip { after, piece, every } => {
                let answer = self.pass_on(request).await?;
                Ok(answer.map(|body| Body::from_stream(dripping(body, after, piece, every))))
            }
        }
    }

    async fn pass_on(&self, request: Request) -> io::Result<Response> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let upstream = self.server.upstream.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let url = format!("http://{upstream}{path}");
        let mut passed = self.server.client.request(parts.method, url).headers(end_to_end(parts.headers));
        if !body.is_end_stream() {
            passed = passed.body(reqwest::Body::wrap_stream(body.into_data_stream()));
        }
        let response = passed.send().await.map_err(io::Error::other)?;
        let mut answer = Response::default();
        *answer.status_mut() = response.status();
        *answer.headers_mut() = end_to_end(response.headers().clone());
        *answer.body_mut() = Body::from_stream(response.bytes_stream());
        Ok(answer)
    }

    /// Ends the connection. The answer is one that it will not carry.
    async fn end(mut self, how: Break) -> Response {
        self.server.script.end(how, &self.scissors, &mut self.released).await;
        Response::default()
    }
}

/// At most so many bytes, then whatever is done at that point, then an error.
fn until(
    body: Body,
    bytes: u64,
    then: impl Future<Output = ()> + Send + 'static,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    const LEAD: Duration = Duration::from_millis(20);
    let taken = body.into_data_stream().map_err(io::Error::other).scan(bytes, |left, chunk| {
        let chunk = chunk.map(|chunk| {
            let length = usize::try_from(*left).map_or(chunk.len(), |left| left.min(chunk.len()));
            *left -= length as u64;
            chunk.slice(..length)
        });
        std::future::ready((!matches!(&chunk, Ok(chunk) if chunk.is_empty())).then_some(chunk))
    });
    taken.chain(stream::once(async move {
        // What came before has to be on its way; it would be lost with the connection.
        sleep(LEAD).await;
        then.await;
        Err(io::ErrorKind::ConnectionAborted.into())
    }))
}

fn dripping(body: Body, after: u64, piece: usize, every: Duration) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let chunks = Box::pin(body.into_data_stream().map_err(io::Error::other));
    stream::try_unfold((chunks, Bytes::new(), after), move |(mut chunks, mut rest, mut at_once)| async move {
        while rest.is_empty() {
            match chunks.try_next().await? {
                Some(chunk) => rest = chunk,
                None => return Ok(None),
            }
        }
        let length = match usize::try_from(at_once) {
            Ok(0) => {
                sleep(every).await;
                piece.max(1)
            }
            Ok(at_once) => at_once,
            Err(_) => rest.len(),
        };
        let next = rest.split_to(length.min(rest.len()));
        at_once = at_once.saturating_sub(next.len() as u64);
        Ok(Some((next, (chunks, rest, at_once))))
    })
}

async fn read_out(body: Body) {
    let mut chunks = body.into_data_stream();
    while let Ok(Some(_)) = chunks.try_next().await {}
}

/// The headers that are not about one connection.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::EXPECT] {
        headers.remove(name);
    }
    headers
}
