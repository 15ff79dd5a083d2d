use std::{
    fmt,
    ops::RangeBounds,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::extract::Request;
use http::{HeaderMap, header};
use tokio::sync::{Notify, watch};

use super::{Act, Break};
use crate::line::{Cut, Scissors};

/// A request, as a rule sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its number, from 1, among those to all proxies of the script since the rule was set.
    pub number: usize,
    /// The name of the proxy that it came to.
    pub server: &'static str,
    /// Its method.
    pub method: String,
    /// Its path, with the query.
    pub path: String,
    /// Its `Authorization`, or nothing.
    pub authorization: String,
    /// All its headers.
    pub headers: HeaderMap,
}

impl Seen {
    /// Whether it is of this method, and its path with the query is this pattern, in which `*` stands for any text. The
    /// method may be `*` too.
    #[must_use]
    pub fn is(&self, method: &str, path: &str) -> bool {
        (method == "*" || method == self.method) && fits(path, &self.path)
    }
}

fn fits(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(head) else { return false };
    let starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    starts.into_iter().any(|at| text.get(at..).is_some_and(|text| fits(rest, text)))
}

type Rule = Arc<dyn Fn(&Seen) -> Act + Send + Sync>;

/// What all proxies of a test ask what to do with a request, and where they write down what they saw. Clones are the
/// same script.
#[derive(Clone)]
pub struct Script {
    shared: Arc<Shared>,
}

struct Shared {
    rule: Mutex<Rule>,
    seen: Mutex<Vec<Seen>>,
    held: Notify,
    released: watch::Sender<()>,
}

impl Default for Script {
    fn default() -> Self {
        let shared = Shared {
            rule: Mutex::new(Arc::new(|_| Act::Pass)),
            seen: Mutex::default(),
            held: Notify::new(),
            released: watch::Sender::new(()),
        };
        Self { shared: Arc::new(shared) }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("seen", &lock(&self.shared.seen).len()).finish_non_exhaustive()
    }
}

impl Script {
    /// Passes everything on.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the rule, counts from 1 again, and lets go of the requests that are held. The rule is asked once for each
    /// request, when its head has come: it may count, or kill a process, as it likes.
    pub fn set(&self, rule: impl Fn(&Seen) -> Act + Send + Sync + 'static) {
        *lock(&self.shared.rule) = Arc::new(rule);
        lock(&self.shared.seen).clear();
        self.shared.released.send_replace(());
    }

    /// What was seen since the rule was set.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.seen).clone()
    }

    /// Until a request is held.
    pub async fn held(&self) {
        self.shared.held.notified().await;
    }

    pub(super) fn see(&self, server: &'static str, request: &Request) -> Act {
        let mut all = lock(&self.shared.seen);
        let authorization = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let seen = Seen {
            number: all.len() + 1,
            server,
            method: request.method().to_string(),
            path: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
            authorization: authorization.unwrap_or_default().to_owned(),
            headers: request.headers().clone(),
        };
        all.push(seen.clone());
        let rule = Arc::clone(&*lock(&self.shared.rule));
        drop(all);
        rule(&seen)
    }

    pub(super) fn released(&self) -> watch::Receiver<()> {
        self.shared.released.subscribe()
    }

    /// Ends a connection, at once or when the rule is set anew.
    pub(super) async fn end(&self, how: Break, scissors: &Scissors, released: &mut watch::Receiver<()>) {
        match how {
            Break::Reset => scissors.cut(Cut::Reset),
            Break::Close => scissors.cut(Cut::Close),
            Break::Hold => {
                self.shared.held.notify_one();
                drop(released.changed().await);
                scissors.cut(Cut::Close);
            }
        }
    }
}

/// A rule made of faults: for each request, of those that are meant for its kind, the first whose turn it is.
#[derive(Default)]
pub struct Faults {
    faults: Vec<Fault>,
}

struct Fault {
    method: String,
    path: String,
    turn: Box<dyn Fn(usize) -> bool + Send + Sync>,
    met: AtomicUsize,
    act: Box<dyn Fn(&Seen) -> Act + Send + Sync>,
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.faults.iter().map(|fault| (&fault.method, &fault.path))).finish()
    }
}

impl Faults {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fault for the requests that are of this kind (see [`Seen::is`]), of which it is the turn of those with
    /// these numbers, from 1: `1..=1` is the first, `3..` all from the third on.
    #[must_use]
    pub fn on(
        mut self,
        method: &str,
        path: &str,
        nth: impl RangeBounds<usize> + Send + Sync + 'static,
        act: impl Fn(&Seen) -> Act + Send + Sync + 'static,
    ) -> Self {
        self.faults.push(Fault {
            method: method.to_owned(),
            path: path.to_owned(),
            turn: Box::new(move |number| nth.contains(&number)),
            met: AtomicUsize::new(0),
            act: Box::new(act),
        });
        self
    }

    /// As [`Script::set`] wants it.
    pub fn rule(self) -> impl Fn(&Seen) -> Act + Send + Sync + 'static {
        move |seen| {
            let of_its_kind = self.faults.iter().filter(|fault| seen.is(&fault.method, &fault.path));
            // Each of them counts, also those that come after the one whose turn it is.
            let turns: Vec<&Fault> =
                of_its_kind.filter(|fault| (fault.turn)(fault.met.fetch_add(1, Ordering::Relaxed) + 1)).collect();
            turns.first().map_or(Act::Pass, |fault| (fault.act)(seen))
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
