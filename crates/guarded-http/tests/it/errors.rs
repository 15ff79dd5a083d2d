use std::{error::Error, time::Duration};

use guarded_http::{Call, Client, Credentials, HttpError, Limits, Method, header};
use tokio::{net::TcpListener, time::Instant};

use crate::{
    credentials::origin,
    origin::limits,
    server::{Answer, Server, head, reply},
};

/// All that a log could show of an error.
pub(crate) fn told(error: &HttpError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(" {error} {error:?}"));
        source = error.source();
    }
    text
}

#[tokio::test]
async fn none_shows_a_query_or_a_secret() {
    let server = Server::start(|_, request| {
        let path = request.split(['/', '?']).nth(1).unwrap();
        let mut torn = head("200 OK", &[], 10);
        torn.push(b'x');
        match path {
            "status" => reply("403 Forbidden", &[], b"\x1b[31mno\r\n##[error]\xe2\x80\xae"),
            "redirect" => reply("302 Found", &[("Location", "https://cdn.example/x?canary=1")], b""),
            "broken" => Answer::Bytes(Vec::new()),
            "garbage" => Answer::Bytes(b"SSH-2.0-x\r\n".to_vec()),
            "torn" => Answer::Bytes(torn),
            "encoded" => reply("200 OK", &[("Content-Encoding", "gzip")], b""),
            "large" => reply("200 OK", &[], b"0123456789"),
            _ => Answer::Hang(Vec::new()),
        }
    })
    .await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let soon = Duration::from_millis(150);
    let mut errors = Vec::new();
    for (address, path) in ["status", "redirect", "broken", "garbage", "torn", "encoded", "large", "silent"]
        .map(|path| (server.address, path))
        .into_iter()
        .chain([(gone, "gone")])
    {
        let limits = Limits { connect: soon, stall: soon, deadline: Instant::now() + 2 * soon };
        let credentials = Credentials::Basic { user: "user-canary".into(), password: "canary".into() };
        let client = Client::new(origin(address), &credentials, limits).unwrap();
        let answer = client.request(Method::GET, &format!("/{path}?canary=1")).unwrap().send(5).await;
        let error = answer.and_then(guarded_http::Response::success).unwrap_err();
        assert!(told(&error).contains(&format!("/{path}")), "{path}: {}", told(&error));
        assert!(told(&error).contains(&address.to_string()), "{path}: {}", told(&error));
        errors.push(error);
    }
    for error in &errors {
        assert!(!told(error).contains("canary"), "{}", told(error));
        assert!(!told(error).contains(['\x1b', '\n', '\u{202e}']), "{}", told(error));
    }
    assert!(errors.iter().all(HttpError::was_sent), "the last was perhaps heard before");
    for (address, is_heard) in [(server.address, true), (gone, false)] {
        let limits = Limits { connect: soon, stall: soon, deadline: Instant::now() + 2 * soon };
        let client = Client::new(origin(address), &Credentials::Anonymous, limits).unwrap();
        let error = client.request(Method::POST, "/broken").unwrap().send(5).await.map(|_| ()).unwrap_err();
        assert_eq!(error.was_sent(), is_heard, "{error}");
    }
    assert_eq!(
        errors[0].to_string(),
        format!("GET http://{}/status: 403 Forbidden: \\u{{1b}}[31mno  ##[error]\\u{{202e}}", server.address)
    );
    assert_eq!(
        errors[1].to_string(),
        format!(
            "GET http://{}/redirect: the server redirects to https://cdn.example, which is not followed (302 Found)",
            server.address
        )
    );
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_is_an_error() {
    let client = Client::new("https://h.example".parse().unwrap(), &Credentials::Anonymous, limits()).unwrap();
    let request = client.request(Method::GET, "/").unwrap().header(header::ACCEPT, "a\r\nX: y");
    let foreign = client.request(Method::GET, "https://other.example/").map(|_| ()).unwrap_err();
    assert!(matches!(foreign, HttpError::ForeignOrigin { .. }) && !foreign.was_sent(), "{foreign}");
    let header = request.send(0).await.map(|_| ()).unwrap_err();
    assert!(matches!(header, HttpError::Header { .. }) && !header.was_sent(), "{header}");
    assert_eq!(client.requests(), 0);
}

#[tokio::test]
async fn a_secret_that_the_server_sends_back_is_blanked() {
    let server = Server::start(|number, request| {
        let is_ours = |line: &&str| line.to_ascii_lowercase().starts_with("authorization: ");
        let sent = request.lines().find(is_ours).unwrap().split_once(": ").unwrap().1;
        let text = format!("refused <{sent}> <{}> <open sesame>", sent.split_once(' ').unwrap().1);
        match number % 2 {
            0 => reply("403 Forbidden", &[], text.as_bytes()),
            _ => reply("200 OK", &[("Content-Type", &text)], b"{}"),
        }
    })
    .await;
    let basic = Credentials::Basic { user: "robot".into(), password: "open sesame".into() };
    for credentials in [basic, Credentials::Bearer("open sesame".into())] {
        let client = Client::new(origin(server.address), &credentials, limits()).unwrap();
        let get = || client.request(Method::GET, "/").unwrap().send(10);
        let refused = get().await.unwrap().into_error();
        let no_json = get().await.unwrap().json::<()>().unwrap_err();
        for error in [refused, no_json] {
            let shown = format!("{error} {error:?}");
            assert!(
                shown.contains("<***> <***>") && !shown.contains("sesame") && !shown.contains("cm9ib3Q"),
                "{shown}"
            );
        }
    }
}

#[test]
fn a_call_shows_no_upload_session() {
    for (path, shown) in [
        ("/v2/forge/a/blobs/uploads/0f8c-77", "/v2/forge/a/blobs/uploads/…"),
        ("/v2/forge/a/blobs/uploads/", "/v2/forge/a/blobs/uploads/"),
        ("/v2/forge/uploads/manifests/48213", "/v2/forge/uploads/manifests/48213"),
    ] {
        let call = Call::new(Method::PUT, "https://h.example".parse().unwrap(), path);
        assert_eq!(call.to_string(), format!("PUT https://h.example{shown}"));
    }
    let long = Call::new(Method::GET, "https://h.example".parse().unwrap(), &format!("/{}", "é".repeat(400)));
    assert!(long.to_string().chars().count() < 350 && long.to_string().ends_with("é…"), "{long}");
}
