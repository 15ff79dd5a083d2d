use std::{
    fmt, iter,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::time::{Instant, sleep_until};

use crate::BodyError;

/// A body that is made while it is sent, so it is sent once.
pub struct Upload {
    /// How many bytes there are, neither more nor less.
    pub length: u64,
    /// The bytes.
    pub bytes: Chunks,
}

type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

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

/// How long a server may take to store a body that it has whole: a large blob is hashed and moved there.
const STORING: Duration = Duration::from_secs(300);

struct State {
    moved: Instant,
    /// Whether a streamed body was given out to its last byte.
    complete: bool,
    failed: Option<BodyError>,
}

impl Progress {
    /// Nothing moved since `start`.
    pub(crate) fn new(start: Instant) -> Self {
        Self(Arc::new(Mutex::new(State { moved: start, complete: false, failed: None })))
    }

    /// Returns once nothing moved for `stall`, or for five minutes behind a streamed body; and how long that was.
    pub(crate) async fn stalled(&self, stall: Duration) -> Duration {
        loop {
            let (end, after) = {
                let state = self.state();
                let after = if state.complete { stall.max(STORING) } else { stall };
                (state.moved + after, after)
            };
            if Instant::now() >= end {
                return after;
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
    /// More bytes than these are given out in pieces of this length, so that it is seen how they go.
    pub(crate) const SLICE: usize = 64 * 1024;

    pub(crate) fn of(mut bytes: Bytes) -> Self {
        let length = bytes.len() as u64;
        let slices = iter::from_fn(move || {
            let slice = bytes.split_to(bytes.len().min(Self::SLICE));
            (!slice.is_empty()).then_some(Ok(slice))
        });
        Self { length, bytes: Box::pin(stream::iter(slices)) }
    }

    /// The body for the HTTP library: it reports to `progress`, and errs instead of having another length.
    pub(crate) fn into_body(self, progress: &Progress) -> reqwest::Body {
        let promised = self.length;
        progress.state().complete = promised == 0;
        let progress = progress.clone();
        let bytes = stream::try_unfold((self.bytes, promised), move |(mut bytes, left)| {
            let progress = progress.clone();
            async move {
                let next = next(&mut bytes, left, promised).await;
                let mut state = progress.state();
                state.moved = Instant::now();
                state.complete = matches!(next, Ok(None | Some((_, 0))));
                match next {
                    Ok(next) => Ok(next.map(|(chunk, left)| (chunk, (bytes, left)))),
                    Err(error) => {
                        state.failed = Some(error);
                        Err(Aborted)
                    }
                }
            }
        });
        reqwest::Body::wrap_stream(bytes)
    }
}

/// The next chunk, and how many bytes are left after it.
///
/// The HTTP library does not look beyond the last byte that it was promised, so this does: the last chunk is given out
/// only when the stream ends with it.
async fn next(bytes: &mut Chunks, left: u64, promised: u64) -> Result<Option<(Bytes, u64)>, BodyError> {
    let wrong_length = || BodyError::from(WrongLength { promised });
    let Some(chunk) = next_bytes(bytes).await? else {
        return if left == 0 { Ok(None) } else { Err(wrong_length()) };
    };
    let left = left.checked_sub(chunk.len() as u64).ok_or_else(wrong_length)?;
    if left == 0 && next_bytes(bytes).await?.is_some() {
        return Err(wrong_length());
    }
    Ok(Some((chunk, left)))
}

/// The next chunk that is not empty.
async fn next_bytes(bytes: &mut Chunks) -> Result<Option<Bytes>, BodyError> {
    while let Some(chunk) = bytes.next().await.transpose()? {
        if !chunk.is_empty() {
            return Ok(Some(chunk));
        }
    }
    Ok(None)
}
