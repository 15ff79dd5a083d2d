//! Servers that lie, break, or send the client elsewhere.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use guarded_http::{Credentials, Limits};
use registry_copy::{Descriptor, Manifest, ManifestError, Put, Registry, RegistryError, http::HttpRegistry};
use release::{Digest, Tag};
use tokio::time::Instant;

use crate::corpus::{IMAGE, INDEX, LAYER, describe, json, repository, tag};

#[path = "../../../guarded-http/tests/it/server.rs"]
#[expect(dead_code, reason = "its own crate's tests need more of it")]
pub(crate) mod server;

#[path = "../../../guarded-http/tests/it/section.rs"]
mod section;

mod chunks;
mod edges;
mod manners;
mod origins;
mod referrers;
mod tokens;
mod uploads;

use server::{Answer, Server, head, reply};

const DIGEST: &str = "Docker-Content-Digest";

fn robot() -> Credentials {
    Credentials::Basic { user: "robot".into(), password: "open sesame".into() }
}

fn registry(server: &Server) -> HttpRegistry {
    registry_as(server, &robot())
}

fn registry_as(server: &Server, credentials: &Credentials) -> HttpRegistry {
    // A busy machine takes its time for chunks of many MiB.
    let long = Duration::from_secs(30);
    let limits = Limits { connect: long, stall: long, deadline: Instant::now() + 4 * long };
    HttpRegistry::new(&server.address.to_string().parse().unwrap(), credentials, limits).unwrap()
}

/// An error with all its causes.
pub(crate) fn told(error: &RegistryError) -> String {
    let mut causes = vec![error.to_string()];
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    causes.join(": ")
}

/// An image that needs nothing but its config.
pub(crate) fn image(content: &str) -> Manifest {
    let config = json(&describe("application/vnd.oci.image.config.v1+json", content.as_bytes()));
    let document = format!(r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{config},"layers":[]}}"#);
    Manifest::parse(None, document.into()).unwrap()
}

fn served(manifest: &Manifest) -> Answer {
    reply("200 OK", &[("Content-Type", manifest.media_type())], manifest.bytes())
}

