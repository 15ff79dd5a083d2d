//! Registries that say what is not so: rows 9 to 14 and 17 to 19.

use bytes::Bytes;
use http::{HeaderName, header::CONTENT_TYPE};
use sandbox::Act;

use super::{
    Case,
    Ends::{Copied, Failed, LiedTo},
    cases,
    scene::{BLOB, MANIFEST, SESSION, Scene, Setup, TAGGED},
};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const ZERO: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// A refusal in a registry's words.
pub(super) fn refused(status: u16, code: &str) -> Act {
    let body = format!(r#"{{"errors":[{{"code":"{code}","message":"no"}}]}}"#);
    Act::answer(status, body).with(CONTENT_TYPE, "application/json")
}

/// The same once the server has acted.
fn refused_after(status: u16, code: &str) -> Act {
    let body = format!(r#"{{"errors":[{{"code":"{code}","message":"no"}}]}}"#);
    Act::answer_after(status, body).with(CONTENT_TYPE, "application/json")
}

/// The same image to a reader, and other bytes, whose digest is not told.
fn respaced() -> Act {
    Act::change(|mut answer| {
        answer.headers_mut().remove(CONTENT_DIGEST);
        answer.map(|body| Bytes::from([&b"  "[..], &body[..]].concat()))
    })
}

/// The manifest is refused for want of the largest blob, in the words of distribution.
fn unknown_part(scene: &Scene) -> impl Fn() -> Act + Send + Sync + 'static {
    let error = format!(r#"{{"code":"MANIFEST_BLOB_UNKNOWN","detail":{{"digest":"{}"}}}}"#, scene.image.largest());
    move || Act::answer(404, format!(r#"{{"errors":[{error}]}}"#)).with(CONTENT_TYPE, "application/json")
}

cases! {
    manifest_is_lost => Case::new(9, "the tagged manifest's PUT is answered 201 and lost", Failed(13), |scene| {
        scene.destination.once("PUT", TAGGED, || Act::answer(201, ""));
    });

    child_is_lost => Case::new(9, "a child manifest's PUT is answered 201 and lost", Failed(13), |scene| {
        scene.destination.once("PUT", "*/manifests/sha256:*", || Act::answer(201, ""));
    }).on(Setup::of_two_platforms);

    blob_is_lost => Case::new(9, "a blob's PUT is answered 201 and lost", Copied, |scene| {
        scene.destination.once("PUT", SESSION, || Act::answer(201, ""));
    });

    other_digest_of_the_manifest => Case::new(10, "the manifest's PUT is answered with another digest", LiedTo, |scene| {
        scene.destination.once("PUT", TAGGED, || Act::Pass.with(CONTENT_DIGEST, ZERO));
    }).says(ZERO);

    other_digest_of_a_blob => Case::new(10, "a blob's PUT is answered with another digest", Failed(13), |scene| {
        scene.destination.once("PUT", SESSION, || Act::Pass.with(CONTENT_DIGEST, ZERO));
    }).says(ZERO);

    error_after_the_manifest => Case::new(11, "500 after the tagged manifest was stored", Copied, |scene| {
        scene.destination.once("PUT", TAGGED, || Act::answer_after(500, ""));
    }).check(|scene, _| assert_eq!(scene.destination.asked("PUT", TAGGED).len(), 1, "it is looked for first"));

    error_after_a_blob => Case::new(11, "500 after a blob was stored", Copied, |scene| {
        scene.destination.once("PUT", SESSION, || Act::answer_after(500, ""));
    });

    tag_is_held_by_the_same => Case::new(12, "400 ImageAlreadyExists, and the tag names this digest", Copied, |scene| {
        scene.destination.once("PUT", TAGGED, || refused_after(400, "TAG_INVALID"));
    });

    blob_is_not_seen_yet => Case::new(13, "a blob is not seen for a while after its PUT", Copied, |scene| {
        // The copy asks for no blob that it has just stored: it hears of it when the manifest is refused.
        scene.destination.nth("PUT", TAGGED, 1..=2, unknown_part(scene));
    }).check(|scene, _| assert!(scene.destination.asked("HEAD", BLOB).len() <= 1));

    part_is_unknown_once => Case::new(14, "the manifest's PUT is refused once: MANIFEST_BLOB_UNKNOWN", Copied, |scene| {
        scene.destination.once("PUT", TAGGED, || refused(400, "MANIFEST_BLOB_UNKNOWN"));
    });

    named_part_is_unknown_once => Case::new(14, "the same, and the part is named", Copied, |scene| {
        scene.destination.once("PUT", TAGGED, unknown_part(scene));
    });

    other_bytes_once => Case::new(17, "a blob has other bytes of the same length, once", Copied, |scene| {
        scene.source.once("GET", BLOB, || Act::flip(1));
    }).check(|scene, _| assert_eq!(scene.read_again(), 1));

    other_bytes => Case::new(17, "a blob has other bytes of the same length", Failed(13), |scene| {
        scene.source.always("GET", BLOB, || Act::flip(1));
    }).says("its bytes are");

    another_manifest => Case::new(18, "the manifest is another, which is as valid", Failed(13), |scene| {
        scene.source.always("GET", MANIFEST, respaced);
    }).pinned().says("its bytes are");

    another_child => Case::new(18, "a child manifest is another, which is as valid", Failed(13), |scene| {
        scene.source.nth("GET", MANIFEST, 2.., respaced);
    }).on(Setup::of_two_platforms).says("its bytes are");

    blob_is_archived => Case::new(19, "a blob's HEAD is 200 and its GET 404", Failed(1), |scene| {
        scene.source.always("GET", BLOB, || refused(404, "BLOB_UNKNOWN"));
    }).says("there is no blob");

    image_is_archived => Case::new(19, "the source tag's HEAD is 200 and its GET 404", Failed(1), |scene| {
        scene.source.always("GET", MANIFEST, || refused(404, "MANIFEST_UNKNOWN"));
    }).says("it may be archived");

    tag_is_archived => Case::new(19, "the target tag's GET is 404, and a PUT says that it is held", Failed(1), |scene| {
        scene.destination.once_each(&[("PUT", TAGGED)], || refused(400, "TAG_INVALID"));
    }).says("TAG_INVALID");
}
