//! A network with a round-trip time, on loopback: a proxy that hands on each byte half a round trip late.

use std::{
    io::{self, Read, Write},
    mem,
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

/// How much one read takes.
const CHUNK: usize = 256 << 10;
/// Chunks of one direction that may be on their way: 64 MiB in 50 ms is far above what loopback carries.
const UNDER_WAY: usize = 256;

/// A proxy before one server. Both directions take half a round trip, and setting up a connection takes a whole one, as
/// TCP's handshake does. Bandwidth is not limited, and there is no slow start.
///
/// Threads, not tasks: tokio's timer rounds up to whole milliseconds. It serves until the process ends.
pub(super) struct Delay {
    address: SocketAddr,
}

/// What went through a proxy. What each side said in turn can be told where there is one connection at a time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// What clients sent, a piece for each time that the server spoke after it.
    pub(super) asked: Vec<Vec<u8>>,
    /// Bytes that the server sent.
    pub(super) answered: usize,
    /// Whether the server spoke last.
    server_spoke: bool,
}

impl Heard {
    /// Bytes that clients sent.
    pub(super) fn sent(&self) -> usize {
        self.asked.iter().map(Vec::len).sum()
    }

    fn of_client(&mut self, bytes: &[u8]) {
        match self.asked.last_mut() {
            Some(piece) if !self.server_spoke => piece.extend_from_slice(bytes),
            _ => self.asked.push(bytes.to_vec()),
        }
        self.server_spoke = false;
    }

    fn of_server(&mut self, bytes: &[u8]) {
        self.answered += bytes.len();
        self.server_spoke = true;
    }
}

/// What a proxy hears from now on.
#[derive(Debug, Clone, Default)]
pub(super) struct Ear(Arc<Mutex<Heard>>);

impl Ear {
    /// What was heard since this was last called.
    pub(super) fn take(&self) -> Heard {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn hear(ear: Option<&Self>, bytes: &[u8], how: fn(&mut Heard, &[u8])) {
        if let Some(Self(heard)) = ear {
            how(&mut heard.lock().unwrap_or_else(PoisonError::into_inner), bytes);
        }
    }
}

impl Delay {
    pub(super) fn start(upstream: SocketAddr, round_trip: Duration) -> io::Result<Self> {
        Self::with(upstream, round_trip, None)
    }

    /// One that remembers all it carries.
    pub(super) fn listening(upstream: SocketAddr, round_trip: Duration) -> io::Result<(Self, Ear)> {
        let ear = Ear::default();
        Ok((Self::with(upstream, round_trip, Some(ear.clone()))?, ear))
    }

    fn with(upstream: SocketAddr, round_trip: Duration, ear: Option<Ear>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // A server that is gone shows as a connection that closes.
                let _closed = relay(client, upstream, round_trip, ear.as_ref());
            }
        });
        Ok(Self { address })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn relay(client: TcpStream, upstream: SocketAddr, round_trip: Duration, ear: Option<&Ear>) -> io::Result<()> {
    let accepted = Instant::now();
    let server = TcpStream::connect(upstream)?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    let half = round_trip / 2;
    let hears = |how| {
        let ear = ear.cloned();
        move |bytes: &[u8]| Ear::hear(ear.as_ref(), bytes, how)
    };
    pump(client.try_clone()?, server.try_clone()?, half, accepted + round_trip, hears(Heard::of_client));
    pump(server, client, half, accepted, hears(Heard::of_server));
    Ok(())
}

/// Hands on what one side sends; nothing counts as sent before `open`.
fn pump(mut from: TcpStream, mut to: TcpStream, half: Duration, open: Instant, hear: impl Fn(&[u8]) + Send + 'static) {
    let (sender, receiver) = mpsc::sync_channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    thread::spawn(move || {
        let mut buffer = vec![0; CHUNK];
        loop {
            let length = from.read(&mut buffer).unwrap_or(0);
            let due = Instant::now().max(open) + half;
            let chunk = buffer.get(..length).unwrap_or_default().to_vec();
            if length > 0 {
                hear(&chunk);
            }
            if sender.send((due, chunk)).is_err() || length == 0 {
                return;
            }
        }
    });
    thread::spawn(move || {
        for (due, chunk) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if chunk.is_empty() || to.write_all(&chunk).is_err() {
                break;
            }
        }
        let _gone = to.shutdown(Shutdown::Write);
    });
}

