//! Registries that want tokens.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use guarded_http::{Credentials, HttpError};
use registry_copy::{CopyError, Registry, RegistryError};
use release::Digest;

use super::{
    blob, not_found, registry, registry_as, robot,
    server::{Answer, Server, head, reply},
    told,
};
use crate::{
    behaviour::run,
    corpus::{Corpus, LAYER, Tree, describe, repository, tag},
};

/// `robot` and his password, as they are sent.
const BASIC: &str = "Basic cm9ib3Q6b3BlbiBzZXNhbWU=";

/// A registry that gives tokens itself, at `/token`, and wants them everywhere else.
struct Forge {
    server: Server,
    accepted: Arc<Mutex<Vec<String>>>,
}

impl Forge {
    /// Refuses other tokens than its own with this status.
    async fn start(refusal: &'static str, expires_in: u32) -> Self {
        let accepted = Arc::new(Mutex::new(Vec::new()));
        let (valid, given) = (Arc::clone(&accepted), AtomicUsize::new(0));
        let server = Server::start(move |_, request| {
            if request.contains(" /token") {
                let token = format!("token-{}", given.fetch_add(1, Ordering::SeqCst));
                valid.lock().unwrap().push(format!("Bearer {token}"));
                return json(&format!(r#"{{"token":"{token}","expires_in":{expires_in}}}"#));
            }
            match header(request, "authorization") {
                Some(token) if valid.lock().unwrap().contains(&token) => match request.split(' ').next() {
                    Some("POST") => reply("202 Accepted", &[("Location", "/v2/session")], b""),
                    Some("PUT" | "DELETE") => reply("201 Created", &[], b""),
                    _ => not_found(),
                },
                Some(basic) if !basic.starts_with("Basic ") => challenged(request, refusal),
                _ => challenged(request, "401 Unauthorized"),
            }
        })
        .await;
        Self { server, accepted }
    }

    fn revoke(&self) {
        self.accepted.lock().unwrap().clear();
    }

    /// Method, path with query, and what was shown of each request.
    fn asked(&self) -> Vec<String> {
        let line = |request: &String| {
            let line = request.split(' ').take(2).collect::<Vec<_>>().join(" ");
            let line = line.replace(&format!("/v2/{}", repository()), "");
            format!("{line} {}", header(request, "authorization").unwrap_or_else(|| "nothing".to_owned()))
        };
        self.server.seen().iter().map(line).collect()
    }
}

fn challenged(request: &str, status: &str) -> Answer {
    let realm = format!("http://{}/token", header(request, "host").unwrap());
    let scope = format!("repository:{}:pull", repository());
    reply(
        status,
        &[("WWW-Authenticate", &format!("Bearer realm=\"{realm}\",service=\"a forge\",scope=\"{scope}\""))],
        b"",
    )
}

fn json(body: &str) -> Answer {
    reply("200 OK", &[("Content-Type", "application/json")], body.as_bytes())
}

fn header(request: &str, name: &str) -> Option<String> {
    let lines = request.lines().skip(1).take_while(|line| !line.is_empty());
    let mut values = lines.filter_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)));
    values.next().map(|(_, value)| value.to_owned())
}

