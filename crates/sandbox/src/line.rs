//! Connections that can be cut in the middle of what they carry.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// With a reset: what the peer has not read yet is lost.
    Reset,
    /// As if all had been said.
    Close,
}

/// Accepts connections, but for the next few, which it resets.
pub(crate) struct Lines {
    pub(crate) listener: TcpListener,
    pub(crate) refused: Arc<AtomicUsize>,
    pub(crate) accepted: Arc<AtomicUsize>,
}

impl Listener for Lines {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            let refused = self.refused.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            if refused.is_ok() {
                drop(stream.set_zero_linger());
                continue;
            }
            self.accepted.fetch_add(1, Ordering::Relaxed);
            // Heads and first chunks are written apart; they must not wait for each other's acknowledgement.
            drop(stream.set_nodelay(true));
            return (Line { stream, scissors: Scissors::default() }, address);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// What cuts one connection: whoever answers a request on it can ask for them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scissors(Arc<Mutex<Option<Cut>>>);

impl Scissors {
    /// From now on nothing is read or written any more. The connection ends when the server notices, which it does
    /// when it has to go on with an answer.
    pub(crate) fn cut(&self, how: Cut) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(how);
    }

    fn how(&self) -> Option<Cut> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self) -> io::Result<()> {
        self.how().map_or(Ok(()), |_| Err(io::ErrorKind::ConnectionAborted.into()))
    }
}

impl Connected<IncomingStream<'_, Lines>> for Scissors {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        stream.io().scissors.clone()
    }
}

/// A connection.
pub(crate) struct Line {
    stream: TcpStream,
    scissors: Scissors,
}

impl Line {
    fn whole(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.scissors.check()?;
        Ok(Pin::new(&mut self.stream))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.scissors.how() == Some(Cut::Reset) {
            drop(self.stream.set_zero_linger());
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.whole()?.poll_read(cx, buf)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.whole()?.poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.whole()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.whole()?.poll_shutdown(cx)
    }
}