fn not_found() -> Answer {
    reply("404 Not Found", &[("Content-Type", "application/json")], br#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#)
}

fn blob(content: &'static str) -> (Descriptor, registry_copy::Chunks) {
    let chunks = futures_util::stream::iter([Ok(content.into())]);
    (describe(LAYER, content.as_bytes()), Box::pin(chunks))
}

/// The first lines of the requests, up to the query.
fn asked(server: &Server) -> Vec<String> {
    let line = |request: &String| request.split([' ', '?']).take(2).collect::<Vec<_>>().join(" ");
    server.seen().iter().map(line).collect()
}

#[tokio::test]
async fn the_bytes_decide_what_was_read() {
    let (wanted, other) = (image("wanted"), image("other"));
    let claims = [wanted.digest().to_string(), other.digest().to_string(), "sha512:00".to_owned(), String::new()];
    let (body, claimed) = (wanted.clone(), claims.clone());
    let server = Server::start(move |number, _| {
        let headers = [("Content-Type", IMAGE), (DIGEST, claimed[number / 2].as_str())];
        reply("200 OK", &headers, body.bytes())
    })
    .await;
    for claim in &claims {
        let registry = registry(&server);
        let read = registry.manifest(&repository(), &wanted.digest()).await;
        let resolved = registry.resolve(&repository(), &tag()).await;
        if *claim == claims[0] {
            assert_eq!(resolved.unwrap(), Some(wanted.digest()));
            assert_eq!(read.unwrap(), Some(wanted.clone()));
            continue;
        }
        for error in [resolved.unwrap_err(), read.unwrap_err()] {
            let lie = error.is_integrity()
                && matches!(error, RegistryError::DigestMismatch { found, .. } if found == wanted.digest());
            assert!(
                lie || (*claim != claims[1] && matches!(error, RegistryError::Protocol { .. })),
                "{claim}: {error}"
            );
        }
    }
    // Another valid manifest, with no header to give it away.
    let error = registry_of(served(&other)).await.manifest(&repository(), &wanted.digest()).await.unwrap_err();
    assert!(matches!(error, RegistryError::DigestMismatch { found, .. } if found == other.digest()), "{error}");
}

#[tokio::test]
async fn what_a_tag_gave_is_not_got_again_by_its_digest() {
    let (held, other) = (image("held"), image("other"));
    let (body, another) = (held.clone(), other.clone());
    let server = Server::start(move |_, request| {
        let asked = if request.contains(&another.digest().to_string()) { &another } else { &body };
        reply("200 OK", &[("Content-Type", IMAGE)], asked.bytes())
    })
    .await;
    let registry = registry(&server);
    let manifest = async |of: &Manifest| registry.manifest(&repository(), &of.digest()).await.unwrap().unwrap();
    registry.resolve(&repository(), &tag()).await.unwrap();
    assert_eq!(manifest(&held).await, held);
    assert_eq!(server.seen().len(), 1);
    assert_eq!(manifest(&held).await, held);
    assert_eq!(server.seen().len(), 2, "once");
    registry.resolve(&repository(), &tag()).await.unwrap();
    assert_eq!(manifest(&other).await, other);
    assert_eq!(server.seen().len(), 4, "only that one");
}

/// A registry with one answer to everything.
async fn registry_of(answer: Answer) -> HttpRegistry {
    let answer = std::sync::Mutex::new(Some(answer));
    let server = Server::start(move |_, _| answer.lock().unwrap().take().unwrap_or_else(not_found)).await;
    registry(&server)
}

#[tokio::test]
async fn a_manifest_is_served_as_what_it_is() {
    let manifest = image("x");
    let as_index = reply("200 OK", &[("Content-Type", INDEX)], manifest.bytes());
    let error = registry_of(as_index).await.manifest(&repository(), &manifest.digest()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Manifest(ManifestError::TwoTypes { .. })), "{error}");
}

#[tokio::test]
async fn a_manifest_of_50_mib_is_refused_before_it_is_read() {
    let server = Server::start(|number, _| {
        let chunked = format!("HTTP/1.1 200 OK\r\nContent-Type: {IMAGE}\r\nTransfer-Encoding: chunked\r\n\r\n");
        match number % 2 {
            0 => Answer::Hang(head("200 OK", &[("Content-Type", IMAGE)], 50 << 20)),
            _ => Answer::Endless(chunked.into_bytes(), [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat()),
        }
    })
    .await;
    let registry = registry(&server);
    for _ in 0..2 {
        let errors = [
            registry.resolve(&repository(), &tag()).await.unwrap_err(),
            registry.manifest(&repository(), &Digest::of(b"")).await.unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, RegistryError::Manifest(ManifestError::TooLarge)), "{error}");
        }
    }
}

#[tokio::test]
async fn an_endless_error_is_cut() {
    let endless = Answer::Endless(head("403 Forbidden", &[], 1 << 30), vec![b'x'; 1 << 16]);
    let error = registry_of(endless).await.resolve(&repository(), &tag()).await.unwrap_err();
    assert!(error.to_string().len() < 500 && error.to_string().contains("403 Forbidden: xxx"), "{error}");
    assert!(!error.is_retryable());
}

/// What a put under a tag sees: what the tag held before, the answer to PUT, and what the tag holds then.
async fn put(
    before: Option<&Manifest>,
    answer: fn() -> Answer,
    after: Option<&Manifest>,
) -> (Result<Put, RegistryError>, Vec<String>) {
    let holds = [before.cloned(), after.cloned()];
    let put_before = AtomicBool::new(false);
    let server = Server::start(move |_, request| {
        let was_put = put_before.load(Ordering::SeqCst);
        if request.starts_with("PUT ") {
            put_before.store(true, Ordering::SeqCst);
            return if was_put { reply("201 Created", &[], b"") } else { answer() };
        }
        holds[usize::from(was_put)].as_ref().map_or_else(not_found, served)
    })
    .await;
    let outcome = registry(&server).put(&repository(), &image("ours"), Some(&tag())).await;
    let methods = asked(&server).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    (outcome, methods)
}

