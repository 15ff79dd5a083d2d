//! A proxy before each server of a company, all of which ask one rule what to do with a request.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::Response,
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header, request::Parts};
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::AbortHandle,
};

/// The largest body that is passed on.
const LARGEST: usize = 64 << 20;

/// A request, as the rule sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its number, from 1, among those to all servers since the rule was set.
    pub number: usize,
    /// The environment whose registry it is for, or `ledger` or `azure`.
    pub server: &'static str,
    /// Its method.
    pub method: String,
    /// Its path, with the query.
    pub path: String,
    /// Its `Authorization`, or nothing.
    pub authorization: String,
}

/// An answer of a server, or in its place.
pub type Answer = http::Response<Bytes>;

/// What becomes of a request.
#[expect(missing_debug_implementations, reason = "it holds closures")]
pub enum Act {
    /// It is passed on.
    Pass,
    /// It is answered without the server.
    Answer(Answer),
    /// It is passed on, and the answer changed.
    Change(Box<dyn FnOnce(Answer) -> Answer + Send>),
    /// It gets no answer until the rule is set anew, and the server never sees it.
    HoldBefore,
    /// It gets no answer until the rule is set anew, but the server carries it out.
    HoldAfter,
}

impl Act {
    /// An answer of this status and text.
    #[must_use]
    pub fn answer(status: u16, body: impl Into<Bytes>) -> Self {
        let mut answer = Answer::new(body.into());
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        Self::Answer(answer)
    }

    /// Changes the answer.
    pub fn change(change: impl FnOnce(Answer) -> Answer + Send + 'static) -> Self {
        Self::Change(Box::new(change))
    }
}

type Rule = Arc<dyn Fn(&Seen) -> Act + Send + Sync>;

/// What all proxies of a company share.
pub(crate) struct Desk {
    rule: Mutex<Rule>,
    seen: Mutex<Vec<Seen>>,
    held: Notify,
    released: watch::Sender<()>,
    client: reqwest::Client,
}

impl Desk {
    pub(crate) fn new() -> Arc<Self> {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Arc::new(Self {
            rule: Mutex::new(Arc::new(|_| Act::Pass)),
            seen: Mutex::default(),
            held: Notify::new(),
            released: watch::Sender::new(()),
            client,
        })
    }

    /// Sets the rule, counts from 1 again, and lets go of the requests that are held.
    pub(crate) fn set(&self, rule: impl Fn(&Seen) -> Act + Send + Sync + 'static) {
        *lock(&self.rule) = Arc::new(rule);
        lock(&self.seen).clear();
        self.released.send_replace(());
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        lock(&self.seen).clone()
    }

    /// Until a request is held.
    pub(crate) async fn held(&self) {
        self.held.notified().await;
    }

    fn see(&self, server: &'static str, parts: &Parts, path: &str) -> Act {
        let mut all = lock(&self.seen);
        let authorization = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let seen = Seen {
            number: all.len() + 1,
            server,
            method: parts.method.to_string(),
            path: path.to_owned(),
            authorization: authorization.unwrap_or_default().to_owned(),
        };
        all.push(seen.clone());
        let rule = Arc::clone(&*lock(&self.rule));
        drop(all);
        rule(&seen)
    }
}

/// A proxy before one server.
pub(crate) struct Proxy {
    pub(crate) authority: String,
    upstream: Arc<Mutex<String>>,
    serving: AbortHandle,
}

#[derive(Clone)]
struct Shared {
    desk: Arc<Desk>,
    server: &'static str,
    upstream: Arc<Mutex<String>>,
}

impl Proxy {
    /// Starts a proxy; `upstream` is the server's authority.
    pub(crate) async fn start(desk: &Arc<Desk>, server: &'static str, upstream: String) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let upstream = Arc::new(Mutex::new(upstream));
        let shared = Shared { desk: Arc::clone(desk), server, upstream: Arc::clone(&upstream) };
        let router = Router::new().fallback(handle).with_state(shared);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }).abort_handle();
        Self { authority, upstream, serving }
    }

    /// Puts another server behind it.
    pub(crate) fn turn_to(&self, upstream: String) {
        *lock(&self.upstream) = upstream;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn handle(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().unwrap().to_string();
    let act = shared.desk.see(shared.server, &parts, &path);
    let mut released = shared.desk.released.subscribe();
    let pass_on = async {
        let body = to_bytes(body, LARGEST).await.map_err(|_| "the request broke off")?;
        let url = format!("http://{}{path}", lock(&shared.upstream));
        let mut headers = end_to_end(parts.headers);
        headers.remove(header::CONTENT_LENGTH);
        let request = shared.desk.client.request(parts.method, url).headers(headers).body(body);
        let response = request.send().await.map_err(|_| "the server is gone")?;
        let mut answer = Answer::default();
        *answer.status_mut() = response.status();
        *answer.headers_mut() = end_to_end(response.headers().clone());
        *answer.body_mut() = response.bytes().await.map_err(|_| "the answer broke off")?;
        if !answer.body().is_empty() {
            // It is counted again, for a rule may change the body.
            answer.headers_mut().remove(header::CONTENT_LENGTH);
        }
        Ok::<_, &str>(answer)
    };
    let passed = match act {
        Act::Answer(answer) => Ok(answer),
        Act::Pass => pass_on.await,
        Act::Change(change) => pass_on.await.map(change),
        Act::HoldBefore => hold(&shared.desk, &mut released).await,
        Act::HoldAfter => match pass_on.await {
            Ok(_) => hold(&shared.desk, &mut released).await,
            Err(why) => Err(why),
        },
    };
    let answer = passed.unwrap_or_else(|why| {
        let mut answer = Answer::new(Bytes::from_static(why.as_bytes()));
        *answer.status_mut() = StatusCode::BAD_GATEWAY;
        answer
    });
    let (parts, body) = answer.into_parts();
    Response::from_parts(parts, Body::from(body))
}

async fn hold(desk: &Desk, released: &mut watch::Receiver<()>) -> Result<Answer, &'static str> {
    desk.held.notify_one();
    drop(released.changed().await);
    Err("held until now")
}

/// The headers that are not about one connection.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::HOST, header::EXPECT] {
        headers.remove(name);
    }
    headers
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