/// How long a byte to a server that echoes takes there and back on an open connection, and bytes a second that a proxy
/// carries; both through a proxy of this round trip.
pub(super) fn qualities(round_trip: Duration) -> io::Result<(Duration, f64)> {
    const PINGS: u32 = 20;
    const LOAD: usize = 1 << 30;
    let echo = serve(|mut stream| {
        let mut byte = [0];
        while stream.read_exact(&mut byte).and_then(|()| stream.write_all(&byte)).is_ok() {}
    })?;
    let mut stream = TcpStream::connect(Delay::start(echo, round_trip)?.address())?;
    stream.set_nodelay(true)?;
    let mut ping = || stream.write_all(&[1]).and_then(|()| stream.read_exact(&mut [0]));
    ping()?;
    let begun = Instant::now();
    for _ in 0..PINGS {
        ping()?;
    }
    let there_and_back = begun.elapsed() / PINGS;

    let sink = serve(|mut stream| {
        let swallowed = io::copy(&mut stream, &mut io::sink());
        let _told = swallowed.and_then(|_| stream.write_all(&[1]));
    })?;
    let mut stream = TcpStream::connect(Delay::start(sink, round_trip)?.address())?;
    let chunk = vec![0; CHUNK];
    let begun = Instant::now();
    for _ in 0..LOAD / CHUNK {
        stream.write_all(&chunk)?;
    }
    stream.shutdown(Shutdown::Write)?;
    stream.read_exact(&mut [0])?;
    Ok((there_and_back, LOAD as f64 / begun.elapsed().as_secs_f64()))
}

fn serve(answer: impl Fn(TcpStream) + Send + 'static) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        if let Ok((stream, _)) = listener.accept() {
            let _as_it_comes = stream.set_nodelay(true);
            answer(stream);
        }
    });
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(40);

    /// A server that says how much it got, once that ends.
    fn counting() -> Delay {
        let server = serve(|mut stream| {
            let count = io::copy(&mut stream, &mut io::sink()).unwrap();
            stream.write_all(count.to_string().as_bytes()).unwrap();
        });
        Delay::start(server.unwrap(), ROUND_TRIP).unwrap()
    }

    #[test]
    fn nothing_is_faster_than_the_round_trips_and_nothing_is_lost() {
        let proxy = counting();
        let begun = Instant::now();
        let mut stream = TcpStream::connect(proxy.address()).unwrap();
        stream.write_all(&vec![7; 3 << 20]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        assert_eq!(said, (3 << 20).to_string());
        assert!(begun.elapsed() >= 2 * ROUND_TRIP, "one to connect, one to ask: {:?}", begun.elapsed());
    }

    #[test]
    fn what_is_heard_is_cut_where_the_other_side_speaks() {
        let echo = serve(|mut stream| {
            let mut word = [0; 4];
            while stream.read_exact(&mut word).and_then(|()| stream.write_all(&word)).is_ok() {}
        });
        let (proxy, ear) = Delay::listening(echo.unwrap(), Duration::from_millis(1)).unwrap();
        let mut stream = TcpStream::connect(proxy.address()).unwrap();
        for word in [b"this", b"that"] {
            stream.write_all(word).unwrap();
            stream.read_exact(&mut [0; 4]).unwrap();
        }
        let heard = ear.take();
        assert_eq!(
            (heard.asked.clone(), heard.sent(), heard.answered),
            (vec![b"this".to_vec(), b"that".to_vec()], 8, 8)
        );
        assert_eq!(ear.take(), Heard::default());
    }

    #[test]
    fn an_open_connection_costs_one_round_trip() {
        let (there_and_back, bytes_a_second) = qualities(ROUND_TRIP).unwrap();
        assert!(there_and_back >= ROUND_TRIP, "{there_and_back:?}");
        assert!(bytes_a_second > 0.0);
    }
}
