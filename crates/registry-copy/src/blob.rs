//! Moves one blob, and begins again with that blob alone when its transfer breaks.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};

use crate::{Chunks, CopyError, Descriptor, Observer, RegistryError, checked::checked, retry::Backoff, side::Side};

/// Reads a blob from one side and stores it at the other.
///
/// Wrong bytes are read once more, cleanly; wrong again, they are an error.
pub(crate) async fn move_blob(
    from: Side<'_>,
    to: Side<'_>,
    blob: &Descriptor,
    stall: Duration,
    observer: &dyn Observer,
) -> Result<(), CopyError> {
    let mut backoff = Backoff::until(to.deadline);
    let mut read_again = false;
    loop {
        let Err(error) = try_to_move(from, to, blob, stall, observer).await else {
            observer.stored(&blob.digest);
            return Ok(());
        };
        let wrong_bytes = matches!(error, CopyError::Source(_)) && error.is_integrity();
        let again = error.is_retryable() || (wrong_bytes && !read_again);
        read_again |= wrong_bytes;
        if !again || !backoff.wait().await {
            return Err(error);
        }
        observer.restarted(&blob.digest, &error);
    }
}

async fn try_to_move(
    from: Side<'_>,
    to: Side<'_>,
    blob: &Descriptor,
    stall: Duration,
    observer: &dyn Observer,
) -> Result<(), CopyError> {
    let chunks = from.registry.blob(from.repository, blob).await.map_err(CopyError::Source)?;
    let (sender, mut news) = unbounded_channel();
    let chunks = reported(checked(blob, impatient(chunks, stall)), sender);
    let mut put = to.registry.put_blob(to.repository, blob, chunks);
    let mut failure = None;
    let stored = loop {
        tokio::select! {
            biased;
            Some(news) = news.recv() => note(news, blob, observer, &mut failure),
            stored = &mut put => break stored,
        }
    };
    drop(put);
    drain(&mut news, blob, observer, &mut failure);
    // Whatever the destination made of a stream that broke, the cause is the source's.
    match (failure, stored) {
        (Some(error), _) => Err(CopyError::Source(error)),
        (None, stored) => stored.map_err(CopyError::Destination),
    }
}

enum News {
    Moved(u64),
    Failed(RegistryError),
}

fn note(news: News, blob: &Descriptor, observer: &dyn Observer, failure: &mut Option<RegistryError>) {
    match news {
        News::Moved(bytes) => observer.moved(&blob.digest, bytes),
        News::Failed(error) => *failure = Some(error),
    }
}

fn drain(
    news: &mut UnboundedReceiver<News>,
    blob: &Descriptor,
    observer: &dyn Observer,
    failure: &mut Option<RegistryError>,
) {
    while let Ok(news) = news.try_recv() {
        note(news, blob, observer, failure);
    }
}

/// Tells of each chunk, and keeps the source's error: the destination learns only that the bytes broke off.
fn reported(chunks: Chunks, sender: UnboundedSender<News>) -> Chunks {
    Box::pin(chunks.map(move |chunk| {
        let (news, chunk) = match chunk {
            Ok(chunk) => (News::Moved(chunk.len() as u64), Ok(chunk)),
            Err(error) => (News::Failed(error), Err(RegistryError::BrokenOff)),
        };
        // Nobody listens only where the copy itself was dropped.
        let _ = sender.send(news);
        chunk
    }))
}

/// The same bytes, or an error when none comes for as long as `stall`.
fn impatient(chunks: Chunks, stall: Duration) -> Chunks {
    Box::pin(stream::try_unfold(chunks, move |mut chunks| async move {
        let next = timeout(stall, chunks.next()).await.map_err(|_| RegistryError::Stalled { after: stall })?;
        Ok::<Option<(Bytes, Chunks)>, RegistryError>(next.transpose()?.map(|chunk| (chunk, chunks)))
    }))
}
