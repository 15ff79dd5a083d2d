//! Lists of what refers to a manifest.

use std::sync::atomic::{AtomicUsize, Ordering};

use guarded_http::HttpError;
use registry_copy::{Descriptor, Manifest, Put, Registry, RegistryError};
use release::Digest;

use super::{
    asked, not_found, registry, registry_of,
    server::{Answer, Server, reply},
};
use crate::corpus::{IMAGE, INDEX, LAYER, describe, json, repository};

fn page(entries: &[Descriptor], link: Option<&str>) -> Answer {
    let list: Vec<_> = entries.iter().map(json).collect();
    let body = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, list.join(","));
    let headers: Vec<_> = [("Content-Type", INDEX)].into_iter().chain(link.map(|link| ("Link", link))).collect();
    reply("200 OK", &headers, body.as_bytes())
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
    let subject = json(&describe(IMAGE, b"subject"));
    let config = json(&describe(LAYER, b"config"));
    let document = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[],"subject":{subject}}}"#);
    let referrer = Manifest::parse(None, document.into()).unwrap();
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

#[tokio::test]
async fn referrers_that_are_put_at_once_do_not_overwrite_each_other() {
    let subject = json(&describe(IMAGE, b"subject"));
    let referrers: Vec<_> = (0..5)
        .map(|n| {
            let config = json(&describe(LAYER, format!("{n}").as_bytes()));
            let document = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[],"subject":{subject}}}"#);
            Manifest::parse(None, document.into()).unwrap()
        })
        .collect();
    let held = std::sync::Mutex::new(r#"{"manifests":[]}"#.to_owned());
    let server = Server::start(move |_, request| {
        let (is_list, is_put) = (request.contains("/sha256-"), request.starts_with("PUT"));
        let mut held = held.lock().unwrap();
        match (is_list, is_put) {
            (true, true) => *held = request.split_once("\r\n\r\n").unwrap().1.to_owned(),
            (true, false) => return reply("200 OK", &[("Content-Type", INDEX)], held.as_bytes()),
            (false, true) => {}
            (false, false) => return reply("404 Not Found", &[], b"404 page not found"),
        }
        reply("201 Created", &[], b"")
    })
    .await;
    let client = registry(&server);
    let repository = repository();
    let puts = referrers.iter().map(|referrer| client.put(&repository, referrer, None));
    futures_util::future::try_join_all(puts).await.unwrap();
    let subject = referrers[0].subject().unwrap().digest;
    assert_eq!(client.referrers(&repository, &subject).await.unwrap().len(), 5);
    let lists = asked(&server).iter().filter(|line| line.starts_with("PUT") && line.contains("/sha256-")).count();
    assert_eq!(lists, 5);
}

#[tokio::test]
async fn a_list_of_referrers_keeps_its_entries_as_they_are_unless_they_are_too_many() {
    let subject = json(&describe(IMAGE, b"subject"));
    let config = json(&describe(LAYER, b"config"));
    let rest = format!(r#""config":{config},"layers":[],"subject":{subject},"annotations":{{"b":"1","a":"2"}}"#);
    let referrer = Manifest::parse(None, format!(r#"{{"schemaVersion":2,{rest}}}"#).into()).unwrap();
    for (entries, fits) in [(r#"{"z":1.50,"digest":"d"},7"#.to_owned(), true), (vec!["0"; 1_001].join(","), false)] {
        let held = std::sync::Mutex::new(format!(r#"{{"x":[0],"manifests":[{entries}]}}"#));
        let server = Server::start(move |_, request| {
            let mut held = held.lock().unwrap();
            if request.starts_with("PUT") && request.contains("/sha256-") {
                *held = request.split_once("\r\n\r\n").unwrap().1.to_owned();
            }
            match request.split(' ').next() {
                Some("PUT") => reply("201 Created", &[], b""),
                _ if request.contains("/referrers/") => reply("404 Not Found", &[], b"404 page not found"),
                _ => reply("200 OK", &[("Content-Type", INDEX)], held.as_bytes()),
            }
        })
        .await;
        let put = registry(&server).put(&repository(), &referrer, None).await;
        let lists =
            server.seen().into_iter().filter(|request| request.starts_with("PUT") && request.contains("/sha256-"));
        let lists: Vec<_> = lists.collect();
        assert_eq!((put.is_ok(), lists.len()), (fits, usize::from(fits)), "{put:?}");
        if fits {
            assert!(lists[0].contains(&format!(r#""manifests":[{entries},{{"mediaType":"#)), "{}", lists[0]);
            assert!(lists[0].ends_with(r#","annotations":{"b":"1","a":"2"}}]}"#), "{}", lists[0]);
        }
    }
}