fn scope(actions: &str) -> String {
    format!("scope=repository%3Aforge%2Fpayments-api%3A{actions}")
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_shown_from_then_on() {
    for (credentials, shown) in [(Credentials::Anonymous, "nothing"), (robot(), BASIC)] {
        let forge = Forge::start("401 Unauthorized", 300).await;
        let registry = registry_as(&forge.server, &credentials);
        for _ in 0..2 {
            assert_eq!(registry.resolve(&repository(), &tag()).await.unwrap(), None);
        }
        let (descriptor, bytes) = blob("content");
        registry.put_blob(&repository(), &descriptor, bytes).await.unwrap();
        let from = "other/repository".parse().unwrap();
        assert!(!registry.mount(&repository(), &from, &descriptor).await.unwrap());
        let (pull, push) = (scope("pull"), scope("pull%2Cpush"));
        let other = "scope=repository%3Aother%2Frepository%3Apull";
        let digest = &descriptor.digest;
        assert_eq!(
            forge.asked(),
            [
                format!("GET /manifests/48213 {shown}"),
                format!("GET /token?service=a+forge&{pull} {shown}"),
                "GET /manifests/48213 Bearer token-0".to_owned(),
                "HEAD /manifests/48213 Bearer token-0".to_owned(),
                "GET /manifests/48213 Bearer token-0".to_owned(),
                format!("GET /token?service=a+forge&{push} {shown}"),
                format!("POST /blobs/uploads/?mount={digest}&from=forge/payments-api Bearer token-1"),
                format!("PUT /v2/session?digest={digest} Bearer token-1"),
                format!("GET /token?service=a+forge&{push}&{other} {shown}"),
                format!("POST /blobs/uploads/?mount={digest}&from=other/repository Bearer token-2"),
                "DELETE /v2/session Bearer token-1".to_owned(),
            ]
        );
        assert!(!format!("{registry:?}").contains("token-"), "{registry:?}");
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once() {
    for refusal in ["401 Unauthorized", "403 Forbidden"] {
        let forge = Forge::start(refusal, 300).await;
        let registry = registry(&forge.server);
        registry.resolve(&repository(), &tag()).await.unwrap();
        forge.revoke();
        registry.resolve(&repository(), &tag()).await.unwrap();
        let pull = scope("pull");
        let renewed = [
            "GET /manifests/48213 Bearer token-0".to_owned(),
            format!("GET /token?service=a+forge&{pull} {BASIC}"),
            "GET /manifests/48213 Bearer token-1".to_owned(),
        ];
        assert_eq!(forge.asked()[4..], renewed);
    }
    // Whatever token it gives, it wants another one.
    let server = Server::start(|_, request| match request.contains(" /token") {
        true => json(r#"{"token":"useless"}"#),
        false => challenged(request, "401 Unauthorized"),
    })
    .await;
    let error = registry(&server).resolve(&repository(), &tag()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unauthorized { .. }) && error.is_denied(), "{error}");
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn sixty_requests_need_one_token() {
    let forge = Forge::start("401 Unauthorized", 300).await;
    let registry = registry(&forge.server);
    let tokens = || forge.asked().iter().filter(|line| line.starts_with("GET /token")).count();
    let (name, tag) = (repository(), tag());
    let sixty = || join_all((0..60).map(|_| registry.resolve(&name, &tag)));
    assert!(sixty().await.iter().all(Result::is_ok));
    assert_eq!(tokens(), 1, "the first token");
    forge.revoke();
    assert!(sixty().await.iter().all(Result::is_ok));
    assert_eq!(tokens(), 2, "the token after a refusal");
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let forge = Forge::start("401 Unauthorized", 1).await;
    let registry = registry(&forge.server);
    registry.resolve(&repository(), &tag()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(900)).await;
    registry.resolve(&repository(), &tag()).await.unwrap();
    let pull = scope("pull");
    let renewed =
        [format!("GET /token?service=a+forge&{pull} {BASIC}"), "GET /manifests/48213 Bearer token-1".to_owned()];
    assert_eq!(forge.asked()[4..], renewed);
}

#[tokio::test]
async fn a_token_that_ends_in_mid_upload_means_another_upload() {
    let forge = Forge::start("401 Unauthorized", 300).await;
    let registry = registry(&forge.server);
    let (descriptor, bytes) = blob("content");
    registry.put_blob(&repository(), &descriptor, bytes).await.unwrap();
    let other = describe(LAYER, b"other!!");
    let accepted = Arc::clone(&forge.accepted);
    let bytes = futures_util::stream::once(async move {
        accepted.lock().unwrap().clear();
        Ok("other!!".into())
    });
    let error = registry.put_blob(&repository(), &other, Box::pin(bytes)).await.unwrap_err();
    assert!(matches!(error, RegistryError::Http(HttpError::Renewed { .. })) && error.is_retryable(), "{error}");
    let (_, bytes) = blob("other!!");
    registry.put_blob(&repository(), &other, bytes).await.unwrap();
}

#[tokio::test]
async fn an_upload_that_new_credentials_do_not_admit_is_denied() {
    for status in ["403 Forbidden", "401 Unauthorized"] {
        let given = AtomicUsize::new(0);
        let server = Server::start(move |_, request| {
            let presented = header(request, "authorization").unwrap_or_default();
            match request.split(' ').next() {
                _ if request.contains(" /token") => {
                    json(&format!(r#"{{"token":"token-{}"}}"#, given.fetch_add(1, Ordering::SeqCst)))
                }
                _ if !presented.starts_with("Bearer ") => challenged(request, "401 Unauthorized"),
                Some("POST") => reply("202 Accepted", &[("Location", "/v2/session")], b""),
                Some("PUT") => challenged(request, status),
                _ => not_found(),
            }
        })
        .await;
        let from = crate::corpus::registry();
        let corpus = Corpus::of(&Tree::Image(Vec::new()));
        corpus.store(&from, &repository()).await;
        let error = run(&from, corpus.root, &registry(&server)).await.unwrap_err();
        let CopyError::Destination(error) = error else { panic!("{error:?}") };
        assert!(error.is_denied() && !error.is_retryable() && error.to_string().contains(status), "{error:?}");
        let count = |start: &str| server.seen().iter().filter(|request| request.starts_with(start)).count();
        // A token to read, one to write, and one after each refusal.
        assert_eq!((count("PUT "), count("GET /token")), (2, 4), "{status}");
    }
}

#[tokio::test]
async fn a_refresh_token_stands_for_the_password() {
    let forge = Forge::start("401 Unauthorized", 300).await;
    let registry = registry_as(&forge.server, &Credentials::Anonymous).with_identity_token("refresh & me".into());
    registry.resolve(&repository(), &tag()).await.unwrap();
    assert_eq!(forge.asked()[1..3], ["POST /token nothing", "GET /manifests/48213 Bearer token-0"]);
    let (_, form) = forge.server.seen()[1].split_once("\r\n\r\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let service = "&service=a+forge";
    let identity = "grant_type=refresh_token&client_id=conveyor&refresh_token=refresh+%26+me";
    assert_eq!(form, format!("{identity}&{}{service}", scope("pull")));

    // A server that sends back what it got.
    let server = Server::start(|_, request| match request.contains(" /token") {
        true => reply("401 Unauthorized", &[("Content-Type", "text/plain")], request.as_bytes()),
        false => challenged(request, "401 Unauthorized"),
    })
    .await;
    let registry = registry_as(&server, &Credentials::Anonymous).with_identity_token("refresh-me".into());
    let error = registry.resolve(&repository(), &tag()).await.unwrap_err();
    assert!(error.is_denied() && !told(&error).contains("refresh-me"), "{}", told(&error));
}

#[tokio::test]
async fn a_password_that_is_wrong_is_sent_once() {
    let server = Server::start(|_, request| match request.contains(" /token") {
        true => reply("401 Unauthorized", &[], request.as_bytes()),
        false => challenged(request, "401 Unauthorized"),
    })
    .await;
    let registry = registry(&server);
    let (name, tag) = (repository(), tag());
    let answers = join_all((0..60).map(|_| registry.resolve(&name, &tag))).await;
    for error in answers.into_iter().map(Result::unwrap_err) {
        assert!(error.is_denied() && !error.is_retryable(), "{error}");
        assert!(told(&error).contains("does not accept the credentials"), "{}", told(&error));
        assert!(!told(&error).contains("cm9ib3Q"), "{}", told(&error));
    }
    let asked = server.seen().iter().filter(|request| request.contains(" /token")).count();
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_token_server_that_is_down_for_a_moment_is_asked_again() {
    let times = AtomicUsize::new(0);
    let server = Server::start(move |_, request| {
        if !request.contains(" /token") {
            return match header(request, "authorization").as_deref() {
                Some("Bearer t") => not_found(),
                _ => challenged(request, "401 Unauthorized"),
            };
        }
        match times.fetch_add(1, Ordering::SeqCst) {
            0 => reply("503 Service Unavailable", &[], b"<html>"),
            1 => Answer::Bytes(Vec::new()),
            _ => json(r#"{"access_token":"t"}"#),
        }
    })
    .await;
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&said);
    let registry = registry(&server).telling(Arc::new(move |error, _| heard.lock().unwrap().push(error.to_string())));
    registry.resolve(&repository(), &tag()).await.unwrap();
    let said = said.lock().unwrap().join("; ");
    assert!(said.contains("/token: 503") && said.contains("/token: the connection broke"), "{said}");
}

#[tokio::test]
async fn what_is_no_token_is_not_shown_to_the_registry() {
    let large = |length: usize| json(&format!(r#"{{"token":"{}"}}"#, "x".repeat(length)));
    type Give = Box<dyn Fn() -> Answer + Send + Sync>;
    let answers: [(&str, Give); 9] = [
        ("HTML", Box::new(|| reply("200 OK", &[("Content-Type", "text/html")], b"{\"token\":\"x\"}"))),
        ("nothing", Box::new(|| json(""))),
        ("no token", Box::new(|| json("{}"))),
        ("a number", Box::new(|| json(r#"{"token":7}"#))),
        ("two tokens", Box::new(|| json(r#"{"token":"a","token":"b"}"#))),
        ("a line break", Box::new(|| json(r#"{"token":"a\r\nX-Evil: 1"}"#))),
        ("100 KB", Box::new(move || large(100_000))),
        ("2 MiB", Box::new(|| Answer::Hang(head("200 OK", &[("Content-Type", "application/json")], 2 << 20)))),
        ("not found", Box::new(|| reply("404 Not Found", &[], b""))),
    ];
    for (name, answer) in answers {
        let server = Server::start(move |_, request| match request.contains(" /token") {
            true => answer(),
            false => challenged(request, "401 Unauthorized"),
        })
        .await;
        let error = registry(&server).resolve(&repository(), &tag()).await.unwrap_err();
        let authorize = matches!(error, RegistryError::Http(HttpError::Authorize { .. }));
        assert!(authorize && !error.is_retryable(), "{name}: {error}");
        assert_eq!(server.seen().len(), 2, "{name}");
    }
}

#[tokio::test]
async fn a_registry_may_want_more_than_a_request_says() {
    let server = Server::start(|_, request| match header(request, "authorization").as_deref() {
        _ if request.contains(" /token") => json(r#"{"token":"t"}"#),
        Some("Bearer t") => not_found(),
        _ => {
            let realm = format!("http://{}/token?a=b", header(request, "host").unwrap());
            let scope = "repository:behind/it:pull repository:forge/payments-api:pull";
            reply(
                "401 Unauthorized",
                &[("WWW-Authenticate", &format!("Bearer realm=\"{realm}\",scope=\"{scope}\""))],
                b"",
            )
        }
    })
    .await;
    registry(&server).resolve(&repository(), &tag()).await.unwrap();
    let line = server.seen()[1].lines().next().unwrap().to_owned();
    assert_eq!(line, format!("GET /token?a=b&{}&scope=repository%3Abehind%2Fit%3Apull HTTP/1.1", scope("pull")));
}

#[tokio::test]
async fn a_fixed_token_is_never_changed_for_another() {
    let forge = Forge::start("401 Unauthorized", 300).await;
    let registry = registry_as(&forge.server, &Credentials::Bearer("mine".into()));
    let error = registry.manifest(&repository(), &Digest::of(b"")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unauthorized { .. }), "{error}");
    assert_eq!(forge.server.seen().len(), 1);
}
