//! Blobs on their way to a server.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use guarded_http::{Credentials, Limits};
use registry_copy::{Registry, RegistryError, http::HttpRegistry};
use release::Repository;
use tokio::time::Instant;

use super::{
    asked, blob, not_found, registry, served,
    server::{Answer, Server, head, reply},
};
use crate::{
    behaviour::{copied, run},
    corpus::{Corpus, Tree, repository},
    liars::{Liar, Lie},
};

#[tokio::test]
async fn a_blob_that_is_not_mounted_leaves_no_session() {
    let server = Server::start(|_, request| match request.split(' ').next() {
        Some("POST") => reply("202 Accepted", &[("Location", "/session?s=1")], b""),
        _ => reply("204 No Content", &[], b""),
    })
    .await;
    let from: Repository = "other/repository".parse().unwrap();
    let (descriptor, _) = blob("content");
    assert!(!registry(&server).mount(&repository(), &from, &descriptor).await.unwrap());
    let seen = server.seen();
    let query = format!("POST /v2/{}/blobs/uploads/?mount={}&from={from} HTTP", repository(), descriptor.digest);
    assert!(seen[0].starts_with(&query), "{}", seen[0]);
    assert!(seen[1].starts_with("DELETE /session?s=1 HTTP"), "{}", seen[1]);
}

#[tokio::test]
async fn a_registry_that_refuses_mounts_is_asked_for_one_and_sent_the_blobs() {
    let statuses = ["400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found", "405 Method Not Allowed"];
    for status in statuses {
        let server = Server::start(move |_, request| match request.split(' ').next() {
            Some("POST") if request.contains("&from=other/") => {
                let body = br#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#;
                reply(status, &[("Content-Type", "application/json")], body)
            }
            Some("POST") => reply("202 Accepted", &[("Location", "/session")], b""),
            _ => reply("201 Created", &[], b""),
        })
        .await;
        let registry = registry(&server);
        let from: Repository = "other/repository".parse().unwrap();
        for content in ["one", "two"] {
            let (descriptor, bytes) = blob(content);
            assert!(!registry.mount(&repository(), &from, &descriptor).await.unwrap(), "{status}");
            registry.put_blob(&repository(), &descriptor, bytes).await.unwrap();
        }
        let methods: Vec<_> = asked(&server).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
        assert_eq!(methods.join(" "), "POST POST PUT POST PUT", "{status}");
    }
    let down = Server::start(|number, _| match number {
        0 => reply("503 Service Unavailable", &[], b""),
        _ => reply("201 Created", &[], b""),
    })
    .await;
    let from: Repository = "other/repository".parse().unwrap();
    assert!(registry(&down).mount(&repository(), &from, &blob("content").0).await.unwrap());
}

#[tokio::test]
async fn a_source_that_breaks_off_ends_the_upload() {
    let server = Server::start(|_, request| match request.split(' ').next() {
        Some("POST") => reply("202 Accepted", &[("Location", "/session")], b""),
        _ => reply("201 Created", &[], b""),
    })
    .await;
    let (descriptor, _) = blob("content");
    let broken = futures_util::stream::iter([Ok("cont".into()), Err(RegistryError::BrokenOff)]);
    let error = registry(&server).put_blob(&repository(), &descriptor, Box::pin(broken)).await.unwrap_err();
    assert!(matches!(error, RegistryError::BrokenOff), "{error}");
}

