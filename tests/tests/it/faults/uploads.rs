//! Upload sessions: rows 15 and 16; and the repository that is not there: row 21.

use http::header::RANGE;
use sandbox::{Act, Phase};

use super::{
    Case,
    Ends::{Copied, Failed},
    cases,
    lies::refused,
    scene::{SESSION, Setup},
};

cases! {
    session_is_gone => Case::new(15, "the upload session is 404 at its second PATCH", Copied, |scene| {
        scene.destination.nth("PATCH", SESSION, 2..=2, || refused(404, "BLOB_UPLOAD_UNKNOWN"));
    }).on(Setup::in_chunks).check(|scene, _| assert_eq!(scene.read_again(), 1));

    session_is_gone_at_its_end => Case::new(15, "the upload session is 404 at its PUT", Copied, |scene| {
        scene.destination.once("PUT", SESSION, || refused(404, "BLOB_UPLOAD_UNKNOWN"));
    }).check(|scene, _| assert_eq!(scene.read_again(), 1));

    range_is_shorter => Case::new(16, "a PATCH is acknowledged in part only, and the rest is not kept", Copied, |scene| {
        // The proxy keeps the chunk from the server, which has the bytes of the first alone.
        scene.destination.nth("PATCH", SESSION, 2..=2, || Act::answer(202, "").with(RANGE, "0-5242879"));
    }).on(Setup::in_chunks).check(|scene, _| {
        let from = scene.destination.seen().into_iter().filter(|seen| seen.method == "PATCH");
        let from: Vec<String> =
            from.map(|seen| seen.headers["content-range"].to_str().unwrap().to_owned()).collect();
        assert_eq!(from[..3], ["0-5242879", "5242880-10485759", "5242880-10485759"]);
        assert_eq!(scene.read_again(), 0);
    });

    range_is_longer => Case::new(16, "a PATCH is acknowledged with more than was sent", Failed(1), |scene| {
        scene.destination.nth("PATCH", SESSION, 1.., || Act::Pass.with(RANGE, "0-18446744073709551615"));
    }).on(Setup::in_chunks).says("Range");

    repository_is_missing => Case::new(21, "there is no such repository, and a push's connection is dropped", Failed(1), |scene| {
        scene.destination.always("POST", "*", || Act::close(Phase::Before));
    }).on(Setup::without_repository).says("there is no repository forge/app");
}
