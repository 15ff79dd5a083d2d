//! What refers to an image, where registries differ: row 20.

use http::HeaderName;
use sandbox::Act;
use serde_json::json;
use tests::{DockerRegistry, Witness};

use super::{
    Case,
    Ends::{Copied, Failed},
    Row, cases,
    lies::refused,
    scene::{INDEX, PASSWORD, REPOSITORY, Scene, Setup, TAG, USER},
    told,
};

const API: &str = "*/referrers/*";

fn empty_list() -> Act {
    let list = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] }).to_string();
    Act::answer(200, list).with(http::header::CONTENT_TYPE, INDEX)
}

cases! {
    no_referrers_api => Case::new(20, "the source has no referrers API (404), and a fallback tag", Copied, |scene| {
        scene.source.always("GET", API, || refused(404, "UNSUPPORTED"));
    }).on(Setup::with_fallback_tag);

    referrers_api_is_400 => Case::new(20, "the source's referrers API is 400, as where there is none", Copied, |scene| {
        scene.source.always("GET", API, || refused(400, "UNSUPPORTED"));
    }).on(Setup::with_fallback_tag);

    referrers_api_is_denied => Case::new(20, "the source's referrers API is 403", Failed(1), |scene| {
        scene.source.always("GET", API, || refused(403, "DENIED"));
    }).says("403");

    no_referrers => Case::new(20, "the source's referrers API answers with an empty list", Copied, |scene| {
        scene.source.always("GET", API, empty_list);
    }).on(Setup::without_referrer);
}

told! {
    lists_are_kept_where_there_is_no_api: Row::new(20, "the destination has no referrers API (404)", Copied);
    lists_are_kept_by_two: Row::new(20, "two copiers add to one fallback tag at once, neither held up between reading and writing it", Copied);
}

#[tokio::test]
async fn lists_are_kept_where_there_is_no_api() {
    let scene = Scene::of(Setup::plain()).await;
    scene.destination.script.set(|seen| match (seen.is("GET", API), &*seen.method) {
        (true, _) => refused(404, "UNSUPPORTED"),
        (_, "PUT") => Act::without(HeaderName::from_static("oci-subject")),
        _ => Act::Pass,
    });
    let ran = scene.run("20s").await;
    assert_eq!(ran.code, 0, "{ran:?}");
    scene.is_whole().await;
    let listed = scene.destination.witness.tag(&scene.image.digest.replace(':', "-")).await;
    assert!(listed.is_some(), "the list is kept under the fallback tag");
}

/// Two sources have one image, and another referrer of it each.
#[tokio::test]
async fn lists_are_kept_by_two() {
    let registry = DockerRegistry::start().await;
    let destination = Witness::new(&registry.authority(), REPOSITORY, Some((USER, PASSWORD)));
    let scenes = [Scene::of(Setup::without_referrer()).await, Scene::of(Setup::without_referrer()).await];
    let image = &scenes[0].image;
    let mut expected = Vec::new();
    for (number, scene) in scenes.iter().enumerate() {
        expected.push(scene.source.witness.refer(&image.digest, &format!("a/{number}")).await);
    }
    let to = format!("{}/{REPOSITORY}:{TAG}", registry.authority());
    let copy = async |scene: &Scene| {
        let from = scene.source.registry.authority();
        let agent = tests::Agent::new(Some((USER, PASSWORD)), &[&from, &registry.authority()]);
        agent.run(&format!("copy-artifact {from}/{REPOSITORY}:{TAG} {to} --output json --timeout 30s")).await
    };
    let (one, other) = tokio::join!(copy(&scenes[0]), copy(&scenes[1]));
    assert_eq!((one.code, other.code), (0, 0), "{one:?} {other:?}");
    let listed = destination.referrers(&image.digest).await;
    let listed: Vec<&str> = listed.iter().filter_map(|entry| entry["digest"].as_str()).collect();
    for referrer in &expected {
        assert!(listed.contains(&&**referrer), "{referrer} is not listed: {listed:?}");
    }
}
