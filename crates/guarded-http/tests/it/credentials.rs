use std::net::SocketAddr;

use guarded_http::{Client, Credentials, HttpError, InvalidCredentials, Method, Origin, header};
use secrecy::SecretString;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

use crate::{
    origin::limits,
    server::{Server, reply},
};

pub(crate) fn origin(address: SocketAddr) -> Origin {
    format!("http://{address}").parse().unwrap()
}

fn basic() -> Credentials {
    Credentials::Basic { user: "robot".into(), password: SecretString::from("open sesame") }
}

#[tokio::test]
async fn its_own_origin_receives_them() {
    let server = MockServer::start().await;
    let agent = concat!("conveyor/", env!("CARGO_PKG_VERSION"));
    for (credentials, header) in [
        (basic(), "Basic cm9ib3Q6b3BlbiBzZXNhbWU="),
        (Credentials::Bearer(SecretString::from("t0ken")), "Bearer t0ken"),
    ] {
        let expected = Mock::given(matchers::path("/v2/"))
            .and(matchers::header("authorization", header))
            .and(matchers::header("user-agent", agent))
            .and(matchers::header("accept-encoding", "identity"))
            .respond_with(ResponseTemplate::new(200))
            .expect(1);
        let _guard = server.register_as_scoped(expected).await;
        let client = Client::new(server.uri().parse().unwrap(), &credentials, limits()).unwrap();
        let answer = client.request(Method::GET, "/v2/?n=1").unwrap().send(0).await.unwrap();
        assert!(answer.success().is_ok());
        assert_eq!(client.requests(), 1);
    }
}

#[tokio::test]
async fn no_other_origin_receives_a_byte() {
    let other = Server::start(|_, _| reply("200 OK", &[], b"")).await;
    let port = other.address.port();
    let own = Server::start(move |_, request| {
        let to = request.split(' ').nth(1).unwrap().trim_start_matches('/').to_owned();
        let status = format!("{} Found", &to[..3]);
        reply(&status, &[("Location", &format!("http://127.0.0.1:{port}/stolen?secret=1"))], b"")
    })
    .await;
    let client = Client::new(origin(own.address), &basic(), limits()).unwrap();
    for status in ["301", "302", "303", "307", "308", "300", "399"] {
        for method in [Method::GET, Method::POST, Method::PUT] {
            let request = client.request(method, &format!("/{status}?query=1")).unwrap().idempotent();
            let error = request.send(0).await.unwrap_err();
            let HttpError::Redirect { to, .. } = &error else { panic!("{error}") };
            assert_eq!(to.as_ref(), Some(&origin(other.address)));
            assert!(!error.to_string().contains("secret") && !error.to_string().contains("query"), "{error}");
            assert!(!error.is_retryable());
        }
    }
    let own_port = own.address.port();
    let elsewhere = [
        format!("http://127.0.0.1:{port}/x"),
        format!("//127.0.0.1:{port}/x"),
        format!("http://localhost:{own_port}/x"),
        format!("https://127.0.0.1:{own_port}/x"),
        format!("http://127.0.0.2:{own_port}/x"),
        format!("http://127.0.0.1:{own_port}@127.0.0.1:{port}/x"),
        format!("/\\127.0.0.1:{port}/x"),
        format!("\\\\127.0.0.1:{port}/x"),
        format!("/\t/127.0.0.1:{port}/x"),
        format!("http:\\\\127.0.0.1:{port}/x"),
        format!("http://u:p@127.0.0.1:{own_port}/x"),
        format!("http://u@127.0.0.1:{own_port}/x"),
        "file:///etc/passwd".to_owned(),
        "/x#fragment".to_owned(),
        "/x\r\nX: y".to_owned(),
        String::new(),
    ];
    for reference in &elsewhere {
        let error = client.request(Method::GET, reference).unwrap_err();
        assert!(matches!(error, HttpError::ForeignOrigin { .. } | HttpError::Reference { .. }), "{reference}: {error}");
        assert!(!error.to_string().contains("u:p"), "{error}");
    }
    assert_eq!(other.seen(), Vec::<String>::new());
    assert_eq!(own.seen().len(), 21);
}

#[tokio::test]
async fn what_an_answer_refers_to_is_relative_to_its_request() {
    let server = Server::start(|_, _| reply("202 Accepted", &[("Location", "../next?state=a%2Bb&n=1")], b"")).await;
    let client = Client::new(origin(server.address), &Credentials::Anonymous, limits()).unwrap();
    let answer = client.request(Method::POST, "/v2/a/uploads/7?x=y").unwrap().send(0).await.unwrap();
    let next = answer.resolve(answer.header(&header::LOCATION).unwrap()).unwrap();
    assert_eq!(next.as_str(), format!("http://{}/v2/a/next?state=a%2Bb&n=1", server.address));
    assert!(client.request(Method::PUT, next.as_str()).is_ok());
    assert!(matches!(answer.resolve("//elsewhere.example/"), Err(HttpError::ForeignOrigin { .. })));
}

#[test]
fn only_its_own_origin_may_have_them() {
    let own: Origin = "https://registry.example".parse().unwrap();
    let client = Client::new(own.clone(), &basic(), limits()).unwrap();
    assert!(client.may_send_credentials(&own));
    for other in [
        "http://registry.example",
        "https://registry.example:444",
        "https://registry.example.",
        "https://registry.example.evil.example",
        "https://evil.example",
        "https://www.registry.example",
        "http://registry.example:443",
        "https://127.0.0.1",
    ] {
        let other = Origin::of(&url::Url::parse(other).unwrap()).unwrap();
        assert!(!client.may_send_credentials(&other), "{other}");
    }
}

#[test]
fn they_are_never_shown_and_refused_where_they_cannot_be_sent() {
    let client = Client::new("https://h.example".parse().unwrap(), &basic(), limits()).unwrap();
    let shown = format!("{client:?} {:?} {:?}", basic(), Credentials::Bearer("t0ken".into()));
    for secret in ["open sesame", "robot", "cm9ib3Q6", "t0ken"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert_eq!(Credentials::Anonymous.header(), Ok(None));
    let header = basic().header().unwrap().unwrap();
    assert_eq!((header.to_str().unwrap(), header.is_sensitive()), ("Basic cm9ib3Q6b3BlbiBzZXNhbWU=", true));
    let unfit =
        [Credentials::Bearer("two\nlines".into()), Credentials::Basic { user: "a:b".into(), password: "c".into() }];
    for credentials in unfit {
        assert_eq!(credentials.header(), Err(InvalidCredentials));
        let error = Client::new("https://h.example".parse().unwrap(), &credentials, limits()).unwrap_err();
        assert!(matches!(error, HttpError::Credentials { .. }), "{error}");
    }
}
