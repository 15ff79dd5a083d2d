//! Answers that ask to come back, or are no answers: rows 6 and 7.

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use sandbox::Act;
use tests::Ran;

use super::{
    Case,
    Ends::{Copied, Failed},
    cases,
    scene::{BLOB, MANIFEST, Scene},
};

/// The kinds of request of a copy, each of which has to get over a fault that passes.
const KINDS: &[(&str, &str)] = &[
    ("GET", "*/manifests/*"),
    ("GET", "*/blobs/*"),
    ("GET", "*/referrers/*"),
    ("HEAD", "*"),
    ("POST", "*"),
    ("PUT", "*/blobs/*"),
    ("PUT", "*/manifests/*"),
];

/// On both sides the first request of each kind meets this fault.
fn everywhere(scene: &Scene, act: fn() -> Act) {
    scene.source.once_each(KINDS, act);
    scene.destination.once_each(KINDS, act);
}

fn too_many(retry_after: &str) -> Act {
    Act::answer(429, "").with(RETRY_AFTER, retry_after)
}

fn web_page(status: u16) -> Act {
    Act::answer(status, "<html><body><h1>502 Bad Gateway</h1></body></html>").with(CONTENT_TYPE, "text/html")
}

fn waited(_: &Scene, ran: &Ran) {
    assert!(ran.document()["elapsed_ms"].as_u64().unwrap() >= 2_000, "it was not waited for: {ran:?}");
}

cases! {
    retry_after_2 => Case::new(6, "429 with Retry-After: 2", Copied, |scene| {
        scene.destination.once("POST", "*", || too_many("2"));
    }).check(waited);

    retry_after_2_of_503 => Case::new(7, "503 with Retry-After: 2", Copied, |scene| {
        scene.source.once("GET", BLOB, || Act::answer(503, "").with(RETRY_AFTER, "2"));
    }).check(waited);

    retry_after_a_date_that_passed => Case::new(6, "429 with a Retry-After of last year", Copied, |scene| {
        everywhere(scene, || too_many("Mon, 24 Nov 2025 07:00:00 GMT"));
    }).reads_again(2);

    retry_after_minus_1 => Case::new(6, "429 with Retry-After: -1", Copied, |scene| {
        everywhere(scene, || too_many("-1"));
    }).reads_again(2);

    retry_after_30_000_years => Case::new(6, "429 with Retry-After: 1e12", Copied, |scene| {
        everywhere(scene, || too_many("1000000000000"));
    }).reads_again(2);

    no_retry_after => Case::new(6, "429 without Retry-After", Copied, |scene| {
        everywhere(scene, || Act::answer(429, ""));
    }).reads_again(2);

    too_many_requests_for_ever => Case::new(6, "429 for ever, with Retry-After: 1e12", Failed(3), |scene| {
        scene.destination.always("*", "*", || too_many("1000000000000"));
    }).within("2s").says("429");

    unavailable => Case::new(7, "503 once for each kind of request", Copied, |scene| {
        everywhere(scene, || Act::answer(503, ""));
    }).reads_again(2);

    bad_gateway => Case::new(7, "502 with an HTML page once for each kind of request", Copied, |scene| {
        everywhere(scene, || web_page(502));
    }).reads_again(2);

    gateway_timeout => Case::new(7, "504 once for each kind of request", Copied, |scene| {
        everywhere(scene, || Act::answer(504, ""));
    }).reads_again(2);

    bad_gateway_for_ever => Case::new(7, "502 with an HTML page for ever", Failed(3), |scene| {
        scene.source.always("*", "*", || web_page(502));
    }).within("2s").says("502");

    web_page_instead_of_a_manifest => Case::new(7, "200 with an HTML page for a manifest", Failed(1), |scene| {
        scene.source.always("GET", MANIFEST, || web_page(200));
    }).says("the manifest is refused");

    web_page_instead_of_a_blob => Case::new(7, "200 with an HTML page for a blob", Failed(13), |scene| {
        scene.source.always("GET", BLOB, || web_page(200));
    });
}
