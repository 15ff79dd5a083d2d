use std::{
    collections::VecDeque,
    error::Error,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::stream;
use guarded_http::{
    Authorize, AuthorizeError, Client, HeaderValue, HttpError, Limits, Method, Refusal, StatusCode, Upload,
};
use tokio::time::Instant;

use crate::{
    credentials::origin,
    origin::limits,
    server::{Answer, Server, kept, reply},
};

/// Gives `Bearer token-0`, then `token-1` and so on: one further after each refusal that it answers with `true`.
#[derive(Debug, Default)]
struct Script {
    answers: Mutex<VecDeque<Result<bool, bool>>>,
    renewed: Mutex<usize>,
    told: Mutex<Vec<String>>,
}

impl Script {
    /// Its answers to refusals: the errors say whether they are retryable. After them it says `true` for ever.
    fn new(answers: &[Result<bool, bool>]) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.iter().copied().collect()), ..Self::default() })
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }
}

#[async_trait]
impl Authorize for Script {
    async fn authorization(&self, scope: &str) -> Result<Option<HeaderValue>, AuthorizeError> {
        if scope == "never" {
            pending::<()>().await;
        }
        Ok(Some(HeaderValue::try_from(format!("Bearer token-{}", self.renewed.lock().unwrap())).unwrap()))
    }

    async fn refused(&self, refusal: &Refusal<'_>) -> Result<bool, AuthorizeError> {
        let Refusal { scope, status, sent, challenges } = refusal;
        let sent = sent.unwrap().to_str().unwrap();
        self.told.lock().unwrap().push(format!("{scope} {} {sent} {challenges:?}", status.as_u16()));
        match self.answers.lock().unwrap().pop_front().unwrap_or(Ok(true)) {
            Ok(renewed) => {
                *self.renewed.lock().unwrap() += usize::from(renewed);
                Ok(renewed)
            }
            Err(retryable) => Err(AuthorizeError { source: "the token server is shut".into(), retryable }),
        }
    }
}

/// What was sent, by the number in its token.
fn tokens(server: &Server) -> Vec<String> {
    let token = |request: &String| {
        let start = request.find("Bearer token-").unwrap() + "Bearer token-".len();
        request[start..].chars().take_while(char::is_ascii_digit).collect()
    };
    server.seen().iter().map(token).collect()
}

fn client(server: &Server, script: &Arc<Script>) -> Client {
    Client::authorized_by(origin(server.address), Arc::<Script>::clone(script), limits()).unwrap()
}

/// A server whose answers have these statuses, each with a long body that comes late; the next is 200.
async fn answering(statuses: &'static [&'static str]) -> Server {
    Server::start(move |number, _| match statuses.get(number) {
        Some(status) => {
            let challenges = [("WWW-Authenticate", "Bearer realm=\"x\""), ("WWW-Authenticate", "Basic realm=\"é\"")];
            let challenges = [challenges[0], challenges[1], ("WWW-Authenticate", "Basic"), ("Retry-After", "0")];
            kept(status, &challenges, &[b'x'; 20_000])
        }
        None => kept("200 OK", &[], b"done"),
    })
    .await
}

