//! Habits of registries that the specification leaves open, or that are not kept.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::StreamExt;
use registry_copy::{Chunks, Manifest, Put, Registry, RegistryError};
use release::Digest;

use super::{
    asked, blob, image, not_found, registry, registry_of, served,
    server::{Answer, Server, reply},
};
use crate::corpus::{IMAGE, LAYER, describe, json, repository, tag};

const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];

fn refusal(status: &str, code: &str, detail: &str) -> Answer {
    reply(status, &JSON, format!(r#"{{"errors":[{{"code":"{code}","detail":{detail}}}]}}"#).as_bytes())
}

/// A stream that nobody may read.
fn untouched() -> Chunks {
    Box::pin(futures_util::stream::once(async { panic!("somebody asks for the bytes") }))
}

fn methods(server: &Server) -> String {
    asked(server).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
}

fn offer(blob: Digest) -> String {
    format!("POST /v2/{0}/blobs/uploads/?mount={blob}&from={0} HTTP", repository())
}

#[tokio::test]
async fn a_blob_that_the_registry_has_costs_one_request_and_is_believed_once() {
    let server = Server::start(|_, request| match request.split(' ').next() {
        Some("POST") if request.contains("mount=") => reply("201 Created", &[("Location", "/x")], b""),
        Some("POST") => reply("202 Accepted", &[("Location", "/session")], b""),
        _ => reply("201 Created", &[], b""),
    })
    .await;
    let registry = registry(&server);
    let (descriptor, bytes) = blob("content");
    registry.put_blob(&repository(), &descriptor, untouched()).await.unwrap();
    assert_eq!(server.seen().len(), 1);
    assert!(server.seen()[0].starts_with(&offer(descriptor.digest)), "{}", server.seen()[0]);
    // Who stores it again does not believe it.
    registry.put_blob(&repository(), &descriptor, bytes).await.unwrap();
    let (_, bytes) = blob("content");
    registry.put_blob(&repository(), &descriptor, bytes).await.unwrap();
    assert_eq!(methods(&server), "POST POST PUT POST PUT");
    assert!(server.seen()[1..].iter().all(|request| !request.contains("mount=")));
    assert!(server.seen()[2].ends_with("\r\n\r\ncontent"));
    // Another repository is another matter.
    registry.put_blob(&"other/one".parse().unwrap(), &descriptor, untouched()).await.unwrap();
    assert_eq!(server.seen().len(), 6);
}

#[tokio::test]
async fn a_registry_that_takes_no_offers_is_not_offered_again() {
    for status in ["400 Bad Request", "404 Not Found", "405 Method Not Allowed", "501 Not Implemented"] {
        let server = Server::start(move |_, request| match request.split(' ').next() {
            Some("POST") if request.contains("mount=") => reply(status, &[], b""),
            Some("POST") => reply("202 Accepted", &[("Location", "/session")], b""),
            _ => reply("201 Created", &[], b""),
        })
        .await;
        let registry = registry(&server);
        for content in ["one", "two"] {
            let (descriptor, bytes) = blob(content);
            registry.put_blob(&repository(), &descriptor, bytes).await.unwrap();
        }
        assert_eq!(methods(&server), "POST POST PUT POST PUT", "{status}");
    }
    for status in ["401 Unauthorized", "403 Forbidden"] {
        let server = Server::start(move |_, _| reply(status, &[], b"")).await;
        let (descriptor, _) = blob("one");
        let error = registry(&server).put_blob(&repository(), &descriptor, untouched()).await.unwrap_err();
        assert!(error.is_denied(), "{error}");
        assert_eq!(server.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn an_upload_begins_in_spite_of_temporary_faults() {
    let server = Server::start(move |number, request| match request.split(' ').next() {
        Some("POST") if number == 0 => reply("429 Too Many Requests", &[("Retry-After", "0")], b""),
        Some("POST") if number == 1 => Answer::Bytes(Vec::new()),
        Some("POST") if number == 2 => reply("502 Bad Gateway", &[], b"<html>"),
        Some("POST") => reply("202 Accepted", &[("Location", "/session")], b""),
        _ => reply("201 Created", &[], b""),
    })
    .await;
    let (descriptor, bytes) = blob("content");
    registry(&server).put_blob(&repository(), &descriptor, bytes).await.unwrap();
    assert_eq!(methods(&server), "POST POST POST POST PUT");
}

/// Stores a blob, then the manifest, whose first puts are refused for want of that blob.
async fn store_image(refusals: usize, claims: bool, named: bool) -> (Result<Put, RegistryError>, String) {
    let part = describe("application/vnd.oci.image.config.v1+json", b"part");
    let detail = if named { format!("{{\"digest\":\"{}\"}}", part.digest) } else { "null".to_owned() };
    let refused = AtomicUsize::new(0);
    let server = Server::start(move |_, request| match request.split(' ').next() {
        Some("POST") if claims => reply("201 Created", &[], b""),
        Some("POST") => reply("202 Accepted", &[("Location", "/session")], b""),
        Some("PUT") if request.contains("/manifests/") && refused.fetch_add(1, Ordering::SeqCst) < refusals => {
            refusal("400 Bad Request", "MANIFEST_BLOB_UNKNOWN", &detail)
        }
        Some("PUT") => reply("201 Created", &[], b""),
        _ => not_found(),
    })
    .await;
    let registry = registry(&server);
    let bytes = futures_util::stream::iter([Ok("part".into())]).boxed();
    registry.put_blob(&repository(), &part, bytes).await.unwrap();
    let put = registry.put(&repository(), &image("part"), None).await;
    (put, methods(&server))
}

#[tokio::test]
async fn a_part_that_was_just_stored_may_take_a_moment_to_be_seen() {
    for named in [true, false] {
        let (put, asked) = store_image(1, false, named).await;
        assert_eq!((put.unwrap(), asked.as_str()), (Put::Stored, "POST PUT PUT PUT"));
    }
    let (put, asked) = store_image(9, true, false).await;
    assert!(matches!(&put, Err(error @ RegistryError::PartsMissing { .. }) if !error.is_retryable()), "{put:?}");
    assert_eq!(asked, "POST PUT PUT PUT PUT");
    // What was only claimed, or stays away, has to be sent again.
    for (refusals, claims, asked_for) in [(9, true, "POST PUT"), (9, false, "POST PUT PUT PUT PUT PUT")] {
        let (put, asked) = store_image(refusals, claims, true).await;
        assert!(matches!(put, Err(RegistryError::PartMissing { .. })), "{put:?}");
        assert_eq!(asked, asked_for);
    }

    let heads = AtomicUsize::new(0);
    let server = Server::start(move |_, request| match request.split(' ').next() {
        Some("POST") => reply("202 Accepted", &[("Location", "/session")], b""),
        Some("PUT") => reply("201 Created", &[], b""),
        _ if heads.fetch_add(1, Ordering::SeqCst) < 2 => reply("404 Not Found", &[], b""),
        _ => Answer::Bytes(super::head("200 OK", &[], 7)),
    })
    .await;
    let registry = registry(&server);
    let (stored, bytes) = blob("content");
    assert_eq!(registry.missing(&repository(), std::slice::from_ref(&stored)).await.unwrap(), [stored.digest]);
    registry.put_blob(&repository(), &stored, bytes).await.unwrap();
    assert_eq!(registry.missing(&repository(), std::slice::from_ref(&stored)).await.unwrap(), []);
    assert_eq!(methods(&server), "HEAD POST PUT HEAD HEAD");
}

/// A registry without the image, and with this answer to HEAD; it takes what is put.
async fn not_giving(head: fn() -> Answer) -> Server {
    Server::start(move |_, request| match request.split(' ').next() {
        Some("HEAD") => head(),
        Some("POST") => reply("202 Accepted", &[("Location", "/session")], b""),
        Some("PUT") => reply("201 Created", &[], b""),
        _ => not_found(),
    })
    .await
}

#[tokio::test]
async fn an_archived_image_is_said_to_be_archived() {
    let manifest = image("x");
    let server = not_giving(|| Answer::Bytes(super::head("200 OK", &[("Content-Type", IMAGE)], 300))).await;
    let registry = registry(&server);
    let (stored, bytes) = blob("content");
    registry.put_blob(&repository(), &stored, bytes).await.unwrap();
    let errors = [
        (registry.manifest(&repository(), &manifest.digest()).await.unwrap_err(), manifest.digest().to_string()),
        (registry.resolve(&repository(), &tag()).await.unwrap_err(), tag().to_string()),
        // The registry would move the tag.
        (registry.put(&repository(), &manifest, Some(&tag())).await.unwrap_err(), tag().to_string()),
    ];
    for (error, asked_for) in errors {
        assert!(matches!(&error, RegistryError::Archived { image, .. } if *image == asked_for), "{error}");
        assert!(!error.is_retryable() && error.to_string().contains("restore"), "{error}");
    }
    assert_eq!(methods(&server), "POST PUT GET HEAD GET GET HEAD GET GET HEAD GET");
}

#[tokio::test]
async fn only_404_says_that_nothing_is_archived() {
    let manifest = image("x");
    let refused = not_giving(|| reply("403 Forbidden", &[], b"")).await;
    let client = registry(&refused);
    for error in [
        client.manifest(&repository(), &manifest.digest()).await.map(drop).unwrap_err(),
        client.put(&repository(), &manifest, Some(&tag())).await.map(drop).unwrap_err(),
    ] {
        assert!(error.is_denied(), "{error}");
    }
    // Asked once for a tag, and not for a manifest that this client has stored.
    let gone = not_giving(|| reply("404 Not Found", &[], b"")).await;
    let client = registry(&gone);
    assert_eq!(client.resolve(&repository(), &tag()).await.unwrap(), None);
    assert_eq!(client.manifest(&repository(), &manifest.digest()).await.unwrap(), None);
    assert_eq!(client.put(&repository(), &manifest, Some(&tag())).await.unwrap(), Put::Stored);
    assert_eq!(client.manifest(&repository(), &manifest.digest()).await.unwrap(), None);
    assert_eq!(methods(&gone), "GET HEAD GET HEAD GET PUT GET");
}

#[tokio::test]
async fn a_repository_that_is_not_there_is_named() {
    let missing = || {
        Server::start(|_, request| match request.split(' ').next() {
            Some("GET") if request.contains("/tags/list?n=1") => refusal("404 Not Found", "NAME_UNKNOWN", "null"),
            Some("GET" | "HEAD") => not_found(),
            _ => Answer::Bytes(Vec::new()),
        })
    };
    let (descriptor, _) = blob("content");
    let server = missing().await;
    let upload = registry(&server).put_blob(&repository(), &descriptor, untouched()).await;
    assert_eq!(methods(&server), "POST POST POST POST GET");
    let by_digest = registry(&missing().await).put(&repository(), &image("x"), None).await.map(drop);
    let by_tag = registry(&missing().await).put(&repository(), &image("x"), Some(&tag())).await.map(drop);
    for error in [upload, by_digest, by_tag].map(Result::unwrap_err) {
        assert!(
            matches!(&error, RegistryError::NoRepository { repository: found } if *found == repository()),
            "{error}"
        );
        assert!(!error.is_retryable());
    }
    // A connection may break that often although the repository is there.
    let tags: [fn() -> Answer; 3] = [
        || reply("200 OK", &JSON, b"{}"),
        || reply("404 Not Found", &[], b"<html>"),
        || reply("403 Forbidden", &[], b""),
    ];
    for answer in tags {
        let server = Server::start(move |number, request| match request.split(' ').next() {
            Some("GET") => answer(),
            Some("POST") if number > 4 => reply("202 Accepted", &[("Location", "/session")], b""),
            Some("POST") => Answer::Bytes(Vec::new()),
            _ => reply("201 Created", &[], b""),
        })
        .await;
        let (descriptor, bytes) = blob("content");
        registry(&server).put_blob(&repository(), &descriptor, bytes).await.unwrap();
        assert_eq!(methods(&server), "POST POST POST POST GET POST PUT");
    }
}

#[tokio::test]
async fn a_blob_may_lie_at_a_storage_service() {
    let storage = Server::start(|_, _| reply("200 OK", &[], b"content")).await;
    let location = format!("http://{}/bucket?X-Amz-Signature=x", storage.address);
    let server =
        Server::start(move |_, _| reply("307 Temporary Redirect", &[("Location", location.as_str())], b"")).await;
    let registry = registry(&server);
    let (descriptor, _) = blob("content");
    let chunks: Vec<_> = registry.blob(&repository(), &descriptor).await.unwrap().map(Result::unwrap).collect().await;
    assert_eq!(chunks.concat(), b"content");
    assert!(server.seen()[0].to_lowercase().contains("authorization: basic"));
    assert!(!storage.seen()[0].to_lowercase().contains("authorization"), "{}", storage.seen()[0]);
}

/// A manifest that refers to another one, and that one's digest.
fn referrer() -> (Manifest, Digest) {
    let subject = describe(IMAGE, b"subject");
    let config = json(&describe(LAYER, b"config"));
    let document = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[],"subject":{}}}"#, json(&subject));
    (Manifest::parse(None, document.into()).unwrap(), subject.digest)
}

#[tokio::test]
async fn a_registry_that_says_that_it_lists_a_referrer_is_not_asked() {
    let (referrer, subject) = referrer();
    for (said, asked_for) in [(subject.to_string(), "PUT"), (Digest::of(b"other").to_string(), "PUT GET")] {
        let server = Server::start(move |_, request| match request.split(' ').next() {
            Some("PUT") => reply("201 Created", &[("OCI-Subject", said.as_str())], b""),
            _ => reply("200 OK", &[("Content-Type", crate::corpus::INDEX)], br#"{"manifests":null}"#),
        })
        .await;
        let registry = registry(&server).without_referrers_tag();
        assert_eq!(registry.put(&repository(), &referrer, None).await.unwrap(), Put::Stored);
        assert_eq!(methods(&server), asked_for);
        assert_eq!(registry.referrers(&repository(), &subject).await.unwrap(), []);
    }
}

#[tokio::test]
async fn registries_without_a_referrers_api_say_so_in_many_ways() {
    let subject = Digest::of(b"subject");
    let entry = describe(IMAGE, b"entry");
    for status in
        ["400 Bad Request", "404 Not Found", "405 Method Not Allowed", "406 Not Acceptable", "501 Not Implemented"]
    {
        let list = format!(r#"{{"manifests":[{}]}}"#, json(&entry));
        let server = Server::start(move |_, request| match request.contains("/manifests/sha256-") {
            true => reply("200 OK", &[("Content-Type", crate::corpus::INDEX)], list.as_bytes()),
            false => reply(status, &[("Content-Type", "text/html")], b"<html>{\"manifests\":[]}</html>"),
        })
        .await;
        let found = registry(&server).referrers(&repository(), &subject).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&entry), "{status}");
        // The list of a tag is anybody's.
        let guarded = registry(&server).without_referrers_tag();
        let error = guarded.referrers(&repository(), &subject).await.unwrap_err();
        assert!(matches!(error, RegistryError::NoReferrersApi { .. }) && !error.is_retryable(), "{error}");
        assert_eq!(server.seen().len(), 3, "{status}");
    }
    // A registry of an empty repository.
    let unknown = Server::start(|_, _| refusal("404 Not Found", "NAME_UNKNOWN", "null")).await;
    for registry in [registry(&unknown), registry(&unknown).without_referrers_tag()] {
        assert_eq!(registry.referrers(&repository(), &subject).await.unwrap(), []);
    }
    for status in ["401 Unauthorized", "403 Forbidden", "418 I'm a teapot"] {
        let error = registry_of(reply(status, &[], b"")).await.referrers(&repository(), &subject).await.unwrap_err();
        assert!(!error.is_retryable(), "{error}");
    }
}

#[tokio::test]
async fn a_referrer_that_would_be_listed_nowhere_is_an_error() {
    let (referrer, _) = referrer();
    let puts = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&puts);
    let server = Server::start(move |_, request| match request.split(' ').next() {
        Some("PUT") => {
            log.lock().unwrap().push(request.split(' ').nth(1).unwrap().to_owned());
            reply("201 Created", &[], b"")
        }
        _ => reply("404 Not Found", &[], b"404 page not found"),
    })
    .await;
    let registry = registry(&server).without_referrers_tag();
    let error = registry.put(&repository(), &referrer, None).await.unwrap_err();
    assert!(error.to_string().contains("no referrers API") && !error.is_retryable(), "{error}");
    let path = format!("/v2/{}/manifests/{}", repository(), referrer.digest());
    assert_eq!(*puts.lock().unwrap(), [path]);
}

#[tokio::test]
async fn an_immutable_tag_that_is_put_again_is_held_or_stored() {
    for code in ["TAG_INVALID", "IMAGE_ALREADY_EXISTS", "DENIED"] {
        for (holds, expected) in [("ours", Put::Stored), ("theirs", Put::Held(image("theirs").digest()))] {
            let put = Mutex::new(false);
            let server = Server::start(move |_, request| {
                let mut put = put.lock().unwrap();
                if request.starts_with("PUT") {
                    *put = true;
                    return refusal("400 Bad Request", code, "{}");
                }
                if *put { served(&image(holds)) } else { not_found() }
            })
            .await;
            let outcome = registry(&server).put(&repository(), &image("ours"), Some(&tag())).await.unwrap();
            assert_eq!(outcome, expected, "{code}");
            assert_eq!(methods(&server), "GET HEAD PUT GET");
        }
    }
}
