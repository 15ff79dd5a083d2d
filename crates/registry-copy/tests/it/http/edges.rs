//! Just on this side of a rule: between two requests, and at the most that is let through.

use std::time::Duration;

use guarded_http::{Credentials, Limits};
use registry_copy::{Manifest, Registry, RegistryError, http::HttpRegistry};
use release::Digest;
use tokio::time::{Instant, timeout};

use super::{
    asked, image, not_found, registry, served,
    server::{Answer, Server, head, reply},
};
use crate::corpus::{IMAGE, INDEX, LAYER, describe, json, repository, tag};

fn methods(server: &Server) -> String {
    asked(server).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn what_somebody_stores_between_two_questions_is_not_archived() {
    let stored = image("stored");
    let digest = stored.digest();
    let start = || {
        let stored = stored.clone();
        Server::start(move |number, _| match number {
            0 => not_found(),
            1 => Answer::Bytes(head("200 OK", &[("Content-Type", IMAGE)], 300)),
            _ => served(&stored),
        })
    };
    let server = start().await;
    assert_eq!(registry(&server).resolve(&repository(), &tag()).await.unwrap(), Some(digest));
    assert_eq!(methods(&server), "GET HEAD GET");
    let server = start().await;
    let manifest = registry(&server).manifest(&repository(), &digest).await.unwrap();
    assert_eq!(manifest.as_ref().map(Manifest::digest), Some(digest));
    assert_eq!(methods(&server), "GET HEAD GET");
}

#[tokio::test]
async fn a_registry_that_is_down_until_the_deadline_has_refused_no_mount() {
    let server = Server::start(|_, _| reply("503 Service Unavailable", &[], b"")).await;
    let second = Duration::from_secs(1);
    let limits = Limits { connect: second, stall: second, deadline: Instant::now() + second };
    let authority = server.address.to_string().parse().unwrap();
    let registry = HttpRegistry::new(&authority, &Credentials::Anonymous, limits).unwrap();
    let from = "other/repository".parse().unwrap();
    let error = registry.mount(&repository(), &from, &describe(LAYER, b"content")).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
}

#[tokio::test]
async fn a_chunk_that_is_longer_than_what_is_kept_at_once_is_kept_alone() {
    let server = Server::start(|_, request| match request.split(' ').next() {
        Some("POST") => reply("202 Accepted", &[("Location", "/session"), ("OCI-Chunk-Min-Length", "34603008")], b""),
        Some("PATCH") => reply("202 Accepted", &[], b""),
        _ => reply("201 Created", &[], b""),
    })
    .await;
    let content = vec![b'a'; (33 << 20) + 1];
    let descriptor = describe(LAYER, &content);
    let bytes = futures_util::stream::iter([Ok(content.into())]);
    let (registry, repository) = (registry(&server), repository());
    let put = registry.put_blob(&repository, &descriptor, Box::pin(bytes));
    timeout(Duration::from_secs(120), put).await.expect("it waits for more than there is").unwrap();
    assert_eq!(methods(&server), "POST PATCH PATCH PUT");
}

#[tokio::test]
async fn a_manifest_has_a_thousand_referrers_and_no_more() {
    let entry = json(&describe(IMAGE, b"entry"));
    for count in [1_000, 1_001] {
        for api in [true, false] {
            let list = format!(r#"{{"manifests":[{}]}}"#, vec![entry.as_str(); count].join(","));
            let server = Server::start(move |_, request| match api || request.contains("/manifests/sha256-") {
                true => reply("200 OK", &[("Content-Type", INDEX)], list.as_bytes()),
                false => reply("404 Not Found", &[], b"404 page not found"),
            })
            .await;
            match registry(&server).referrers(&repository(), &Digest::of(b"subject")).await {
                Ok(found) => assert_eq!((found.len(), count), (1_000, 1_000)),
                Err(error) => {
                    assert!(matches!(error, RegistryError::Protocol { .. }) && count == 1_001, "{count}: {error}");
                }
            }
        }
    }
}