#[tokio::test]
async fn a_refused_request_is_sent_once_more_on_the_same_connection() {
    for status in ["401 who", "403 no"] {
        let server = answering(Box::leak(Box::new([status]))).await;
        let script = Script::new(&[]);
        let client = client(&server, &script);
        let request = client.request(Method::POST, "/x").unwrap().scope("pull:a").body("same");
        let answer = request.send(10).await.unwrap();
        assert_eq!((answer.status(), answer.bytes().as_ref()), (StatusCode::OK, b"done".as_slice()));
        let told = format!("pull:a {} Bearer token-0 [\"Bearer realm=\\\"x\\\"\", \"Basic\"]", &status[..3]);
        assert_eq!(script.told(), [told]);
        assert_eq!(tokens(&server), ["0", "1"]);
        assert!(server.seen().iter().all(|request| request.ends_with("same")));
        assert_eq!(server.connections(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_once_for_a_request() {
    let refused = &["401 a", "503 b", "401 c", "401 d"];
    let server = answering(refused).await;
    let script = Script::new(&[]);
    let answer = client(&server, &script).request(Method::GET, "/x").unwrap().send(10).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!((tokens(&server), script.told().len()), (vec!["0".into(), "1".into(), "1".into()], 1));

    let server = answering(refused).await;
    let script = Script::new(&[Ok(false)]);
    let Err(error) = client(&server, &script).request(Method::GET, "/x").unwrap().download().await else { panic!() };
    assert_eq!(error.status(), Some(StatusCode::UNAUTHORIZED));
    assert_eq!((tokens(&server).len(), script.told().len()), (1, 1));
}

#[tokio::test]
async fn no_other_status_is_told() {
    let server = answering(&["404 a", "407 b", "400 c"]).await;
    let script = Script::new(&[]);
    let client = client(&server, &script);
    for status in [404, 407, 400, 200] {
        let answer = client.request(Method::GET, "/").unwrap().send(10).await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
    }
    assert_eq!((script.told().len(), server.connections()), (0, 1));
}

#[tokio::test]
async fn a_body_that_is_gone_is_not_sent_again() {
    let server = answering(&["401 a", "401 b"]).await;
    for (answer, renewed) in [(Ok(true), true), (Ok(false), false)] {
        let script = Script::new(&[answer]);
        let client = client(&server, &script);
        let upload = Upload { length: 2, bytes: Box::pin(stream::iter([Ok("12".into())])) };
        let result = client.request(Method::PUT, "/x").unwrap().upload(upload).idempotent().send(10).await;
        match result {
            Err(HttpError::Renewed { refusal, .. }) => {
                assert!(renewed && refusal.to_string().contains("/x: 401 Unauthorized: x"), "{refusal}");
            }
            other => assert!(!renewed && other.unwrap().status() == StatusCode::UNAUTHORIZED),
        }
        assert_eq!((client.requests(), script.told().len()), (1, 1));
    }
}

#[tokio::test]
async fn that_none_can_be_had_is_an_error_with_its_cause() {
    let server = answering(&["401 a"]).await;
    let script = Script::new(&[Err(false)]);
    let error = client(&server, &script).request(Method::GET, "/x?secret=1").unwrap().send(10).await.unwrap_err();
    assert!(matches!(error, HttpError::Authorize { .. }) && !error.is_retryable(), "{error}");
    let mut chain = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        chain.push(error.to_string());
        cause = error.source();
    }
    let expected = [
        format!("GET http://{}/x", server.address),
        "no credentials can be had".into(),
        "the token server is shut".into(),
    ];
    assert_eq!(chain, expected);

    let server = answering(&["401 a"]).await;
    let script = Script::new(&[Err(true)]);
    let answer = client(&server, &script).request(Method::GET, "/x").unwrap().send(10).await.unwrap();
    assert_eq!((answer.status(), script.told().len()), (StatusCode::OK, 1));
}

#[tokio::test]
async fn credentials_that_never_come_end_with_the_deadline() {
    let server = answering(&[]).await;
    let limits = Limits { deadline: Instant::now() + Duration::from_millis(200), ..limits() };
    let client = Client::authorized_by(origin(server.address), Script::new(&[]), limits).unwrap();
    let error = client.request(Method::POST, "/x").unwrap().scope("never").send(10).await.unwrap_err();
    assert!(matches!(error, HttpError::Deadline { .. }), "{error}");
    assert_eq!(client.requests(), 0);
}

#[tokio::test]
async fn no_token_that_was_sent_is_shown() {
    let server = Server::start(|_, _| reply("401 no", &[], b"<token-0> <token-1> <token-2>")).await;
    let script = Script::new(&[]);
    let error = client(&server, &script).request(Method::GET, "/").unwrap().send(10).await.unwrap().into_error();
    assert!(error.to_string().ends_with("<***> <***> <token-2>"), "{error}");
    assert_eq!(tokens(&server), ["0", "1"]);
}

#[tokio::test]
async fn a_first_answer_without_end_is_not_read_to_its_end() {
    let server = Server::start(|number, _| match number {
        0 => Answer::Endless(b"HTTP/1.1 401 no\r\nContent-Length: 9999999999\r\n\r\n".to_vec(), vec![b'x'; 9_999]),
        1 => Answer::Hang(b"HTTP/1.1 401 no\r\nContent-Length: 9\r\n\r\nx".to_vec()),
        _ => reply("200 OK", &[], b"done"),
    })
    .await;
    let limits = Limits { stall: Duration::from_millis(200), ..limits() };
    let script = Script::new(&[]);
    let client = Client::authorized_by(origin(server.address), Arc::<Script>::clone(&script), limits).unwrap();
    let first = client.request(Method::POST, "/").unwrap().send(10).await.unwrap();
    assert_eq!((first.status(), tokens(&server)), (StatusCode::UNAUTHORIZED, vec!["0".into(), "1".into()]));
    let second = client.request(Method::POST, "/").unwrap().send(10).await.unwrap();
    assert_eq!(second.status(), StatusCode::OK);
}
