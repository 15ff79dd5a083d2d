//! Lists of what refers to a manifest.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use guarded_http::HttpError;
use registry_copy::{
    CopyError, Descriptor, Destination, Manifest, Options, Put, Registry, RegistryError, Source, copy,
};
use release::Digest;
use tokio::time::Instant;

use super::{
    asked, not_found, registry, registry_of,
    server::{Answer, Server, reply},
};
use crate::corpus::{Corpus, IMAGE, INDEX, LAYER, describe, json, repository, tag};

fn page(entries: &[Descriptor], link: Option<&str>) -> Answer {
    let list: Vec<_> = entries.iter().map(json).collect();
    let body = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, list.join(","));
    let headers: Vec<_> = [("Content-Type", INDEX)].into_iter().chain(link.map(|link| ("Link", link))).collect();
    reply("200 OK", &headers, body.as_bytes())
}

fn subject() -> Descriptor {
    describe(IMAGE, b"subject")
}

/// What refers to it, with these annotations.
fn referrer(annotations: &str) -> Manifest {
    let (subject, config) = (json(&subject()), json(&describe(LAYER, b"config")));
    let rest = format!(r#""config":{config},"layers":[],"subject":{subject},"annotations":{annotations}"#);
    Manifest::parse(None, format!(r#"{{"schemaVersion":2,{rest}}}"#).into()).unwrap()
}

#[tokio::test]
async fn referrers_come_in_pages_from_one_server() {
    let subject = Digest::of(b"subject");
    let entries: Vec<_> = (0..3).map(|n| describe(IMAGE, format!("{n}").as_bytes())).collect();
    let pages = entries.clone();
    let server = Server::start(move |number, _| {
        let second = "</v2/before>; rel=\"prev\", <next?n=2>; rel=\"next\"";
        let links = [Some("</v2/next?n=1>; rel=\"next\""), Some(second), None];
        page(&pages[number..=number], links[number])
    })
    .await;
    assert_eq!(registry(&server).referrers(&repository(), &subject).await.unwrap(), entries);
    assert_eq!(
        asked(&server),
        [format!("GET /v2/{}/referrers/{subject}", repository()), "GET /v2/next".into(), "GET /v2/next".into()]
    );

    let loops = Server::start(|_, _| page(&[], Some("</v2/again>; rel=\"next\""))).await;
    let error = registry(&loops).referrers(&repository(), &subject).await.unwrap_err();
    assert!(matches!(error, RegistryError::Protocol { .. }) && loops.seen().len() == 2, "{error}");

    let foreign = Server::start(|_, _| page(&[], Some("<https://evil.example/>; rel=\"next\""))).await;
    let error = registry(&foreign).referrers(&repository(), &subject).await.unwrap_err();
    assert!(matches!(error, RegistryError::Http(HttpError::ForeignOrigin { .. })), "{error}");

    let flood = Server::start(move |number, _| {
        page(&vec![entries[0].clone(); 300], Some(&format!("</v2/{number}>; rel=\"next\"")))
    })
    .await;
    let error = registry(&flood).referrers(&repository(), &subject).await.unwrap_err();
    assert!(matches!(error, RegistryError::Protocol { .. }) && flood.seen().len() == 4, "{error}");

    let endless = Server::start(|number, _| page(&[], Some(&format!("</v2/{number}>; rel=\"next\"")))).await;
    let error = registry(&endless).referrers(&repository(), &subject).await.unwrap_err();
    assert!(matches!(error, RegistryError::Protocol { .. }) && endless.seen().len() == 100, "{error}");

    let unreadable = Server::start(|_, _| page(&[], Some("/v2/next; rel=next"))).await;
    let error = registry(&unreadable).referrers(&repository(), &subject).await.unwrap_err();
    assert!(matches!(error, RegistryError::Protocol { .. }) && unreadable.seen().len() == 1, "{error}");

    let sign_in = reply("200 OK", &[("Content-Type", "text/html")], b"<html>sign in</html>");
    let error = registry_of(sign_in).await.referrers(&repository(), &subject).await.unwrap_err();
    assert!(matches!(error, RegistryError::Http(HttpError::NotJson { .. })), "{error}");
}

#[tokio::test]
async fn referrers_without_an_api_are_under_a_tag() {
    let subject = Digest::of(b"subject");
    let entries = [describe(IMAGE, b"1"), describe(INDEX, b"2")];
    let listed = entries.clone();
    let fallback = format!("/v2/{}/manifests/sha256-{}", repository(), subject.hex());
    let path = fallback.clone();
    let server = Server::start(move |_, request| {
        if request.contains(&path) { page(&listed, None) } else { reply("404 Not Found", &[], b"404 page not found") }
    })
    .await;
    let client = registry(&server);
    assert_eq!(client.referrers(&repository(), &subject).await.unwrap(), entries);
    // What it lacks it is asked for once, also about others.
    let other = Digest::of(b"other");
    assert!(client.referrers(&repository(), &other).await.is_err(), "that 404 is no registry's");
    let api = format!("GET /v2/{}/referrers/{subject}", repository());
    let tag_of_other = format!("GET /v2/{}/manifests/sha256-{}", repository(), other.hex());
    assert_eq!(asked(&server), [api, format!("GET {fallback}"), tag_of_other]);
    let guarded = registry(&server).without_referrers_tag();
    for _ in 0..2 {
        let error = guarded.referrers(&repository(), &subject).await.unwrap_err();
        assert!(matches!(error, RegistryError::NoReferrersApi { .. }), "{error}");
    }
    assert_eq!(server.seen().len(), 4);

    // One that does not know the subject yet has the API, and may know it later.
    let unknown = Server::start(|_, _| not_found()).await;
    let client = registry(&unknown);
    for asked in [2, 4] {
        assert_eq!(client.referrers(&repository(), &subject).await.unwrap(), []);
        assert_eq!(unknown.seen().len(), asked);
    }
}

#[tokio::test]
async fn a_list_of_referrers_that_somebody_else_overwrites_is_written_again() {
    let referrer = referrer("{}");
    let entry = referrer.descriptor();
    // What the list holds when it is read: another client writes it between the second reading and the third.
    let lists = [false, true, false, true, true, true];
    let reads = AtomicUsize::new(0);
    let server = Server::start(move |_, request| {
        if request.starts_with("PUT") {
            return reply("201 Created", &[], b"");
        }
        if request.contains("/referrers/") {
            return reply("404 Not Found", &[], b"404 page not found");
        }
        let listed = lists[reads.fetch_add(1, Ordering::SeqCst)];
        page(if listed { std::slice::from_ref(&entry) } else { &[] }, None)
    })
    .await;
    let client = registry(&server);
    for asked_for in ["PUT GET GET PUT GET GET PUT GET GET", "PUT GET GET PUT GET GET PUT GET GET PUT GET"] {
        assert_eq!(client.put(&repository(), &referrer, None).await.unwrap(), Put::Stored);
        let methods: Vec<_> = asked(&server).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
        assert_eq!(methods.join(" "), asked_for);
    }
}

/// Another client, as slow as this one, reads the list before this one writes it and writes it afterwards.
#[tokio::test]
async fn a_slow_registry_is_looked_at_for_longer() {
    const SLOW: Duration = Duration::from_millis(100);
    let slowly = |answer| match answer {
        Answer::Bytes(bytes) => Answer::Late(SLOW, bytes),
        answer => answer,
    };
    let referrer = referrer("{}");
    let entry = referrer.descriptor();
    let (written, others) = (OnceLock::new(), OnceLock::new());
    let server = Server::start(move |_, request| match (request.contains("/sha256-"), request.starts_with("PUT")) {
        (false, false) => reply("404 Not Found", &[], b"404 page not found"),
        (false, true) => reply("201 Created", &[], b""),
        (true, true) => {
            written.get_or_init(Instant::now);
            slowly(reply("201 Created", &[], b""))
        }
        (true, false) => {
            let late = written.get().is_some_and(|written| written.elapsed() > 3 * SLOW);
            let is_gone = written.get().is_none() || (late && others.set(()).is_ok());
            slowly(page(if is_gone { &[] } else { std::slice::from_ref(&entry) }, None))
        }
    })
    .await;
    registry(&server).put(&repository(), &referrer, None).await.unwrap();
    assert_eq!(lists(&server).len(), 2);
}

#[tokio::test]
async fn referrers_that_are_put_at_once_do_not_overwrite_each_other() {
    let referrers: Vec<_> = (0..5).map(|n| referrer(&format!(r#"{{"n":"{n}"}}"#))).collect();
    let server = keeper(r#"{"manifests":[]}"#.to_owned()).await;
    let client = registry(&server);
    let repository = repository();
    let puts = referrers.iter().map(|referrer| client.put(&repository, referrer, None));
    futures_util::future::try_join_all(puts).await.unwrap();
    assert_eq!(client.referrers(&repository, &subject().digest).await.unwrap().len(), 5);
    assert_eq!(lists(&server).len(), 5);
}

/// A registry without a referrers API that keeps one list, which is `held`.
async fn keeper(held: String) -> Server {
    let held = std::sync::Mutex::new(held);
    Server::start(move |_, request| {
        let mut held = held.lock().unwrap();
        let is_list = request.contains("/sha256-");
        if request.starts_with("PUT") && is_list {
            *held = request.split_once("\r\n\r\n").unwrap().1.to_owned();
        }
        match request.split(' ').next() {
            Some("PUT") => reply("201 Created", &[], b""),
            _ if request.contains("/referrers/") => reply("404 Not Found", &[], b"404 page not found"),
            _ if is_list => reply("200 OK", &[("Content-Type", INDEX)], held.as_bytes()),
            _ => not_found(),
        }
    })
    .await
}

/// What was put as the list.
fn lists(server: &Server) -> Vec<String> {
    let is_list = |request: &String| request.starts_with("PUT") && request.contains("/sha256-");
    server.seen().into_iter().filter(is_list).collect()
}

#[tokio::test]
async fn a_list_of_referrers_keeps_its_entries_as_they_are() {
    let referrer = referrer(r#"{"b":"1","a": "2"}"#);
    let entries = r#"{"z":1.50, "digest":"d"},7"#;
    let server = keeper(format!(r#"{{"x":[0],"manifests":[{entries}]}}"#)).await;
    registry(&server).put(&repository(), &referrer, None).await.unwrap();
    let [list] = lists(&server).try_into().unwrap();
    assert!(list.contains(&format!(r#""manifests":[{entries},{{"mediaType":"#)), "{list}");
    assert!(list.ends_with(r#","annotations":{"b":"1","a": "2"}}]}"#), "{list}");
}

#[tokio::test]
async fn a_list_of_referrers_gets_no_longer_than_it_is_read() {
    let referrer = Corpus::referrer(&subject(), "an SBOM");
    let from = crate::corpus::registry();
    referrer.store(&from, &repository()).await;
    let manifest = from.manifest(&repository(), &referrer.root).await.unwrap().unwrap();
    let number = |length: usize| vec!["0"; length].join(",");
    let long = |length: usize| format!("\"{}\"", "x".repeat(length));
    let cases = [(number(999), true), (number(1_000), false), (long(4_100_000), true), (long(4_194_200), false)];
    for (entries, fits) in cases {
        let server = keeper(format!(r#"{{"manifests":[{entries}]}}"#)).await;
        let put = registry(&server).put(&repository(), &manifest, None).await;
        assert_eq!((put.is_ok(), lists(&server).len()), (fits, usize::from(fits)), "{put:?}");
        if let Err(error) = put {
            assert!(matches!(error, RegistryError::ReferrersFull { .. }) && !error.is_retryable(), "{error:?}");
            assert!(error.to_string().contains(&subject().digest.to_string()), "{error}");
        }
    }
    let too_many = keeper(format!(r#"{{"manifests":[{}]}}"#, number(1_001))).await;
    let error = registry(&too_many).put(&repository(), &manifest, None).await.unwrap_err();
    assert!(matches!(error, RegistryError::Protocol { .. }) && lists(&too_many).is_empty(), "{error}");

    // What would be tagged is not even begun.
    let entries: Vec<_> = (0..1_000).map(|n| json(&describe(IMAGE, format!("{n}").as_bytes()))).collect();
    let full = keeper(format!(r#"{{"manifests":[{}]}}"#, entries.join(","))).await;
    let to = registry(&full);
    let source = Source { registry: &from, repository: repository(), digest: referrer.root };
    let destination = Destination { registry: &to, repository: repository(), tag: tag() };
    let options = Options::until(Instant::now() + Duration::from_secs(60));
    let error = copy(&source, &destination, &options, &()).await.unwrap_err();
    assert!(matches!(error, CopyError::Destination(RegistryError::ReferrersFull { .. })), "{error:?}");
    assert!(asked(&full).iter().all(|line| line.starts_with("GET") || line.starts_with("HEAD")), "{:?}", asked(&full));
}
