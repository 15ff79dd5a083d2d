//! Connections that break, stall or do not come about: rows 1 to 5.

use std::time::Duration;

use http::header::CONTENT_LENGTH;
use sandbox::{Act, Phase};

use super::{
    Case,
    Ends::{Copied, Failed},
    PATIENT, cases,
    scene::{BLOB, SESSION, Setup},
};

/// One byte in ten seconds.
fn drip() -> Act {
    Act::Drip { after: 1_000, piece: 1, every: Duration::from_secs(10) }
}

cases! {
    get_is_reset => Case::new(1, "the source resets the connection at byte 50,000 of a blob", Copied, |scene| {
        scene.source.once("GET", &scene.largest(), || Act::reset(Phase::Answer(50_000)));
    }).check(|scene, _| assert_eq!(scene.read_again(), 1));

    put_is_reset => Case::new(1, "the destination resets the connection at byte 10,000 of a PUT", Copied, |scene| {
        let largest = format!("*/blobs/uploads/*{}", scene.image.largest());
        scene.destination.once("PUT", &largest, || Act::reset(Phase::Request(10_000)));
    }).check(|scene, _| {
        let (mut sessions, puts) = (scene.destination.asked("PUT", SESSION), scene.image.blobs + 1);
        assert_eq!((sessions.len(), scene.read_again()), (puts, 1), "one blob is sent again");
        sessions.sort();
        sessions.dedup();
        assert_eq!(sessions.len(), puts, "a session that broke is not used again");
    });

    patch_is_reset => Case::new(1, "the destination resets the connection in the second PATCH", Copied, |scene| {
        scene.destination.nth("PATCH", SESSION, 2..=2, || Act::reset(Phase::Request(1_000_000)));
    }).on(Setup::in_chunks);

    put_is_reset_when_it_is_done => Case::new(1, "a blob is stored and the answer lost", Copied, |scene| {
        scene.destination.once("PUT", SESSION, || Act::reset(Phase::After));
    });

    get_ends_early => Case::new(2, "a blob ends before its Content-Length", Copied, |scene| {
        scene.source.once("GET", &scene.largest(), || Act::close(Phase::Answer(10_000)));
    }).check(|scene, _| assert_eq!(scene.read_again(), 1));

    manifest_ends_early => Case::new(2, "a manifest ends before its Content-Length", Copied, |scene| {
        scene.source.once("GET", "*/manifests/*", || Act::close(Phase::Answer(100)));
    });

    put_ends_early => Case::new(2, "the destination closes instead of answering a PUT", Copied, |scene| {
        scene.destination.once("PUT", SESSION, || Act::close(Phase::After));
    });

    blob_comes_drop_by_drop => Case::new(3, "a blob comes at 1 B in 10 s, once", Copied, |scene| {
        scene.source.once("GET", &scene.largest(), drip);
    }).within(PATIENT).check(|_, ran| assert!(ran.stderr.contains("stalled for 30 s"), "{ran:?}"));

    blobs_come_drop_by_drop_for_ever => Case::new(3, "each blob comes at 1 B in 10 s", Failed(3), |scene| {
        scene.source.always("GET", BLOB, drip);
    }).within("2s");

    source_accepts_and_is_silent => Case::new(4, "the source accepts, and answers not a byte, once", Copied, |scene| {
        scene.source.once("GET", BLOB, || Act::hold(Phase::Before));
    }).within(PATIENT);

    destination_accepts_and_is_silent => Case::new(
        4, "the destination accepts, and answers not a byte, once", Copied, |scene| {
        scene.destination.once("POST", "*", || Act::hold(Phase::Before));
    }).within(PATIENT);

    source_is_silent_for_ever => Case::new(4, "the source accepts and never answers", Failed(3), |scene| {
        scene.source.always("*", "*", || Act::hold(Phase::Before));
    }).within("2s").says("/v2/forge/app/manifests/48213");

    destination_is_silent_for_ever => Case::new(4, "the destination accepts and never answers", Failed(3), |scene| {
        scene.destination.always("*", "*", || Act::hold(Phase::Before));
    }).within("2s");

    source_refuses_three_times => Case::new(5, "the source refuses three connections", Copied, |scene| {
        scene.source.refuse(3);
    });

    destination_refuses_three_times => Case::new(5, "the destination refuses three connections", Copied, |scene| {
        scene.destination.refuse(3);
    });

    nobody_listens => Case::new(5, "nobody listens at the destination", Failed(3), |scene| {
        scene.destination.unplug();
    }).within("1s").says("no connection");

    length_is_not_said => Case::new(2, "no blob has a Content-Length", Copied, |scene| {
        scene.source.always("GET", BLOB, || Act::without(CONTENT_LENGTH));
    });
}
