//! Blobs that are sent in chunks.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use proptest::prelude::*;
use registry_copy::{Chunks, Descriptor, Registry, RegistryError};
use tokio::sync::Barrier;

use super::{
    registry,
    server::{Answer, Server, reply},
};
use crate::corpus::{LAYER, describe, repository};

const CHUNK: usize = 5 << 20;

/// What the registry does with a PATCH.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// Keeps all of it and says so.
    Take,
    /// Keeps all of it and says so as ECR does, with 201 and without a `Range`.
    TakeLikeEcr,
    /// Keeps this many bytes and says so.
    Cut(usize),
    /// Keeps this many bytes and drops the connection.
    Drop(usize),
    /// Says that this is the wrong place.
    Misplace,
    /// Forgets the session.
    Forget,
    /// Forgets the bytes.
    Empty,
    /// Says this of how much it has.
    Say(&'static str),
}

/// One upload session of a registry: it takes bytes only where it has all that come before.
#[derive(Default)]
struct Session {
    bytes: Vec<u8>,
    acts: Vec<Act>,
    patches: Vec<String>,
    stored: Option<Vec<u8>>,
    refuses_whole: Option<&'static str>,
    least: Option<&'static str>,
    states: usize,
}

impl Session {
    fn answer(&mut self, request: &str) -> Answer {
        let (top, body) = request.split_once("\r\n\r\n").unwrap();
        self.states += 1;
        let location = format!("/session?state={}", self.states);
        let range = format!("0-{}", self.bytes.len().saturating_sub(1));
        match request.split(' ').next().unwrap() {
            "POST" => {
                self.bytes.clear();
                let least = self.least.map(|least| ("OCI-Chunk-Min-Length", least));
                let headers: Vec<_> = [("Location", location.as_str())].into_iter().chain(least).collect();
                reply("202 Accepted", &headers, b"")
            }
            "PATCH" => self.patch(top, body, &location),
            "GET" => reply("204 No Content", &[("Location", &location), ("Range", &range)], b""),
            "PUT" if !body.is_empty() && self.refuses_whole.is_some() => {
                reply(self.refuses_whole.unwrap_or_default(), &[], b"")
            }
            "PUT" => {
                self.bytes.extend_from_slice(body.as_bytes());
                self.stored = Some(self.bytes.clone());
                reply("201 Created", &[], b"")
            }
            _ => reply("204 No Content", &[], b""),
        }
    }

    fn patch(&mut self, top: &str, body: &str, location: &str) -> Answer {
        let range = top.lines().find_map(|line| line.strip_prefix("content-range: ")).unwrap().to_owned();
        self.patches.push(range.clone());
        let (first, last) = range.split_once('-').unwrap();
        let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
        assert_eq!(last + 1 - first, body.len(), "{range}");
        let act = if self.acts.is_empty() { Act::Take } else { self.acts.remove(0) };
        let misplaced = first != self.bytes.len() || matches!(act, Act::Misplace);
        let kept = match act {
            _ if misplaced => 0,
            Act::Cut(most) | Act::Drop(most) => most.min(body.len()),
            _ => body.len(),
        };
        self.bytes.extend_from_slice(&body.as_bytes()[..kept]);
        let has = |bytes: &[u8]| format!("0-{}", bytes.len().saturating_sub(1));
        match act {
            Act::Drop(_) => Answer::Bytes(Vec::new()),
            Act::Forget => reply("404 Not Found", &[], br#"{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}"#),
            Act::Empty => {
                self.bytes.clear();
                reply("202 Accepted", &[("Location", location), ("Range", "0-0")], b"")
            }
            _ if misplaced => reply("416 Range Not Satisfiable", &[("Location", location)], b""),
            Act::TakeLikeEcr => reply("201 Created", &[("Location", location)], b""),
            Act::Say(range) => reply("202 Accepted", &[("Location", location), ("Range", range)], b""),
            _ => reply("202 Accepted", &[("Location", location), ("Range", &has(&self.bytes))], b""),
        }
    }
}

struct World {
    server: Server,
    session: Arc<Mutex<Session>>,
}

impl World {
    async fn new(session: Session) -> Self {
        let session = Arc::new(Mutex::new(session));
        let shared = Arc::clone(&session);
        let server = Server::start(move |_, request| shared.lock().unwrap().answer(request)).await;
        Self { server, session }
    }