#[tokio::test]
async fn the_tag_decides_what_became_of_a_put() {
    let (ours, theirs) = (image("ours"), image("theirs"));
    let created = || reply("201 Created", &[], b"");
    let lost = || Answer::Bytes(Vec::new());
    let half = || Answer::Bytes(head("201 Created", &[], 10));
    let broken = || reply("500 Internal Server Error", &[], b"");
    let refused = || reply("400 Bad Request", &[], b"ImageAlreadyExists");
    let redirected = || reply("307 Temporary Redirect", &[("Location", "http://127.0.0.1:1/")], b"");

    let (outcome, asked) = put(Some(&ours), created, None).await;
    assert_eq!((outcome.unwrap(), asked.join(" ").as_str()), (Put::Stored, "GET"));
    let (outcome, asked) = put(Some(&theirs), created, None).await;
    assert_eq!((outcome.unwrap(), asked.join(" ").as_str()), (Put::Held(theirs.digest()), "GET"));
    let (outcome, asked) = put(None, created, None).await;
    assert_eq!((outcome.unwrap(), asked.join(" ").as_str()), (Put::Stored, "GET HEAD PUT"));

    for fault in [lost, half, broken, refused, redirected] {
        let (outcome, asked) = put(None, fault, Some(&ours)).await;
        assert_eq!((outcome.unwrap(), asked.join(" ").as_str()), (Put::Stored, "GET HEAD PUT GET"));
        let (outcome, asked) = put(None, fault, Some(&theirs)).await;
        assert_eq!((outcome.unwrap(), asked.join(" ").as_str()), (Put::Held(theirs.digest()), "GET HEAD PUT GET"));
    }
    for temporary in [lost, half, broken] {
        let (outcome, asked) = put(None, temporary, None).await;
        assert_eq!((outcome.unwrap(), asked.join(" ").as_str()), (Put::Stored, "GET HEAD PUT GET PUT"));
    }
    for (final_answer, asked_for) in [(refused as fn() -> Answer, "GET HEAD PUT GET"), (redirected, "GET HEAD PUT GET")]
    {
        let (outcome, asked) = put(None, final_answer, None).await;
        let error = outcome.unwrap_err();
        assert!(!error.is_retryable(), "{error}");
        assert_eq!(asked.join(" "), asked_for);
    }
}

#[tokio::test]
async fn a_registry_that_stored_other_bytes_is_caught() {
    let answer = || reply("201 Created", &[(DIGEST, &Digest::of(b"other").to_string())], b"");
    let (outcome, _) = put(None, answer, Some(&image("ours"))).await;
    assert!(outcome.as_ref().is_err_and(RegistryError::is_integrity), "{outcome:?}");

    let server = Server::start(move |_, request| match request.split(' ').next() {
        Some("POST") => reply("202 Accepted", &[("Location", "/upload")], b""),
        _ => answer(),
    })
    .await;
    let registry = registry(&server);
    let by_digest = registry.put(&repository(), &image("ours"), None).await;
    assert!(by_digest.as_ref().is_err_and(RegistryError::is_integrity), "{by_digest:?}");
    let (descriptor, bytes) = blob("content");
    let stored = registry.put_blob(&repository(), &descriptor, bytes).await;
    assert!(stored.as_ref().is_err_and(RegistryError::is_integrity), "{stored:?}");
}

