use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode, header};
use registry_copy::{InMemory, TagRule};
use release::{Digest, Repository};
use reqwest::Client;
use sandbox::{Act, Break, FaultProxy, Faults, Phase, RegistryOptions, RegistryServer, Script};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, ErrorKind},
    net::TcpStream,
};

const UPLOADS: &str = "/v2/forge/app/blobs/uploads/";

struct Scene {
    registry: RegistryServer,
    proxy: FaultProxy,
    script: Script,
    client: Client,
    blob: Digest,
}

/// A registry with one blob of 100,000 bytes, behind a proxy.
async fn scene() -> Scene {
    let memory = InMemory::new();
    memory.create(&repository(), TagRule::Immutable);
    let registry = RegistryServer::start(memory, RegistryOptions::default()).await.unwrap();
    let script = Script::new();
    let proxy = FaultProxy::start("registry", registry.authority(), &script).await.unwrap();
    let scene = Scene { registry, proxy, script, client: Client::new(), blob: Digest::of(&content()) };
    assert_eq!(scene.upload(content()).await.unwrap(), StatusCode::CREATED);
    scene.registry.log().clear();
    scene.script.set(|_| Act::Pass);
    scene
}

fn repository() -> Repository {
    "forge/app".parse().unwrap()
}

fn content() -> Bytes {
    (0..100_000_u32).map(|number| (number % 251) as u8).collect()
}

impl Scene {
    fn path(&self) -> String {
        format!("/v2/forge/app/blobs/{}", self.blob)
    }

    async fn get(&self) -> reqwest::Result<Bytes> {
        self.client.get(format!("{}{}", self.proxy.url(), self.path())).send().await?.bytes().await
    }

    async fn upload(&self, bytes: Bytes) -> reqwest::Result<StatusCode> {
        let url = format!("{}{UPLOADS}?digest={}", self.proxy.url(), Digest::of(&bytes));
        Ok(self.client.post(url).body(bytes).send().await?.status())
    }

    /// What a client reads that knows only TCP: the answer's head, its body so far, and how it ended.
    async fn read_raw(&self) -> (String, usize, Result<(), ErrorKind>) {
        let mut stream = TcpStream::connect(self.proxy.authority()).await.unwrap();
        let request = format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", self.path(), self.proxy.authority());
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut read = Vec::new();
        let ended = stream.read_to_end(&mut read).await;
        let text = String::from_utf8_lossy(&read).into_owned();
        let head = text.find("\r\n\r\n").map_or(0, |end| end + 4);
        (text[..head].to_ascii_lowercase(), read.len() - head, ended.map(drop).map_err(|error| error.kind()))
    }

    fn asked(&self) -> usize {
        self.registry.log().requests().len()
    }
}

#[tokio::test]
async fn what_is_not_broken_passes() {
    let scene = scene().await;
    assert_eq!(scene.get().await.unwrap(), content());
    let head = scene.client.head(format!("{}{}", scene.proxy.url(), scene.path())).send().await.unwrap();
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(head.headers()[header::CONTENT_LENGTH], "100000");
    assert_eq!(scene.upload(Bytes::from_static(b"other")).await.unwrap(), StatusCode::CREATED);
    let seen = scene.script.seen();
    assert_eq!(
        seen.iter().map(|seen| (seen.number, &*seen.method)).collect::<Vec<_>>(),
        [(1, "GET"), (2, "HEAD"), (3, "POST")]
    );
    assert_eq!((seen[0].server, &*seen[0].path), ("registry", &*scene.path()));
    assert_eq!(seen[0].headers[header::HOST], scene.proxy.authority());
}

#[tokio::test]
async fn an_answer_is_reset_or_closed_in_its_middle() {
    let scene = scene().await;
    for (how, ended) in [(Break::Reset, Err(ErrorKind::ConnectionReset)), (Break::Close, Ok(()))] {
        for bytes in [0_u32, 1, 70_000] {
            scene.script.set(move |_| Act::Break(Phase::Answer(bytes.into()), how));
            let (head, body, end) = scene.read_raw().await;
            assert!(head.contains("content-length: 100000"), "{head}");
            assert_eq!((body, end), (bytes as usize, ended), "{how:?}");
        }
    }
}

