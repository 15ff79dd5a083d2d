//! A copy that looks at nothing: no digest is computed, nothing is read back. What it takes is what the registries and
//! the kernel take to move the bytes; what a real copy takes more is what it adds.

use std::{
    error::Error,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::Mutex,
    thread,
};

use serde_json::Value;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// How much one read takes.
const CHUNK: usize = 256 << 10;
/// As many blobs at a time as copy-artifact moves, of more than a MiB and of others.
const JOBS: (usize, usize) = (6, 64);

/// One image without an index, between two registries that ask for no password and speak plain HTTP.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where it is, HOST:PORT/REPOSITORY:TAG
    source: String,
    /// Where it is copied
    destination: String,
}

#[derive(Debug, thiserror::Error)]
enum PlainError {
    #[error("`{0}` is no HOST:PORT/REPOSITORY:TAG")]
    Reference(String),
    #[error("`{asked}` was answered with `{status}`")]
    Status { asked: String, status: String },
    #[error("the answer to `{asked}` has no {header}")]
    Header { asked: String, header: &'static str },
    #[error("the manifest lists a blob without a digest")]
    Digest,
}

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

pub(super) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    copy(args).map_err(|error| error as Box<dyn Error>)
}

fn copy(args: &Args) -> Outcome<()> {
    let (from, to) = (Repository::parse(&args.source)?, Repository::parse(&args.destination)?);
    let mut source = from.connect()?;
    let path = format!("manifests/{}", from.tag);
    source.ask("GET", &from.path(&path), &format!("Accept: {MANIFEST}\r\n"))?;
    let mut manifest = vec![0; source.answer()?.length()?];
    source.stream.read_exact(&mut manifest)?;
    drop(source);

    let blobs = Blobs::of(&manifest)?;
    let jobs = if blobs.largest > 1 << 20 { JOBS.0 } else { JOBS.1 }.min(blobs.digests.len());
    let queue = Mutex::new(blobs.digests.into_iter());
    let next = || queue.lock().ok().and_then(|mut digests| digests.next());
    let work = || {
        let (mut source, mut destination) = (from.connect()?, to.connect()?);
        while let Some(digest) = next() {
            move_blob((&from, &mut source), (&to, &mut destination), &digest)?;
        }
        Outcome::Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| Err("a worker panicked".into())))
    })?;

    let mut destination = to.connect()?;
    let head = format!("Content-Type: {MANIFEST}\r\nContent-Length: {}\r\n", manifest.len());
    destination.ask("PUT", &to.path(&format!("manifests/{}", to.tag)), &head)?;
    destination.stream.get_mut().write_all(&manifest)?;
    destination.answer()?;
    Ok(())
}

/// The source begins to answer while the destination opens a session.
fn move_blob(
    (from, source): (&Repository, &mut Connection),
    (to, destination): (&Repository, &mut Connection),
    digest: &str,
) -> Outcome<()> {
    source.ask("GET", &from.path(&format!("blobs/{digest}")), "")?;
    destination.ask("POST", &to.path("blobs/uploads/"), "Content-Length: 0\r\n")?;
    let session = destination.answer()?.location()?;
    let length = source.answer()?.length()?;
    destination.ask("PUT", &format!("{session}&digest={digest}"), &format!("Content-Length: {length}\r\n"))?;
    let mut left = length;
    while left > 0 {
        let read = source.stream.fill_buf()?;
        let chunk = read.get(..left.min(read.len())).filter(|chunk| !chunk.is_empty());
        let chunk = chunk.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        destination.stream.get_mut().write_all(chunk)?;
        let length = chunk.len();
        source.stream.consume(length);
        left -= length;
    }
    destination.answer()?;
    Ok(())
}

struct Repository {
    authority: String,
    name: String,
    tag: String,
}

impl Repository {
    fn parse(reference: &str) -> Result<Self, PlainError> {
        let parts = reference.split_once('/').and_then(|(authority, rest)| Some((authority, rest.rsplit_once(':')?)));
        let (authority, (name, tag)) = parts.ok_or_else(|| PlainError::Reference(reference.to_owned()))?;
        Ok(Self { authority: authority.to_owned(), name: name.to_owned(), tag: tag.to_owned() })
    }

    fn path(&self, of: &str) -> String {
        format!("/v2/{}/{of}", self.name)
    }