#[tokio::test]
async fn a_blob_that_is_wrongly_claimed_is_uploaded_when_the_manifest_is_refused() {
    let corpus = Corpus::of(&Tree::Image(vec!["layer".into()]));
    let from = crate::corpus::registry();
    corpus.store(&from, &repository()).await;
    let part = corpus.blob_digests()[0];
    let root = from.manifest(&repository(), &corpus.root).await.unwrap().unwrap();
    let (uploaded, tagged) = (AtomicBool::new(false), AtomicBool::new(false));
    let server = Server::start(move |_, request| {
        let (method, path) = request.split_once(' ').unwrap();
        match method {
            "HEAD" if path.contains("/blobs/") => {
                Answer::Bytes(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec())
            }
            "POST" if path.contains("mount=") => reply("201 Created", &[], b""),
            "POST" => reply("202 Accepted", &[("Location", "/upload")], b""),
            "PUT" if path.starts_with("/upload") => {
                uploaded.store(path.contains(&part.to_string()), Ordering::SeqCst);
                reply("201 Created", &[], b"")
            }
            "PUT" if uploaded.load(Ordering::SeqCst) => {
                tagged.store(true, Ordering::SeqCst);
                reply("201 Created", &[], b"")
            }
            "PUT" => {
                let body = format!(r#"{{"errors":[{{"code":"MANIFEST_BLOB_UNKNOWN","detail":"{part}"}}]}}"#);
                reply("400 Bad Request", &[("Content-Type", "application/json")], body.as_bytes())
            }
            _ if tagged.load(Ordering::SeqCst) => served(&root),
            _ => not_found(),
        }
    })
    .await;
    let outcome = run(&from, corpus.root, &registry(&server)).await.unwrap();
    assert_eq!(copied(outcome).blobs.copied, 1);
}

#[tokio::test]
async fn wrong_bytes_are_never_sent_whole_however_they_are_cut() {
    let server = Server::start(|_, request| match request.split(' ').next() {
        Some("POST") => reply("202 Accepted", &[("Location", "/upload")], b""),
        Some("PUT") => reply("201 Created", &[], b""),
        _ => not_found(),
    })
    .await;
    let inner = crate::corpus::registry();
    let corpus = Corpus::of(&Tree::Image(vec!["layer".into()]));
    corpus.store(&inner, &repository()).await;
    let from = Liar { inner, lie: Lie::SendsEmptyChunksAfterWrongOnes };
    let error = run(&from, corpus.root, &registry(&server)).await.unwrap_err();
    assert!(error.is_integrity(), "{error}");
    let uploads: Vec<_> = server.seen().into_iter().filter(|request| request.starts_with("PUT")).collect();
    assert!(uploads.iter().all(|upload| upload.ends_with("\r\n\r\n")), "{uploads:?}");
}

#[tokio::test]
async fn a_registry_may_take_longer_to_store_a_blob_than_to_receive_it() {
    let server = Server::start(|_, request| match request.split(' ').next() {
        Some("POST") => reply("202 Accepted", &[("Location", "/upload")], b""),
        _ => Answer::Late(Duration::from_millis(600), head("201 Created", &[], 0)),
    })
    .await;
    let stall = Duration::from_millis(100);
    let limits = Limits { connect: stall, stall, deadline: Instant::now() + Duration::from_secs(20) };
    let authority = server.address.to_string().parse().unwrap();
    let registry = HttpRegistry::new(&authority, &Credentials::Anonymous, limits).unwrap();
    let (descriptor, bytes) = blob("content");
    registry.put_blob(&repository(), &descriptor, bytes).await.unwrap();
}

#[tokio::test]
async fn a_failed_upload_leaves_no_session_and_keeps_its_error() {
    for status in [Some("503 Service Unavailable"), Some("403 Forbidden"), None] {
        let server = Server::start(move |_, request| match request.split(' ').next() {
            Some("POST") => reply("202 Accepted", &[("Location", "/session?s=1")], b""),
            Some("DELETE") => Answer::Hang(Vec::new()),
            _ => status.map_or(Answer::Bytes(Vec::new()), |status| reply(status, &[], b"")),
        })
        .await;
        let (descriptor, bytes) = blob("content");
        let error = registry(&server).put_blob(&repository(), &descriptor, bytes).await.unwrap_err();
        let RegistryError::Http(error) = &error else { panic!("{error}") };
        assert_eq!(error.status().map(|status| status.to_string()).as_deref(), status, "{error}");
        let methods: Vec<_> = asked(&server).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
        assert_eq!(methods, ["POST", "PUT", "DELETE"]);
    }
}
