use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, sleep_until};

use crate::BodyError;

/// A body that is made while it is sent, so it is sent once.
pub struct Upload {
    /// How many bytes there are, neither more nor less.
    pub length: u64,
    /// The bytes.
    pub bytes: Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("length", &self.length).finish_non_exhaustive()
    }
}

/// A streamed body that is not as long as promised.
#[derive(Debug, thiserror::Error)]
#[error("the stream does not have the {promised} bytes promised")]
struct WrongLength {
    promised: u64,
}

/// The connection is dropped for this; the true cause is in [`Progress`].
#[derive(Debug, thiserror::Error)]
#[error("the body ended early")]
struct Aborted;

/// How far a request is, seen from outside of the HTTP library.
#[derive(Clone)]
pub(crate) struct Progress(Arc<Mutex<State>>);

struct State {
    moved: Instant,
    failed: Option<BodyError>,
}

impl Progress {
    /// Nothing moved since `start`.
    pub(crate) fn new(start: Instant) -> Self {
        Self(Arc::new(Mutex::new(State { moved: start, failed: None })))
    }

    /// Returns once nothing moved for `stall`.
    pub(crate) async fn stalled(&self, stall: Duration) {
        loop {
            let end = self.state().moved + stall;
            if Instant::now() >= end {
                return;
            }
            sleep_until(end).await;
        }
    }

    /// Why the body ended early, if it did.
    pub(crate) fn failure(&self) -> Option<BodyError> {
        self.state().failed.take()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upload {
    /// The body for the HTTP library: it reports to `progress`, and errs instead of having another length.
    pub(crate) fn into_body(self, progress: &Progress) -> reqwest::Body {
        let promised = self.length;
        let progress = progress.clone();
        let bytes = stream::try_unfold((self.bytes, promised), move |(mut bytes, left)| {
            let progress = progress.clone();
            async move {
                let next = bytes.next().await;
                progress.state().moved = Instant::now();
                let wrong_length = || BodyError::from(WrongLength { promised });
                let step = match next {
                    None if left == 0 => Ok(None),
                    None => Err(wrong_length()),
                    Some(Err(error)) => Err(error),
                    Some(Ok(chunk)) => match left.checked_sub(chunk.len() as u64) {
                        Some(left) => Ok(Some((chunk, (bytes, left)))),
                        None => Err(wrong_length()),
                    },
                };
                step.map_err(|error| {
                    progress.state().failed = Some(error);
                    Aborted
                })
            }
        });
        reqwest::Body::wrap_stream(bytes.into_stream())
    }
}