#[tokio::test]
async fn the_server_acts_before_it_or_not() {
    let scene = scene().await;
    for how in [Break::Reset, Break::Close] {
        for (phase, acts, stored) in
            [(Phase::Before, 0, false), (Phase::Request(10), 1, false), (Phase::After, 1, true)]
        {
            let bytes = Bytes::from(format!("{how:?} {phase:?} and some more"));
            scene.registry.log().clear();
            scene.script.set(move |_| Act::Break(phase, how));
            assert!(scene.upload(bytes.clone()).await.is_err());
            // The server's own account of a request that broke off comes a little later.
            while scene.asked() < acts {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let there = scene.registry.memory().digests(&repository()).contains(&Digest::of(&bytes));
            assert_eq!((scene.asked(), there), (acts, stored), "{how:?} {phase:?}");
            let (_, body, end) = scene.read_raw().await;
            let ended = if how == Break::Reset { Err(ErrorKind::ConnectionReset) } else { Ok(()) };
            assert_eq!((body, end), (0, ended), "{how:?} {phase:?}");
        }
    }
}

#[tokio::test]
async fn what_is_held_is_let_go_with_the_next_rule() {
    let scene = scene().await;
    for phase in [Phase::Before, Phase::After, Phase::Answer(10)] {
        scene.registry.log().clear();
        scene.script.set(move |_| Act::hold(phase));
        let (answer, ()) = tokio::join!(scene.read_raw(), async {
            scene.script.held().await;
            assert_eq!(scene.asked(), usize::from(phase != Phase::Before));
            scene.script.set(|_| Act::Pass);
        });
        assert_eq!((answer.1, answer.2), (if phase == Phase::Answer(10) { 10 } else { 0 }, Ok(())));
        assert_eq!(scene.get().await.unwrap(), content());
    }
}

#[tokio::test]
async fn answers_are_made_up_or_changed() {
    let scene = scene().await;
    let status = async || scene.upload(Bytes::from_static(b"some")).await.unwrap().as_u16();
    scene.script.set(|_| Act::answer(503, "<html>"));
    assert_eq!((status().await, scene.asked()), (503, 0));
    scene.script.set(|_| Act::answer_after(500, "lost"));
    assert_eq!((status().await, scene.asked()), (500, 1));
    scene.script.set(|_| Act::answer(429, "").with(header::RETRY_AFTER, "2"));
    let response = scene.client.get(scene.proxy.url()).send().await.unwrap();
    assert_eq!(response.headers()[header::RETRY_AFTER], "2");

    scene.script.set(|_| Act::flip(70_000));
    let flipped = scene.get().await.unwrap();
    let content = content();
    let differs: Vec<usize> = (0..content.len()).filter(|at| flipped[*at] != content[*at]).collect();
    assert_eq!(differs, [70_000]);
    scene.script.set(|_| Act::body("other"));
    assert_eq!(scene.get().await.unwrap(), "other");

    let url = format!("{}{}", scene.proxy.url(), scene.path());
    let headers = async || scene.client.request(Method::HEAD, &url).send().await.unwrap().headers().clone();
    scene.script.set(|_| Act::without("docker-content-digest".parse().unwrap()));
    let without = headers().await;
    assert!(!without.contains_key("docker-content-digest") && without[header::CONTENT_LENGTH] == "100000");
    scene.script.set(|_| Act::Pass.with("docker-content-digest".parse().unwrap(), "sha256:no"));
    assert_eq!(headers().await["docker-content-digest"], "sha256:no");
}

#[tokio::test]
async fn a_drip_is_slow_and_whole() {
    let scene = scene().await;
    let every = Duration::from_millis(10);
    scene.script.set(move |_| Act::Drip { after: 99_990, piece: 3, every });
    let begun = tokio::time::Instant::now();
    assert_eq!(scene.get().await.unwrap(), content());
    assert!(begun.elapsed() >= every * 4, "ten bytes come in four pieces");
    scene.script.set(move |_| Act::Delay(every));
    assert_eq!(scene.get().await.unwrap(), content());
}

#[tokio::test]
async fn faults_have_their_turns() {
    let scene = scene().await;
    let faults = Faults::new()
        .on("GET", "*/blobs/*", 2..=3, |_| Act::answer(503, ""))
        .on("*", "*", 3.., |_| Act::answer(500, ""))
        .on("GET", "/nowhere", .., |_| Act::Pass);
    scene.script.set(faults.rule());
    let url = format!("{}{}", scene.proxy.url(), scene.path());
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(scene.client.get(&url).send().await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [200, 503, 503, 500]);
    let seen = &scene.script.seen()[0];
    let patterns = [("*", true), ("/v2/*", true), ("*sha256:*", true), ("*/blobs", false), ("blobs", false)];
    for (pattern, is) in patterns {
        assert_eq!(seen.is("GET", pattern), is, "{pattern}");
        assert!(!seen.is("PUT", pattern));
    }
    assert!(seen.is("*", &scene.path()));
}

#[tokio::test]
async fn connections_are_refused() {
    let mut scene = scene().await;
    scene.proxy.refuse_connections(2);
    for _ in 0..2 {
        assert_eq!(scene.read_raw().await.2, Err(ErrorKind::ConnectionReset));
    }
    assert_eq!(scene.get().await.unwrap(), content());
    assert_eq!(scene.script.seen().len(), 1);
    scene.proxy.stop_listening();
    while TcpStream::connect(scene.proxy.authority()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    scene.proxy.listen_again().await.unwrap();
    assert_eq!(scene.get().await.unwrap(), content());
}
