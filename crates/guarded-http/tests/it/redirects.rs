use std::{
    error::Error,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures_util::TryStreamExt;
use guarded_http::{Client, Credentials, HttpError, Limits, Method, header};
use tokio::time::Instant;

use crate::{
    credentials::origin,
    origin::limits,
    server::{Answer, Server, kept},
};

/// A storage service, and a registry that redirects to it with a page which comes late.
async fn world(storage: impl Fn(&str) -> Answer + Send + Sync + 'static) -> (Server, Server) {
    let storage = Server::start(move |_, request| storage(request)).await;
    let target = format!("http://{}/bucket/blob?Signature=canary-signature", storage.address);
    let registry = Server::start(move |_, _| {
        kept("307 Temporary Redirect", &[("Location", &target)], format!("<a href=\"{target}\">").as_bytes())
    });
    (registry.await, storage)
}

fn client(registry: &Server, limits: Limits) -> Client {
    Client::new(origin(registry.address), &Credentials::Bearer("canary-token".into()), limits).unwrap()
}

#[tokio::test]
async fn a_download_is_redirected_over_connections_that_stay() {
    let (registry, storage) = world(|_| kept("206 Partial Content", &[], b"blob")).await;
    let client = client(&registry, limits());
    for _ in 0..3 {
        let request = client.request(Method::GET, "/v2/a/blobs/x").unwrap().header(header::RANGE, "bytes=2-5");
        let request = request.header(header::IF_NONE_MATCH, "\"x\"").follow_redirects();
        let blob: Vec<Bytes> = request.download().await.unwrap().try_collect().await.unwrap();
        assert_eq!(blob.concat(), b"blob");
    }
    assert_eq!((registry.connections(), storage.connections(), client.requests()), (1, 1, 6));
    for request in storage.seen() {
        assert!(request.starts_with("GET /bucket/blob?Signature=canary-signature HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("range: bytes=2-5") && !request.contains("if-none-match"), "{request}");
    }
}

#[tokio::test]
async fn a_target_that_fails_is_named_beside_who_named_it() {
    let (registry, storage) = world(|_| kept("403 Forbidden", &[], b"<Provided>canary-signature</Provided>")).await;
    let client = client(&registry, limits());
    let request = client.request(Method::GET, "/v2/a/blobs/x").unwrap().follow_redirects();
    let Err(error) = request.download().await else { panic!() };
    assert_eq!(error.to_string(), format!("GET http://{}/v2/a/blobs/x: the server redirects", registry.address));
    let target = format!("GET http://{}/bucket/blob: 403 Forbidden: <Provided>***</Provided>", storage.address);
    assert_eq!(error.source().unwrap().to_string(), target);
    assert!(!error.is_retryable() && error.status().is_none());
}

#[tokio::test]
async fn a_target_has_the_same_limits() {
    let (registry, storage) = world(|_| Answer::Hang(Vec::new())).await;
    let limits =
        Limits { stall: Duration::from_millis(250), deadline: Instant::now() + Duration::from_secs(2), ..limits() };
    let client = client(&registry, Limits { connect: limits.stall, ..limits });
    let error = client.request(Method::GET, "/x").unwrap().follow_redirects().send(10).await.unwrap_err();
    let HttpError::Exhausted { attempts, last } = &error else { panic!("{error}") };
    let HttpError::Redirected { source, .. } = &**last else { panic!("{last}") };
    assert!(matches!(**source, HttpError::Stalled { .. }), "{source}");
    assert!(*attempts >= 2 && registry.seen().len() >= 2 && storage.seen().len() >= 2);

    let (registry, _storage) = world(|_| kept("200 OK", &[], b"12345")).await;
    let client = self::client(&registry, self::limits());
    let error = client.request(Method::GET, "/x").unwrap().follow_redirects().send(4).await.unwrap_err();
    assert!(matches!(error, HttpError::TooLarge { cap: 4, .. }), "{error}");
}

#[tokio::test]
async fn a_redirect_has_one_location() {
    for locations in [&[][..], &[("Location", "/x"), ("Location", "/y")]] {
        let server = Server::start(|number, _| match number {
            0 => kept("302 Found", locations, b""),
            _ => kept("200 OK", &[], b""),
        });
        let server = server.await;
        let client = client(&server, limits());
        let error = client.request(Method::GET, "/").unwrap().follow_redirects().send(10).await.unwrap_err();
        assert!(matches!(error, HttpError::Redirect { to: None, .. }), "{error}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_target_may_ask_to_wait() {
    let asked = AtomicBool::new(false);
    let (registry, storage) = world(move |_| match asked.swap(true, Ordering::Relaxed) {
        false => kept("503 Slow Down", &[("Retry-After", "1")], b""),
        true => kept("200 OK", &[], b"blob"),
    })
    .await;
    let start = Instant::now();
    let client = client(&registry, limits());
    let answer = client.request(Method::GET, "/x").unwrap().follow_redirects().send(10).await.unwrap();
    assert_eq!((answer.bytes().as_ref(), storage.seen().len()), (b"blob".as_slice(), 2));
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
}