    fn connect(&self) -> io::Result<Connection> {
        let stream = TcpStream::connect(&self.authority)?;
        stream.set_nodelay(true)?;
        let stream = BufReader::with_capacity(CHUNK, stream);
        Ok(Connection { stream, host: self.authority.clone(), asked: String::new() })
    }
}

/// The blobs of a manifest, the largest first.
struct Blobs {
    digests: Vec<String>,
    largest: u64,
}

impl Blobs {
    fn of(manifest: &[u8]) -> Outcome<Self> {
        let manifest: Value = serde_json::from_slice(manifest)?;
        let layers = manifest.get("layers").and_then(Value::as_array).into_iter().flatten();
        let mut blobs = Vec::new();
        for blob in manifest.get("config").into_iter().chain(layers) {
            let digest = blob.get("digest").and_then(Value::as_str).ok_or(PlainError::Digest)?;
            blobs.push((blob.get("size").and_then(Value::as_u64).unwrap_or_default(), digest.to_owned()));
        }
        blobs.sort_by(|one, other| other.cmp(one));
        blobs.dedup();
        let largest = blobs.first().map_or(0, |(size, _)| *size);
        Ok(Self { digests: blobs.into_iter().map(|(_, digest)| digest).collect(), largest })
    }
}

/// It is kept open for the next request.
struct Connection {
    stream: BufReader<TcpStream>,
    host: String,
    asked: String,
}

impl Connection {
    fn ask(&mut self, method: &str, path: &str, headers: &str) -> io::Result<()> {
        self.asked = format!("{method} {path}");
        let head = format!("{} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.asked, self.host);
        self.stream.get_mut().write_all(head.as_bytes())
    }

    /// The head of an answer that is a success.
    fn answer(&mut self) -> Outcome<Answer<'_>> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.trim().to_owned();
        if !status.starts_with("HTTP/1.1 2") {
            return Err(PlainError::Status { asked: self.asked.clone(), status }.into());
        }
        let mut answer = Answer { asked: &self.asked, length: None, location: None };
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(": ") else { return Ok(answer) };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => answer.length = Some(value.parse()?),
                "location" => answer.location = Some(value.to_owned()),
                _ => {}
            }
        }
    }
}

struct Answer<'c> {
    asked: &'c str,
    length: Option<usize>,
    location: Option<String>,
}

impl Answer<'_> {
    fn length(&self) -> Result<usize, PlainError> {
        self.length.ok_or_else(|| self.lacks("length"))
    }

    /// Without scheme and authority.
    fn location(self) -> Result<String, PlainError> {
        let path = self.location.as_deref().and_then(|location| {
            let after = location.split_once("://").map_or(location, |(_, after)| after);
            after.find('/').and_then(|slash| after.get(slash..)).map(str::to_owned)
        });
        path.ok_or_else(|| self.lacks("location"))
    }

    fn lacks(&self, header: &'static str) -> PlainError {
        PlainError::Header { asked: self.asked.to_owned(), header }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{
        comparison::Pair,
        image::Image,
        store::{Store, There},
    };
    use sandbox::image::ImageSpec;

    #[test]
    fn an_image_is_moved_whole_between_two_registries() {
        let directory = tempfile::tempdir().unwrap();
        let pair = Pair::start(directory.path()).unwrap();
        let spec = ImageSpec { layers: vec![3 << 20, 40, 50], ..ImageSpec::of_seed(3) };
        let image = Image::random(&spec, &directory.path().join("layout")).unwrap();
        pair.source.store.reset(&image, There::Everything).unwrap();
        let (source, destination) = pair.addresses();
        let args = Args { source: Store::reference(source), destination: Store::reference(destination) };
        copy(&args).unwrap();
        pair.destination.store.holds(&image, false, "plain").unwrap();

        let other = Args { source: format!("{source}/bench/image:2"), destination: args.destination };
        let refused = copy(&other).unwrap_err().to_string();
        assert!(refused.contains("GET /v2/bench/image/manifests/2") && refused.contains("404"), "{refused}");
    }

    #[test]
    fn a_location_is_taken_without_its_authority() {
        let path = |location: &str| {
            Answer { asked: "POST /", length: None, location: Some(location.to_owned()) }.location().ok()
        };
        assert_eq!(path("http://[::1]:5000/v2/a/b?c=d").as_deref(), Some("/v2/a/b?c=d"));
        assert_eq!(path("/v2/a/b").as_deref(), Some("/v2/a/b"));
        assert_eq!(path("nowhere"), None);
    }
}
