use std::{error::Error as _, net::SocketAddr, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use guarded_http::{BodyError, Client, Credentials, HttpError, Limits, Method, StatusCode, Upload};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::Instant,
};

use crate::{
    credentials::origin,
    origin::limits,
    server::{Answer, Server, head, reply},
};

fn client(server: &Server) -> Client {
    Client::new(origin(server.address), &Credentials::Anonymous, limits()).unwrap()
}

const SOON: Duration = Duration::from_millis(100);

/// Limits that a server which says nothing meets soon.
fn impatient(address: SocketAddr) -> Client {
    let limits = Limits { connect: SOON, stall: SOON, deadline: Instant::now() + 40 * SOON };
    Client::new(origin(address), &Credentials::Anonymous, limits).unwrap()
}

async fn get(client: &Client, cap: usize) -> Result<guarded_http::Response, HttpError> {
    client.request(Method::GET, "/body?secret=1").unwrap().send(cap).await
}

#[tokio::test]
async fn a_body_has_a_cap_whatever_its_length_claims() {
    let server = Server::start(|number, _| match number {
        0 | 1 => reply("200 OK", &[], b"12345"),
        2 => Answer::Bytes(head("200 OK", &[], usize::MAX / 2)),
        _ => {
            let chunked = b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            Answer::Endless(chunked, b"5\r\n12345\r\n".repeat(1000))
        }
    })
    .await;
    let client = client(&server);
    assert_eq!(get(&client, 5).await.unwrap().bytes(), &Bytes::from("12345"));
    for cap in [4, 1_000_000, 1_000_000] {
        let error = get(&client, cap).await.unwrap_err();
        assert!(matches!(error, HttpError::TooLarge { cap: found, .. } if found == cap), "{error}");
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_has_the_same_cap() {
    let chunked = "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n";
    let server = Server::start(|_, _| Answer::Bytes(chunked.as_bytes().to_vec())).await;
    let client = client(&server);
    assert_eq!(get(&client, 5).await.unwrap().bytes(), &Bytes::from("12345"));
    assert!(matches!(get(&client, 4).await, Err(HttpError::TooLarge { cap: 4, .. })));
}

#[tokio::test]
async fn an_endless_explanation_of_an_error_is_cut() {
    let server =
        Server::start(|_, _| Answer::Endless(head("404 Not Found", &[], 1 << 30), vec![b'x'; 64 * 1024])).await;
    let answer = get(&client(&server), 10).await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert_eq!(answer.bytes().len(), 64 * 1024);
    let HttpError::Status { detail, .. } = answer.into_error() else { panic!() };
    assert_eq!(detail, "x".repeat(300));
}

#[tokio::test]
async fn an_explanation_that_drips_is_waited_for_no_longer_than_a_stall() {
    let server =
        Server::start(|_, _| Answer::Drip(SOON, head("404 Not Found", &[], 1 << 30), vec![b'x'; 2 * 1024])).await;
    let limits = Limits { stall: 4 * SOON, ..limits() };
    let client = Client::new(origin(server.address), &Credentials::Anonymous, limits).unwrap();
    let answer = get(&client, 10).await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert!(answer.bytes().len() <= 5 * 2 * 1024, "{}", answer.bytes().len());
}

#[tokio::test]
async fn a_long_body_that_is_taken_slowly_does_not_stall() {
    // Far more than sockets hold.
    const LENGTH: usize = 16 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut buffer = vec![0; 128 << 10];
        let mut seen = 0;
        while seen < LENGTH {
            seen += socket.read(&mut buffer).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        socket.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    });
    let limits = Limits { connect: 2 * SOON, stall: 10 * SOON, ..limits() };
    let client = Client::new(origin(address), &Credentials::Anonymous, limits).unwrap();
    let answer = client.request(Method::PATCH, "/").unwrap().body(vec![b'x'; LENGTH]).send(0).await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
}

#[tokio::test]
async fn no_other_encoding_than_identity_is_read() {
    let server = Server::start(|number, _| {
        let encoding = ["gzip", "identity", "br", "identity, gzip"][number];
        reply("200 OK", &[("Content-Encoding", encoding)], b"12345")
    })
    .await;
    let client = client(&server);
    for refused in [true, false, true, true] {
        let answer = get(&client, 10).await;
        assert_eq!(matches!(answer, Err(HttpError::Encoded { .. })), refused, "{answer:?}");
    }
}

#[tokio::test]
async fn only_declared_json_is_read_as_json() {
    let types = [
        "application/json; charset=utf-8",
        "application/vnd.oci.image.index.v1+json",
        "text/html",
        "text/json",
        "application/jsonx",
    ];
    let server = Server::start(move |number, _| reply("200 OK", &[("Content-Type", types[number])], b"[1]")).await;
    let client = client(&server);
    for expected in [true, true, false, false, false] {
        let json = get(&client, 10).await.unwrap().json::<Vec<u8>>();
        assert_eq!(json.is_ok(), expected, "{json:?}");
    }
    let server = Server::start(|_, _| reply("200 OK", &[("Content-Type", "application/json")], b"[1")).await;
    let error = get(&self::client(&server), 10).await.unwrap().json::<Vec<u8>>().unwrap_err();
    assert!(matches!(error, HttpError::Json { .. }));
    assert_eq!(error.source().unwrap().to_string(), "it ends early (line 1, column 2)");

    let long = format!("[\"{}\"]", "secret".repeat(1_000));
    let server =
        Server::start(move |_, _| reply("200 OK", &[("Content-Type", "application/json")], long.as_bytes())).await;
    let error = get(&self::client(&server), 10_000).await.unwrap().json::<Vec<u8>>().unwrap_err();
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}

#[tokio::test]
async fn bytes_that_are_missing_are_noticed() {
    let server = Server::start(|number, _| {
        let mut torn = head("200 OK", &[], 10);
        torn.extend_from_slice(b"12345");
        match number {
            0 | 2 => Answer::Bytes(torn),
            1 => reply("200 OK", &[], b"1234567890"),
            _ => {
                let chunked =
                    "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n";
                Answer::Bytes(chunked.as_bytes().to_vec())
            }
        }
    })
    .await;
    let client = client(&server);
    // A whole body is fetched again.
    assert_eq!(get(&client, 10).await.unwrap().bytes(), &Bytes::from("1234567890"));
    for _ in 0..2 {
        let body = client.request(Method::GET, "/").unwrap().download().await.unwrap();
        let received: Vec<_> = body.collect().await;
        assert_eq!(received[0].as_ref().unwrap(), &Bytes::from("12345"));
        let error = received[1].as_ref().unwrap_err();
        assert!(matches!(error, HttpError::Broken { .. }) && error.is_retryable(), "{error}");
    }
    assert_eq!(client.requests(), 4);
}

#[tokio::test]
async fn a_stall_is_noticed_before_and_in_a_body() {
    let server = Server::start(|_, request| {
        let mut torn = head("200 OK", &[], 10_000);
        torn.extend(vec![b'x'; 5_000]);
        Answer::Hang(if request.contains("silent") { Vec::new() } else { torn })
    })
    .await;
    let error = impatient(server.address).request(Method::POST, "/silent").unwrap().send(10).await.unwrap_err();
    assert!(matches!(error, HttpError::Stalled { .. }) && error.is_retryable(), "{error}");
    let error = impatient(server.address).request(Method::POST, "/body").unwrap().send(100_000).await.unwrap_err();
    assert!(matches!(error, HttpError::Stalled { .. }), "{error}");
    let body = impatient(server.address).request(Method::GET, "/body").unwrap().download().await.unwrap();
    let error = body.try_for_each(|_| async { Ok(()) }).await.unwrap_err();
    assert!(matches!(error, HttpError::Stalled { .. }), "{error}");
}

#[tokio::test]
async fn an_upload_that_stalls_at_either_end_is_noticed() {
    let server = Server::start(|_, _| reply("201 Created", &[], b"")).await;
    let silent = stream::once(async { Ok(Bytes::from("1")) }).chain(stream::pending());
    let upload = Upload { length: 2, bytes: Box::pin(silent) };
    let error = impatient(server.address).request(Method::PUT, "/").unwrap().upload(upload).send(0).await.unwrap_err();
    assert!(matches!(error, HttpError::Stalled { .. }), "{error}");

    // The system accepts the connection, and nobody reads from it.
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endless = stream::repeat(Bytes::from(vec![0; 1 << 20])).map(Ok);
    let upload = Upload { length: 1 << 40, bytes: Box::pin(endless) };
    let client = impatient(deaf.local_addr().unwrap());
    let error = client.request(Method::PUT, "/").unwrap().upload(upload).send(0).await.unwrap_err();
    assert!(matches!(error, HttpError::Stalled { .. }), "{error}");
}

#[tokio::test]
async fn a_server_may_take_longer_to_store_a_body_than_to_receive_it() {
    let server = Server::start(|_, request| match request.split(' ').nth(1) {
        Some("/slow") => Answer::Late(8 * SOON, head("201 Created", &[], 0)),
        _ => Answer::Hang(Vec::new()),
    })
    .await;
    let send = |content: &'static str, path: &'static str, limits| {
        let client = Client::new(origin(server.address), &Credentials::Anonymous, limits).unwrap();
        let bytes = stream::iter([Ok(Bytes::from(content))]);
        let upload = Upload { length: content.len() as u64, bytes: Box::pin(bytes) };
        async move { client.request(Method::PUT, path).unwrap().upload(upload).send(0).await }
    };
    let patient = Limits { connect: SOON, stall: SOON, deadline: Instant::now() + 600 * SOON };
    for content in ["content", ""] {
        assert!(send(content, "/slow", patient).await.is_ok(), "{content}");
    }
    let short = Limits { deadline: Instant::now() + 4 * SOON, ..patient };
    let error = send("content", "/silent", short).await.unwrap_err();
    assert!(matches!(error, HttpError::Deadline { .. }), "{error}");
}

#[tokio::test]
async fn an_upload_has_the_length_that_it_promises() {
    let server = Server::start(|_, _| reply("201 Created", &[], b"")).await;
    let client = client(&server);
    let chunks = |chunks: &'static [&'static str]| Box::pin(stream::iter(chunks).map(|chunk| Ok(Bytes::from(*chunk))));
    for (length, fits) in [(5, true), (3, false), (4, false), (6, false)] {
        let upload = Upload { length, bytes: chunks(&["123", "45"]) };
        let answer = client.request(Method::PUT, "/put").unwrap().upload(upload).send(0).await;
        assert_eq!(answer.is_ok(), fits, "{length}: {answer:?}");
        assert!(fits || matches!(answer, Err(HttpError::Upload { .. })), "{length}: {answer:?}");
    }
    let seen = server.seen();
    assert!(seen[0].to_ascii_lowercase().contains("content-length: 5\r\n") && seen[0].ends_with("\r\n\r\n12345"));
    assert!(!seen[0].to_ascii_lowercase().contains("transfer-encoding"));

    let failing = || BodyError::from("the source broke");
    for behind in [vec![], vec![Ok(Bytes::new())], vec![Ok(Bytes::new()), Ok(Bytes::new())]] {
        let chunks = [Ok(Bytes::from("12345"))].into_iter().chain(behind).chain([Err(failing())]);
        let upload = Upload { length: 5, bytes: Box::pin(stream::iter(chunks)) };
        let before = server.seen().len();
        let answer = client.request(Method::PUT, "/put").unwrap().upload(upload).send(0).await;
        assert!(matches!(answer, Err(HttpError::Upload { .. })), "{answer:?}");
        assert!(server.seen().get(before).is_none_or(|sent| !sent.contains("12345")), "the last bytes came too early");
    }

    let failing = stream::iter([Ok(Bytes::from("1")), Err(BodyError::from("the source broke"))]);
    let upload = Upload { length: 2, bytes: Box::pin(failing) };
    let error = client.request(Method::PUT, "/put").unwrap().upload(upload).send(0).await.unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "the source broke");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn an_empty_post_says_that_it_is_empty() {
    let server = Server::start(|_, _| reply("202 Accepted", &[], b"")).await;
    client(&server).request(Method::POST, "/").unwrap().send(0).await.unwrap();
    assert!(server.seen()[0].to_ascii_lowercase().contains("\r\ncontent-length: 0\r\n"));
}