    fn stored(&self) -> Option<Vec<u8>> {
        self.session.lock().unwrap().stored.clone()
    }

    fn patches(&self) -> Vec<String> {
        self.session.lock().unwrap().patches.clone()
    }

    fn methods(&self) -> String {
        let seen = self.server.seen();
        seen.iter().map(|request| request.split(' ').next().unwrap()).collect::<Vec<_>>().join(" ")
    }
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|n| b'a' + (n % 26) as u8).collect()
}

/// The content, in pieces that are cut in other places than its chunks.
fn blob(content: &[u8]) -> (Descriptor, Chunks) {
    let pieces: Vec<_> = content.chunks(700_001).map(|piece| Ok(piece.to_vec().into())).collect();
    (describe(LAYER, content), Box::pin(futures_util::stream::iter(pieces)))
}

async fn put(world: &World, content: &[u8]) -> Result<(), RegistryError> {
    let (descriptor, chunks) = blob(content);
    registry(&world.server).put_blob(&repository(), &descriptor, chunks).await
}

#[tokio::test]
async fn chunks_are_as_long_as_the_registry_wants_them() {
    for (least, first) in [("1", CHUNK), ("5242881", CHUNK + 1)] {
        for act in [Act::Take, Act::TakeLikeEcr] {
            let acts = vec![act, act];
            let world = World::new(Session { least: Some(least), acts, ..Session::default() }).await;
            let content = bytes(CHUNK + 1000);
            put(&world, &content).await.unwrap();
            assert!(world.stored().unwrap() == content, "other bytes");
            let last = content.len() - 1;
            assert_eq!(world.patches(), [format!("0-{}", first - 1), format!("{first}-{last}")]);
            assert_eq!(world.methods(), "POST PATCH PATCH PUT");
            let paths: Vec<_> = world.server.seen().iter().map(|request| request[..30].to_owned()).collect();
            let states = paths.iter().skip(1).map(|path| path.split(['=', ' ', '&']).nth(2).unwrap().to_owned());
            assert_eq!(states.collect::<Vec<_>>(), ["1", "2", "3"]);
        }
    }
}

#[tokio::test]
async fn one_chunk_is_sent_whole_and_so_is_what_no_memory_holds() {
    for (least, length) in
        [("5242880", 1000), ("5242880", CHUNK), ("0", CHUNK + 1), ("99999999999", CHUNK + 1), ("x", CHUNK + 1)]
    {
        let world = World::new(Session { least: Some(least), ..Session::default() }).await;
        put(&world, &bytes(length)).await.unwrap();
        assert_eq!(world.methods(), "POST PUT", "{least}, {length}");
    }
}

#[tokio::test]
async fn a_registry_that_takes_no_whole_blob_gets_chunks_from_then_on() {
    for status in ["413 Payload Too Large", "405 Method Not Allowed", "411 Length Required", "501 Not Implemented"] {
        let world = World::new(Session { refuses_whole: Some(status), ..Session::default() }).await;
        let registry = registry(&world.server);
        let (descriptor, chunks) = blob(b"first");
        let error = registry.put_blob(&repository(), &descriptor, chunks).await.unwrap_err();
        assert!(matches!(error, RegistryError::UploadAgain { .. }) && error.is_retryable(), "{error}");
        for content in [b"first", b"other"] {
            let (descriptor, chunks) = blob(content);
            registry.put_blob(&repository(), &descriptor, chunks).await.unwrap();
            assert_eq!(world.stored().unwrap(), content);
        }
        assert_eq!(world.methods(), "POST PUT DELETE POST PATCH PUT POST PATCH PUT");
    }
}