#[tokio::test]
async fn a_blob_has_the_size_that_is_said_of_it() {
    let server = Server::start(|_, request| {
        let length = if request.contains(&Digest::of(b"there").to_string()) { 5 } else { 6 };
        Answer::Bytes(head("200 OK", &[], length))
    })
    .await;
    let there = describe(LAYER, b"there");
    let other = describe(LAYER, b"other");
    assert_eq!(registry(&server).missing(&repository(), std::slice::from_ref(&there)).await.unwrap(), []);
    let error = registry(&server).missing(&repository(), &[there, other]).await.unwrap_err();
    assert!(matches!(error, RegistryError::SizeMismatch { expected: 5, found: 6, .. }), "{error}");
}

#[tokio::test]
async fn what_a_registry_refuses_is_said_plainly() {
    let json = [("Content-Type", "application/json")];
    let unknown = reply("404 Not Found", &json, br#"{"errors":[{"code":"NAME_UNKNOWN","detail":{"name":"x"}}]}"#);
    let (descriptor, bytes) = blob("content");
    let error = registry_of(unknown).await.put_blob(&repository(), &descriptor, bytes).await.unwrap_err();
    assert!(matches!(&error, RegistryError::NoRepository { repository: found } if *found == repository()), "{error}");

    let negotiate = [("WWW-Authenticate", "Negotiate")];
    let error =
        registry_of(reply("401 Unauthorized", &negotiate, b"")).await.resolve(&repository(), &tag()).await.unwrap_err();
    assert!(
        matches!(&error, RegistryError::Unauthorized { scheme: Some(scheme), .. } if scheme == "Negotiate"),
        "{error}"
    );
    assert!(error.to_string().contains("does not accept the credentials"), "{error}");

    let part = Digest::of(b"part");
    for detail in [format!("\"{part}\""), format!("{{\"digest\":\"{part}\"}}")] {
        let body = format!(r#"{{"errors":[{{"code":"MANIFEST_BLOB_UNKNOWN","detail":{detail}}}]}}"#);
        let refused = reply("400 Bad Request", &json, body.as_bytes());
        let error = registry_of(refused).await.put(&repository(), &image("x"), None).await.unwrap_err();
        assert!(matches!(error, RegistryError::PartMissing { part: found, .. } if found == part), "{error}");
    }
}

#[tokio::test]
async fn a_tag_that_nobody_holds_is_an_answer() {
    let other: Tag = "48214".parse().unwrap();
    assert_eq!(registry_of(not_found()).await.resolve(&repository(), &other).await.unwrap(), None);
}

#[tokio::test]
async fn only_a_registry_can_say_that_a_tag_is_free() {
    let json = "application/json; charset=utf-8";
    let others: [fn() -> Answer; 5] = [
        || reply("404 Not Found", &[("Content-Type", "text/html")], b"<html>no backend</html>"),
        || reply("404 Not Found", &[], b""),
        || reply("404 Not Found", &[("Content-Type", "text/plain")], b"404 page not found"),
        || reply("404 Not Found", &[("Content-Type", "application/json")], br#"{"message":"no route"}"#),
        || reply("404 Not Found", &[("Content-Type", "application/json")], br#"{"errors":[{"code":"UNSUPPORTED"}]}"#),
    ];
    for other in others {
        // It lets all but the first request through.
        let server = Server::start(move |number, request| match number {
            0 => other(),
            _ if request.starts_with("PUT") => reply("201 Created", &[], b""),
            _ => served(&image("theirs")),
        })
        .await;
        let registry = registry(&server);
        let put = registry.put(&repository(), &image("ours"), Some(&tag())).await;
        assert!(matches!(put, Err(RegistryError::Protocol { .. })), "{put:?}");
        assert_eq!(server.seen().len(), 1);
        let held = registry.put(&repository(), &image("ours"), Some(&tag())).await.unwrap();
        assert_eq!(held, Put::Held(image("theirs").digest()));
    }
    for code in ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"] {
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"m","detail":{{"Tag":"48213"}}}}]}}"#);
        let answer = reply("404 Not Found", &[("Content-Type", json)], body.as_bytes());
        assert_eq!(registry_of(answer).await.resolve(&repository(), &tag()).await.unwrap(), None);
    }
}
