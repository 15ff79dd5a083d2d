use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, TryFutureExt, TryStreamExt, future::join_all, stream};
use guarded_http::{BodyError, Client, Credentials, HttpError, Method, StatusCode, Upload};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    credentials::origin,
    origin::limits,
    server::{Answer, Server, head, kept},
};

fn client(server: &Server) -> Client {
    Client::new(origin(server.address), &Credentials::Anonymous, limits()).unwrap()
}

/// A server that says of the first requests that they are too many, and to wait so long.
async fn overrun(first: usize, retry_after: &'static str) -> Server {
    Server::start(move |number, _| match number < first {
        true => kept("429 Too Many Requests", &[("Retry-After", retry_after)], b"slow down"),
        false => kept("200 OK", &[], b"12345"),
    })
    .await
}

async fn post(client: &Client) -> StatusCode {
    client.request(Method::POST, "/").unwrap().send(10).await.unwrap().status()
}

#[tokio::test]
async fn while_one_has_to_wait_all_do() {
    let server = overrun(1, "1").await;
    let client = client(&server);
    let start = Instant::now();
    assert_eq!(post(&client).await, StatusCode::TOO_MANY_REQUESTS);
    let others = join_all([post(&client), post(&client), post(&client)]).await;
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(others, [StatusCode::OK; 3]);
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_not_waited_for() {
    for retry_after in ["1000000000000", "99999999999999999999", "-1", "Tue, 24 Nov 2020 06:00:00 GMT", "soon", ""] {
        let server = overrun(1, retry_after).await;
        let client = client(&server);
        let get = client.request(Method::GET, "/").unwrap().send(10);
        let answer = timeout(limits().stall, get).await.unwrap().unwrap();
        assert_eq!((answer.status(), client.requests()), (StatusCode::OK, 2), "{retry_after}");
    }
}

#[tokio::test]
async fn after_enough_refusals_one_request_is_sent_at_a_time() {
    const BUSY: Duration = Duration::from_millis(50);
    let arrivals = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&arrivals);
    let server = Server::start(move |number, _| {
        if number < 6 {
            return kept("429 Too Many Requests", &[], b"");
        }
        log.lock().unwrap().push(Instant::now());
        // No good answer: it widens nothing.
        Answer::Late(BUSY, head("500 x", &[], 0))
    })
    .await;
    let client = client(&server);
    for _ in 0..6 {
        assert_eq!(post(&client).await, StatusCode::TOO_MANY_REQUESTS);
    }
    join_all((0..5).map(|_| post(&client))).await;
    let arrivals = arrivals.lock().unwrap();
    assert_eq!(arrivals.len(), 5);
    assert!(arrivals.windows(2).all(|pair| pair[1] - pair[0] >= BUSY), "{arrivals:?}");
}

/// A server that takes so many requests at once, says 429 to any above, and remembers the most it had.
async fn busy(at_once: usize) -> (Server, Arc<AtomicUsize>) {
    const BUSY: Duration = Duration::from_millis(100);
    let most = Arc::new(AtomicUsize::new(0));
    let (highest, ends) = (Arc::clone(&most), Mutex::new(Vec::new()));
    let server = Server::start(move |_, _| {
        let (now, mut ends) = (Instant::now(), ends.lock().unwrap());
        ends.retain(|end| *end > now);
        highest.fetch_max(ends.len() + 1, Ordering::Relaxed);
        if ends.len() == at_once {
            return kept("429 Too Many Requests", &[], b"");
        }
        ends.push(now + BUSY);
        Answer::Late(BUSY, head("201 Created", &[], 0))
    })
    .await;
    (server, most)
}

/// Sends a stream that says `text`, once more after each refusal.
async fn put(client: &Client, text: String) {
    let mut retries = client.retries();
    loop {
        let (length, bytes) = (text.len() as u64, stream::iter([Ok(text.clone().into())]).boxed());
        let put = client.request(Method::PUT, "/").unwrap().upload(Upload { length, bytes });
        match put.send(0).await.unwrap().success() {
            Ok(_) => return,
            Err(error) => sleep(retries.pause(error).unwrap()).await,
        }
    }
}

#[tokio::test]
async fn uploads_are_soon_no_more_than_a_server_takes() {
    const TAKEN: usize = 6;
    let (server, _) = busy(TAKEN).await;
    let client = client(&server);
    join_all((0..60).map(|number| put(&client, format!("body {number:02}")))).await;
    let seen = server.seen();
    for number in 0..60 {
        assert!(seen.iter().any(|put| put.ends_with(&format!("body {number:02}"))), "{number}");
    }
    // The first burst shows what the server takes; a few more show that it takes no more.
    let refused = seen.len() - 60;
    assert!(refused < 60 + TAKEN, "{refused}");
}

#[tokio::test]
async fn no_more_than_64_uploads_are_in_flight() {
    let (server, most) = busy(usize::MAX).await;
    let client = client(&server);
    join_all((0..256).map(|number| put(&client, number.to_string()))).await;
    assert_eq!(server.seen().len(), 256);
    let most = most.load(Ordering::Relaxed);
    assert!(most <= 64, "{most}");
}

/// Sends what the same server gives.
async fn copy(client: &Arc<Client>) -> StatusCode {
    let source = Arc::clone(client);
    let bytes = async move { source.request(Method::GET, "/source")?.download().await };
    let bytes = bytes.try_flatten_stream().map_err(|error: HttpError| BodyError::from(error)).boxed();
    let request = client.request(Method::PUT, "/copy").unwrap().upload(Upload { length: 5, bytes });
    request.send(10).await.unwrap().status()
}

#[tokio::test]
async fn bodies_may_come_from_the_server_that_they_go_to() {
    const COPIES: usize = 100;
    for refused in [0, 7] {
        let server = overrun(refused, "0").await;
        let client = Arc::new(client(&server));
        for _ in 0..refused {
            assert_eq!(post(&client).await, StatusCode::TOO_MANY_REQUESTS);
        }
        assert_eq!(join_all((0..COPIES).map(|_| copy(&client))).await, [StatusCode::OK; COPIES]);
        let put = |request: &&String| request.starts_with("PUT") && request.ends_with("12345");
        assert_eq!(server.seen().iter().filter(put).count(), COPIES);
    }
}

#[tokio::test]
async fn reads_do_not_wait_for_writes() {
    let server = overrun(1, "10").await;
    let client = client(&server);
    assert_eq!(post(&client).await, StatusCode::TOO_MANY_REQUESTS);
    let get = client.request(Method::GET, "/").unwrap().send(10);
    assert_eq!(timeout(limits().stall, get).await.unwrap().unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn each_repetition_is_told_before_it_is_waited_for() {
    let server = overrun(2, "0").await;
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let client = client(&server).telling(Arc::new(move |error, pause| {
        assert_eq!(error.status(), Some(StatusCode::TOO_MANY_REQUESTS));
        assert!(pause > Duration::ZERO);
        count.fetch_add(1, Ordering::Relaxed);
    }));
    assert_eq!(client.request(Method::GET, "/").unwrap().send(10).await.unwrap().status(), StatusCode::OK);
    assert_eq!((told.load(Ordering::Relaxed), client.requests()), (2, 3));
    assert_eq!(post(&client).await, StatusCode::OK);
    assert_eq!(told.load(Ordering::Relaxed), 2);
}