#[tokio::test]
async fn long_chunks_are_kept_one_after_another() {
    for (least, length, most) in [("20971520", (20 << 20) + 1, 1), ("16777216", (16 << 20) + 1, 2)] {
        let server = Server::start(move |_, request| match request.split(' ').next() {
            Some("POST") => reply("202 Accepted", &[("Location", "/session"), ("OCI-Chunk-Min-Length", least)], b""),
            Some("PATCH") => reply("202 Accepted", &[], b""),
            _ => reply("201 Created", &[], b""),
        })
        .await;
        let (registry, reading, at_once) = (registry(&server), AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
        let reading = Arc::new(reading);
        let puts = (0..3_u8).map(|n| {
            let content = vec![b'a' + n; length];
            let descriptor = describe(LAYER, &content);
            let (counted, highest) = (Arc::clone(&reading), Arc::clone(&at_once));
            let bytes = futures_util::stream::once(async move {
                highest.fetch_max(counted.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                Ok(content.into())
            });
            let (registry, reading) = (&registry, Arc::clone(&reading));
            async move {
                registry.put_blob(&repository(), &descriptor, Box::pin(bytes)).await.unwrap();
                reading.fetch_sub(1, Ordering::SeqCst);
            }
        });
        futures_util::future::join_all(puts).await;
        assert_eq!(at_once.load(Ordering::SeqCst), most, "{least}");
    }
}

#[tokio::test]
async fn short_blobs_are_sent_at_once_however_long_chunks_have_to_be() {
    let server = Server::start(|_, request| {
        let is_whole = request.starts_with("PUT") && !request.ends_with("\r\n\r\n");
        match request.split(' ').next() {
            Some("POST") => {
                reply("202 Accepted", &[("Location", "/session"), ("OCI-Chunk-Min-Length", "33554432")], b"")
            }
            Some("PATCH") => reply("202 Accepted", &[], b""),
            _ if is_whole => reply("413 Payload Too Large", &[], b""),
            _ => reply("201 Created", &[], b""),
        }
    })
    .await;
    let registry = registry(&server);
    let (descriptor, chunks) = blob(b"first");
    registry.put_blob(&repository(), &descriptor, chunks).await.unwrap_err();
    let all_read = Arc::new(Barrier::new(3));
    let puts = (0..3_u8).map(|n| {
        let content = vec![b'a' + n; 1024];
        let (descriptor, all_read) = (describe(LAYER, &content), Arc::clone(&all_read));
        let bytes = futures_util::stream::once(async move {
            all_read.wait().await;
            Ok(content.into())
        });
        let registry = &registry;
        async move { registry.put_blob(&repository(), &descriptor, Box::pin(bytes)).await }
    });
    let puts = futures_util::future::try_join_all(puts);
    tokio::time::timeout(Duration::from_secs(20), puts).await.expect("one waits for another").unwrap();
}

#[tokio::test]
async fn chunks_that_no_memory_holds_are_not_sent() {
    let long = Descriptor { size: (64 << 20) + 2, ..describe(LAYER, b"content") };
    let broken = || -> Chunks { Box::pin(futures_util::stream::iter([Err(RegistryError::BrokenOff)])) };
    let least = Some("67108865");
    let world = World::new(Session { least, ..Session::default() }).await;
    let error = registry(&world.server).put_blob(&repository(), &long, broken()).await.unwrap_err();
    assert!(matches!(error, RegistryError::BrokenOff), "it goes whole: {error}");
    assert!(world.patches().is_empty());

    let world = World::new(Session { least, refuses_whole: Some("413 no"), ..Session::default() }).await;
    let registry = registry(&world.server);
    let (descriptor, chunks) = blob(b"content");
    registry.put_blob(&repository(), &descriptor, chunks).await.unwrap_err();
    let error = registry.put_blob(&repository(), &long, broken()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Protocol { .. }) && error.to_string().contains("64 MiB"), "{error}");
    assert_eq!(world.methods(), "POST PUT DELETE POST DELETE");
    // One that is shorter than such a chunk is the last.
    let (descriptor, chunks) = blob(b"content");
    registry.put_blob(&repository(), &descriptor, chunks).await.unwrap();
    assert_eq!(world.stored().unwrap(), b"content");
}

/// Puts ten bytes into a registry that takes chunks only and does this with them.
async fn under(acts: &[Act]) -> (Result<(), RegistryError>, World) {
    let session = Session { refuses_whole: Some("413 Payload Too Large"), ..Session::default() };
    let world = World::new(session).await;
    let registry = registry(&world.server);
    let (descriptor, chunks) = blob(b"0123456789");
    registry.put_blob(&repository(), &descriptor, chunks).await.unwrap_err();
    world.session.lock().unwrap().acts = acts.to_vec();
    let (descriptor, chunks) = blob(b"0123456789");
    (registry.put_blob(&repository(), &descriptor, chunks).await, world)
}

#[tokio::test]
async fn an_upload_goes_on_where_the_registry_says_that_it_is() {
    use Act::{Cut, Drop, Misplace, Take};
    let cases: [(&[Act], &[&str]); 7] = [
        (&[Cut(4)], &["0-9", "4-9"]),
        (&[Cut(4), Cut(3), Cut(2)], &["0-9", "4-9", "7-9", "9-9"]),
        (&[Drop(0)], &["0-9", "0-9"]),
        (&[Drop(4), Take], &["0-9", "4-9"]),
        (&[Drop(10)], &["0-9"]),
        (&[Misplace], &["0-9", "0-9"]),
        (&[Cut(4), Misplace, Cut(5)], &["0-9", "4-9", "4-9", "9-9"]),
    ];
    for (acts, patches) in cases {
        let (put, world) = under(acts).await;
        put.unwrap();
        assert_eq!(world.stored().unwrap(), b"0123456789", "{acts:?}");
        assert_eq!(world.patches(), patches, "{acts:?}");
    }
}

#[tokio::test]
async fn an_upload_that_cannot_go_on_begins_again() {
    use Act::{Cut, Empty, Forget, Misplace, Say};
    let again: [&[Act]; 5] =
        [&[Forget], &[Cut(4), Forget], &[Cut(4), Empty], &[Misplace, Misplace, Misplace], &[Cut(0), Cut(0), Cut(0)]];
    for acts in again {
        let (put, world) = under(acts).await;
        let error = put.unwrap_err();
        assert!(matches!(error, RegistryError::UploadAgain { .. }) && error.is_retryable(), "{acts:?}: {error}");
        assert_eq!(world.stored(), None, "{acts:?}");
        assert!(world.methods().ends_with(" DELETE"), "{}", world.methods());
    }
    for range in ["0-10", "1-9", "all", "-1"] {
        let (put, world) = under(&[Say(range)]).await;
        let error = put.unwrap_err();
        assert!(matches!(error, RegistryError::Protocol { .. }), "{range}: {error}");
        assert_eq!(world.stored(), None, "{range}");
    }
}

#[tokio::test]
async fn a_blob_of_another_length_is_not_stored() {
    for content in ["012345678", "0123456789x", ""] {
        let session = Session { refuses_whole: Some("413 Payload Too Large"), ..Session::default() };
        let world = World::new(session).await;
        let registry = registry(&world.server);
        let (descriptor, chunks) = blob(b"0123456789");
        registry.put_blob(&repository(), &descriptor, chunks).await.unwrap_err();
        let (_, chunks) = blob(content.as_bytes());
        let error = registry.put_blob(&repository(), &descriptor, chunks).await.unwrap_err();
        assert!(matches!(error, RegistryError::SizeMismatch { .. }), "{content}: {error}");
        assert_eq!(world.stored(), None);
    }
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        Just(Act::Take),
        Just(Act::TakeLikeEcr),
        (0..11_usize).prop_map(Act::Cut),
        (0..11_usize).prop_map(Act::Drop),
        Just(Act::Misplace),
        Just(Act::Forget),
        Just(Act::Empty),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_registry_keeps_the_blob_is_whole_or_not_stored(acts in prop::collection::vec(act(), 0..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (put, world) = runtime.block_on(under(&acts));
        match put {
            Ok(()) => prop_assert_eq!(world.stored().unwrap(), b"0123456789"),
            Err(error) => {
                prop_assert!(error.is_retryable(), "{}", error);
                prop_assert_eq!(world.stored(), None);
            }
        }
    }
}
