//! A server that answers with anything at all, and that endless answers cost nothing.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

/// What ends a head.
const END: &[u8] = b"\r\n\r\n";

/// A request, as far as an answer needs it.
pub(crate) struct Ask {
    pub(crate) method: String,
    /// The path with its query.
    pub(crate) path: String,
}

/// What goes out, byte by byte.
pub(crate) enum Fire {
    /// A whole answer; the connection serves the next request.
    Whole(Vec<u8>),
    /// The first bytes, and then the second again and again for as long as they are taken.
    Endless(Vec<u8>, Vec<u8>),
    /// The first bytes, and then one byte a second.
    Drip(Vec<u8>),
}

/// How a bomb answers.
pub(crate) type Answers = Arc<dyn Fn(&Ask) -> Fire + Send + Sync>;

pub(crate) struct Server {
    pub(crate) authority: String,
    serving: AbortHandle,
}

impl Server {
    /// Serves on a port of loopback; `answers` is made for the authority that was got.
    pub(crate) async fn start(answers: impl FnOnce(&str) -> Answers) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let answers = answers(&authority);
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // Who hangs up has had enough: that is how most bombs end.
                tokio::spawn(serve(stream, Arc::clone(&answers)));
            }
        });
        Self { authority, serving: serving.abort_handle() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut stream: TcpStream, answers: Answers) -> std::io::Result<()> {
    let mut received = Vec::new();
    loop {
        let Some(ask) = request(&mut stream, &mut received).await? else { return Ok(()) };
        match answers(&ask) {
            Fire::Whole(mut bytes) => {
                if ask.method == "HEAD" {
                    bytes.truncate(bytes.windows(END.len()).position(|window| window == END).unwrap() + END.len());
                }
                stream.write_all(&bytes).await?;
            }
            Fire::Endless(first, again) => {
                stream.write_all(&first).await?;
                let again = again.repeat(1 + (64 << 10) / again.len());
                loop {
                    stream.write_all(&again).await?;
                }
            }
            Fire::Drip(first) => {
                stream.write_all(&first).await?;
                loop {
                    stream.write_all(b" ").await?;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}

/// The next request of a connection, whose body is read and dropped.
async fn request(stream: &mut TcpStream, received: &mut Vec<u8>) -> std::io::Result<Option<Ask>> {
    loop {
        if let Some(end) = received.windows(END.len()).position(|window| window == END) {
            let head = String::from_utf8(received.drain(..end + END.len()).collect()).unwrap();
            let mut words = head.split(' ');
            let (method, path) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let mut left: usize = length.unwrap_or(0);
            loop {
                let taken = left.min(received.len());
                received.drain(..taken);
                left -= taken;
                if left == 0 {
                    return Ok(Some(Ask { method, path }));
                }
                if stream.read_buf(received).await? == 0 {
                    return Ok(None);
                }
            }
        }
        if stream.read_buf(received).await? == 0 {
            return Ok(None);
        }
    }
}

/// An answer with these headers, each a line, and this body.
pub(crate) fn answer(status: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = head(status, headers);
    bytes.truncate(bytes.len() - 2);
    bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// An answer's head, whose body is somebody else's business.
pub(crate) fn head(status: &str, headers: &[&str]) -> Vec<u8> {
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!("HTTP/1.1 {status}\r\n{lines}\r\n").into_bytes()
}
