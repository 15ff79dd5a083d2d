//! The floor under an update: its very bytes, sent by a client that computes nothing.

use std::{
    error::Error,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    num::NonZeroUsize,
    time::Instant,
};

use super::{
    super::{delay::Heard, statistics::Spread},
    host::{Host, Way},
    writer::{Workplace, Writer},
};

#[derive(Debug, thiserror::Error)]
#[error("sent again, the same bytes led to {found}, not to {tip}")]
struct Elsewhere {
    tip: String,
    found: String,
}

/// The seconds that the bytes of one update by ours take, each way, from the state that it was made in.
pub(super) fn measure(
    host: &Host,
    workplace: &Workplace,
    ways: &[Way],
    runs: NonZeroUsize,
) -> Result<Vec<(Way, Spread)>, Box<dyn Error>> {
    let heard = host.update(Writer::Ours, Way::Delayed, workplace, 0)?.heard;
    let tip = host.repository.tip()?;
    let mut floors = Vec::new();
    for &way in ways {
        let walls = (0..runs.get()).map(|_| replay(host, way, &heard, &tip));
        let walls: Vec<f64> = walls.collect::<Result<_, _>>()?;
        floors.push((way, Spread::of(walls).ok_or("no run")?));
    }
    Ok(floors)
}

/// Sends what was heard once more, each request when the one before is answered. `tip` is what it must lead to.
fn replay(host: &Host, way: Way, heard: &Heard, tip: &str) -> Result<f64, Box<dyn Error>> {
    host.repository.rewind()?;
    let begun = Instant::now();
    say(host.address(way), &heard.asked)?;
    let wall = begun.elapsed().as_secs_f64();
    let found = host.repository.tip()?;
    if found == tip { Ok(wall) } else { Err(Elsewhere { tip: tip.to_owned(), found }.into()) }
}

fn say(address: SocketAddr, requests: &[Vec<u8>]) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 64 << 10];
    for request in requests {
        stream.write_all(request)?;
        let mut answer = Vec::new();
        while !is_whole(&answer) {
            let length = stream.read(&mut buffer)?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            answer.extend_from_slice(buffer.get(..length).unwrap_or_default());
        }
    }
    Ok(())
}

/// Whether an HTTP/1.1 answer has come to its end, which is by its length or in chunks.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let (head, body) = answer.split_at(end);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    match length {
        Some(length) => body.len() >= 4 + length,
        None => body.ends_with(b"\r\n0\r\n\r\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_at_its_end_and_not_before() {
        let counted = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody".as_slice();
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n".as_slice();
        let empty = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".as_slice();
        for answer in [counted, chunked, empty] {
            assert!(is_whole(answer));
            for end in 0..answer.len() {
                assert!(!is_whole(&answer[..end]), "{end}");
            }
        }
    }
}
