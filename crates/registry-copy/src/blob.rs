//! Moves one blob, and begins again with that blob alone when its transfer breaks.

use std::{
    future::{pending, poll_fn},
    pin::pin,
    ptr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, future::maybe_done, stream, task::AtomicWaker};
use tokio::{
    sync::oneshot::{self, Receiver},
    time::timeout,
};

use crate::{
    Chunks, CopyError, Descriptor, Observer, RegistryError, checked::checked, guess::Guess, retry::Backoff, side::Side,
};

/// Moves blobs from one side to the other.
#[derive(Clone, Copy)]
pub(crate) struct Mover<'a> {
    pub(crate) from: Side<'a>,
    pub(crate) to: Side<'a>,
    pub(crate) stall: Duration,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) guess: &'a Guess,
}

/// When the source is asked for a blob, at the latest when the destination wants its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// At once.
    Now,
    /// As soon as other blobs were wanted.
    WhenLikely,
    /// Not before they are wanted.
    WhenWanted,
}

/// How a blob came to be at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    /// Its bytes were sent.
    Copied,
    /// The registry took it from another repository of its own.
    Mounted,
    /// It was there.
    Present,
}

impl Mover<'_> {
    /// Makes a blob available at the destination, by mounting it where that may do.
    pub(crate) async fn obtain(&self, blob: &Descriptor, read: Read) -> Result<Moved, CopyError> {
        // Two registries that are one object are one registry; nothing else is sure to be.
        let same = ptr::addr_eq(self.from.registry, self.to.registry);
        let mounted = same && self.to.mount(self.from.repository, blob).await?;
        let moved = if mounted { Moved::Mounted } else { self.send(blob, read).await? };
        self.observer.stored(&blob.digest);
        Ok(moved)
    }

    /// Sends a blob that the destination may only claim to have.
    pub(crate) async fn insist(&self, blob: &Descriptor) -> Result<Moved, CopyError> {
        let mut moved = self.send(blob, Read::WhenWanted).await?;
        if moved == Moved::Present {
            // Now it has claimed the blob to the face of who puts it, and is sent it in full.
            moved = self.send(blob, Read::WhenWanted).await?;
        }
        self.observer.stored(&blob.digest);
        Ok(moved)
    }

    /// Offers a blob to the destination, and reads it from the source where it is wanted.
    ///
    /// Wrong bytes are read once more, cleanly; wrong again, they are an error.
    async fn send(&self, blob: &Descriptor, read: Read) -> Result<Moved, CopyError> {
        let mut backoff = Backoff::until(self.to.deadline);
        let (mut moved, mut read_again) = (Moved::Present, false);
        loop {
            let (polled, ended) = self.try_to_send(blob, read).await;
            if polled {
                moved = Moved::Copied;
            }
            let Err(error) = ended else { return Ok(moved) };
            let wrong_bytes = matches!(error, CopyError::Source(_)) && error.is_integrity();
            let again = error.is_retryable() || (wrong_bytes && !read_again);
            read_again |= wrong_bytes;
            if !again || !backoff.wait().await {
                return Err(error);
            }
            self.observer.restarted(&blob.digest, &error);
        }
    }

    /// Also tells whether the destination asked for bytes.
    async fn try_to_send(&self, blob: &Descriptor, read: Read) -> (bool, Result<(), CopyError>) {
        let flow = Arc::new(Flow::default());
        let (give, given) = oneshot::channel();
        let chunks = reported(checked(blob, opened(given, Arc::clone(&flow), self.stall)), Arc::clone(&flow));
        let mut put = self.to.registry.put_blob(self.to.repository, blob, chunks);
        let mut opening = Some((self.from.registry.blob(self.from.repository, blob), give));
        let ahead = async {
            match read {
                Read::Now => {}
                Read::WhenLikely => self.guess.likely().await,
                Read::WhenWanted => pending().await,
            }
        };
        let mut ahead = pin!(maybe_done(ahead));
        let mut answered = false;
        let stored = poll_fn(|context| {
            flow.wake(context.waker());
            if flow.wanted() && !answered {
                answered = true;
                self.guess.answered(true);
            }
            if let Some((open, _)) = opening.as_mut().filter(|_| answered || ahead.as_mut().poll(context).is_ready())
                && let Poll::Ready(source) = open.as_mut().poll(context)
                && let Some((_, give)) = opening.take()
            {
                // Nobody takes it where the destination has answered without it.
                drop(give.send(source));
            }
            let stored = put.as_mut().poll(context);
            match flow.take_moved() {
                0 => {}
                bytes => self.observer.moved(&blob.digest, bytes),
            }
            stored
        })
        .await;
        if stored.is_ok() && !flow.wanted() {
            self.guess.answered(false);
        }
        // Whatever the destination made of a stream that broke, the cause is the source's.
        let ended = match flow.failure() {
            Some(error) => Err(CopyError::Source(error)),
            None => stored.map_err(CopyError::Destination),
        };
        (flow.wanted(), ended)
    }
}

/// What the stream, which the destination's connection may poll in another task, tells of itself.
#[derive(Default)]
struct Flow {
    wanted: AtomicBool,
    moved: AtomicU64,
    failure: Mutex<Option<RegistryError>>,
    listener: AtomicWaker,
}

impl Flow {
    fn wake(&self, waker: &Waker) {
        self.listener.register(waker);
    }

    fn want(&self) {
        self.wanted.store(true, Ordering::Release);
        self.listener.wake();
    }

    fn wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    fn pass(&self, bytes: u64) {
        self.moved.fetch_add(bytes, Ordering::Relaxed);
        self.listener.wake();
    }

    fn take_moved(&self) -> u64 {
        self.moved.swap(0, Ordering::Relaxed)
    }

    fn fail(&self, error: RegistryError) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    fn failure(&self) -> Option<RegistryError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The blob's bytes, asked for at the first poll.
fn opened(given: Receiver<Result<Chunks, RegistryError>>, flow: Arc<Flow>, stall: Duration) -> Chunks {
    let open = async move {
        flow.want();
        given.await.unwrap_or(Err(RegistryError::BrokenOff)).map(|chunks| impatient(chunks, stall))
    };
    Box::pin(stream::once(open).try_flatten())
}

/// The same bytes, or an error when none comes for as long as `stall`.
fn impatient(chunks: Chunks, stall: Duration) -> Chunks {
    Box::pin(stream::try_unfold(chunks, move |mut chunks| async move {
        let next = timeout(stall, chunks.next()).await.map_err(|_| RegistryError::Stalled { after: stall })?;
        Ok::<Option<(Bytes, Chunks)>, RegistryError>(next.transpose()?.map(|chunk| (chunk, chunks)))
    }))
}

/// Tells of each chunk, and keeps the source's error: the destination learns only that the bytes broke off.
fn reported(chunks: Chunks, flow: Arc<Flow>) -> Chunks {
    Box::pin(chunks.map(move |chunk| match chunk {
        Ok(chunk) => {
            flow.pass(chunk.len() as u64);
            Ok(chunk)
        }
        Err(error) => {
            flow.fail(error);
            Err(RegistryError::BrokenOff)
        }
    }))
}
