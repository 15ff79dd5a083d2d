//! A server that answers as it is told, byte for byte, and remembers what it was asked.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The first byte of a client that wants to speak TLS (RFC 8446, 5.1), which no server here does.
const TLS_HANDSHAKE: u8 = 22;

/// What a connection gets after its request was read. It is closed then, unless it is to be kept.
pub(crate) enum Answer {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The first bytes, the others a little later, and the next request on the same connection.
    Kept(Vec<u8>, Vec<u8>),
    /// These bytes, after some time.
    Late(Duration, Vec<u8>),
    /// These bytes, then nothing more for as long as the client waits.
    Hang(Vec<u8>),
    /// These bytes again and again, for as long as the client reads.
    Endless(Vec<u8>, Vec<u8>),
    /// As [`Endless`](Self::Endless), with a pause before each repetition.
    Drip(Duration, Vec<u8>, Vec<u8>),
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Answers each request by its number, from 0, and its text: head and body.
    pub(crate) async fn start(answer: impl Fn(usize, &str) -> Answer + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), answer)
    }

    pub(crate) fn on(listener: TcpListener, answer: impl Fn(usize, &str) -> Answer + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let (log, count) = (Arc::clone(&seen), Arc::clone(&connections));
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(socket, Arc::clone(&answer), Arc::clone(&log)));
            }
        });
        Self { address, seen, connections }
    }

    /// How many connections there were so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The requests so far. One that broke off is there as far as it came.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// The requests since this was asked last.
    pub(crate) fn taken(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

/// As [`reply`], and the connection can be used again once the body was read.
pub(crate) fn kept(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let head = String::from_utf8(head(status, headers, body.len())).unwrap();
    Answer::Kept(head.replace("Connection: close\r\n", "").into_bytes(), body.to_vec())
}

/// An answer with this status line, headers and body, its length declared.
pub(crate) fn reply(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut bytes = head(status, headers, body.len());
    bytes.extend_from_slice(body);
    Answer::Bytes(bytes)
}

/// The head of an answer that declares `length` bytes.
pub(crate) fn head(status: &str, headers: &[(&str, &str)], length: usize) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    (head + "\r\n").into_bytes()
}

async fn serve(mut socket: TcpStream, answer: Arc<impl Fn(usize, &str) -> Answer>, seen: Arc<Mutex<Vec<String>>>) {
    loop {
        let request = read(&mut socket).await;
        if request.is_empty() {
            return;
        }
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            seen.len() - 1
        };
        match answer(number, &request) {
            Answer::Bytes(bytes) => drop(socket.write_all(&bytes).await),
            Answer::Kept(first, others) => {
                drop(socket.write_all(&first).await);
                tokio::time::sleep(Duration::from_millis(20)).await;
                drop(socket.write_all(&others).await);
                continue;
            }
            Answer::Late(pause, bytes) => {
                tokio::time::sleep(pause).await;
                drop(socket.write_all(&bytes).await);
            }
            Answer::Hang(bytes) => {
                drop(socket.write_all(&bytes).await);
                drop(socket.read(&mut [0]).await);
            }
            Answer::Endless(first, again) => drip(&mut socket, Duration::ZERO, &first, &again).await,
            Answer::Drip(pause, first, again) => drip(&mut socket, pause, &first, &again).await,
        }
        drop(socket.shutdown().await);
        return;
    }
}

async fn drip(socket: &mut TcpStream, pause: Duration, first: &[u8], again: &[u8]) {
    let mut more = socket.write_all(first).await;
    while more.is_ok() {
        tokio::time::sleep(pause).await;
        more = socket.write_all(again).await;
    }
}

async fn read(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if bytes.first() == Some(&TLS_HANDSHAKE) {
            return text;
        }
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        match socket.read(&mut buffer).await {
            Ok(0) | Err(_) => return text,
            Ok(read) => bytes.extend_from_slice(buffer.get(..read).unwrap_or_default()),
        }
    }
}
