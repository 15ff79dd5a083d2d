use std::time::Duration;

use guarded_http::{Client, Credentials, HttpError, Limits, Method, StatusCode, Upload};
use tokio::{io::AsyncWriteExt, net::TcpListener, time::Instant};

use crate::{
    credentials::origin,
    origin::limits,
    server::{Answer, Server, reply},
};

/// A server whose first answers are these, and the next is 200.
async fn failing(statuses: &'static [&'static str]) -> Server {
    Server::start(move |number, _| match statuses.get(number) {
        Some(&"reset") => Answer::Bytes(Vec::new()),
        Some(status) => reply(status, &[("Retry-After", "0")], b"<html>later</html>"),
        None => reply("200 OK", &[], b"done"),
    })
    .await
}

fn client(server: &Server) -> Client {
    Client::new(origin(server.address), &Credentials::Anonymous, limits()).unwrap()
}

#[tokio::test]
async fn what_may_be_repeated_is_repeated_on_temporary_faults() {
    for fault in ["408 a", "429 b", "500 c", "502 d", "503 e", "504 f", "reset"] {
        let server = failing(Box::leak(Box::new([fault]))).await;
        let answer = client(&server).request(Method::GET, "/").unwrap().send(10).await.unwrap();
        assert_eq!((answer.status(), server.seen().len()), (StatusCode::OK, 2), "{fault}");
    }
    let server = failing(&["503 a", "reset"]).await;
    let client = client(&server);
    let request = client.request(Method::PUT, "/").unwrap().body("same").idempotent();
    assert_eq!(request.send(10).await.unwrap().bytes().as_ref(), b"done");
    assert_eq!(client.requests(), 3);
    assert!(server.seen().iter().all(|request| request.ends_with("same")));
}

#[tokio::test]
async fn what_is_final_is_not_repeated() {
    for status in ["400 a", "401 b", "403 c", "404 d", "409 e", "412 f", "501 g"] {
        let server = failing(Box::leak(Box::new([status]))).await;
        let error = client(&server).request(Method::GET, "/").unwrap().send(10).await.unwrap().success().unwrap_err();
        assert!(!error.is_retryable() && error.status().is_some(), "{error}");
        assert_eq!(server.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn what_may_not_be_repeated_is_sent_once() {
    let server = failing(&["503 a", "reset", "503 b"]).await;
    let client = client(&server);
    let answer = client.request(Method::POST, "/").unwrap().send(10).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.into_error().is_retryable());
    let error = client.request(Method::POST, "/").unwrap().body("x").send(10).await.unwrap_err();
    assert!(matches!(error, HttpError::Broken { .. }) && error.is_retryable(), "{error}");
    let upload = Upload { length: 0, bytes: Box::pin(futures_util::stream::empty()) };
    let error = client.request(Method::PUT, "/").unwrap().upload(upload).idempotent().send(10).await.unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_until_the_deadline() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let limits = Limits { deadline: Instant::now() + Duration::from_millis(900), ..limits() };
    let client = Client::new(origin(gone), &Credentials::Anonymous, limits).unwrap();
    let error = client.request(Method::POST, "/x").unwrap().send(10).await.unwrap_err();
    assert!(matches!(error, HttpError::Connect { .. }) && error.is_retryable() && client.requests() == 1, "{error}");
    let error = client.request(Method::GET, "/x?secret=1").unwrap().send(10).await.unwrap_err();
    let HttpError::Exhausted { attempts, last } = &error else { panic!("{error}") };
    assert!(*attempts >= 2 && u64::from(*attempts) == client.requests() - 1);
    assert!(matches!(**last, HttpError::Connect { .. }), "{last}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_server_that_cannot_prove_who_it_is_is_not_tried_again() {
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let secure = format!("https://{}", plain.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = plain.accept().await {
            drop(socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
        }
    });
    let client = Client::new(secure, &Credentials::Anonymous, limits()).unwrap();
    let error = client.request(Method::GET, "/").unwrap().send(10).await.unwrap_err();
    assert!(matches!(error, HttpError::Tls { .. }) && !error.is_retryable(), "{error:?}");
    assert_eq!(client.requests(), 1);
}

#[tokio::test]
async fn a_server_that_comes_late_is_reached() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let client = Client::new(origin(address), &Credentials::Anonymous, limits()).unwrap();
    let get = client.request(Method::GET, "/").unwrap().send(10);
    let late = async {
        while client.requests() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Server::on(TcpListener::bind(address).await.unwrap(), |_, _| reply("200 OK", &[], b"late"))
    };
    let (answer, _server) = tokio::join!(get, late);
    assert_eq!(answer.unwrap().bytes().as_ref(), b"late");
}

#[tokio::test]
async fn a_server_that_never_recovers_ends_with_its_last_word() {
    let server = Server::start(|_, _| reply("503 no", &[("Retry-After", "1000000000000")], b"come back later")).await;
    let limits = Limits { deadline: Instant::now() + Duration::from_millis(700), ..limits() };
    let client = Client::new(origin(server.address), &Credentials::Anonymous, limits).unwrap();
    let whole = client.request(Method::GET, "/").unwrap().send(10).await.unwrap_err();
    assert!(
        matches!(&whole, HttpError::Exhausted { last, .. } if last.to_string().contains("come back later")),
        "{whole}"
    );
    assert_eq!(whole.status(), Some(StatusCode::SERVICE_UNAVAILABLE));
    assert!(whole.is_retryable() && server.seen().len() >= 2);
    // The deadline is the client's: what comes after it is not tried at length.
    let Err(late) = client.request(Method::GET, "/").unwrap().download().await else { panic!() };
    assert!(late.is_retryable(), "{late}");
}
