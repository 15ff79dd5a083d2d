//! Answers to a push that say no, say it badly, or do not end: rows 1 to 6.

use http::header::CONTENT_TYPE;
use sandbox::Act;

use super::{
    Case,
    Ends::{Failed, Refused, Updated},
    cases,
};
use crate::{
    scene::{PUSH, Scene},
    wire::{band, pkt, report, reports},
};

const UNKNOWN: [&str; 2] = ["unpack ok", "ng refs/heads/main words that nobody knows"];

/// The server acts, and its answer loses so many bytes at its end.
fn cut(scene: &Scene, bytes: usize) {
    scene.on(PUSH, 1..=1, move |_| {
        Act::change(move |answer| answer.map(|body| body.slice(..body.len().saturating_sub(bytes))))
    });
}

/// Half a report, and then the server's last words.
fn dies() -> Vec<u8> {
    [band(1, &pkt(b"unpack ok\n")), band(3, b"fatal: the disk is gone\n"), b"0000".to_vec()].concat()
}

fn web_page(status: u16) -> Act {
    Act::answer(status, "<html><body>Sign in</body></html>").with(CONTENT_TYPE, "text/html; charset=utf-8")
}

cases! {
    refused_in_unknown_words => Case::new(1, "`ng` in unknown words, and the branch stands still", Refused, |scene| {
        scene.on(PUSH, 1.., |_| reports(&UNKNOWN));
    });

    race_in_unknown_words => Case::new(1, "`ng` in unknown words, and the branch has moved", Updated, |scene| {
        let hosted = std::sync::Arc::clone(&scene.hosted);
        scene.on(PUSH, 1..=1, move |_| {
            hosted.import("M 100644 inline README.md\ndata 1\nx");
            Act::body(report(&UNKNOWN))
        });
    });

    done_and_called_refused => Case::new(1, "`ng`, and the branch was moved all the same", Updated, |scene| {
        scene.on(PUSH, 1..=1, |_| Act::body(report(&UNKNOWN)));
    });

    pack_is_too_large => Case::new(2, "an `unpack` error: the server's own, for receive.maxInputSize", Refused, |scene| {
        scene.hosted.git(&["config", "receive.maxInputSize", "100"]);
    });

    unpack_error => Case::new(2, "an `unpack` error in unknown words", Refused, |scene| {
        scene.on(PUSH, 1.., |_| reports(&["unpack out of luck", "ng refs/heads/main unpacker error"]));
    });

    dies_in_the_report => Case::new(3, "band 3 in the middle of the report; the push was done", Updated, |scene| {
        scene.on(PUSH, 1..=1, |_| Act::body(dies()));
    });

    dies_and_did_nothing => Case::new(3, "band 3 in the middle of the report; nothing was done", Updated, |scene| {
        scene.on(PUSH, 1..=1, |_| {
            Act::answer(200, dies()).with(CONTENT_TYPE, "application/x-git-receive-pack-result")
        });
    });

    report_is_cut => Case::new(4, "200, and a report that ends in the middle of a line", Updated, |scene| cut(scene, 20));

    report_is_empty => Case::new(4, "200, and no report at all", Updated, |scene| cut(scene, 1 << 20));

    flush_is_missing => Case::new(5, "the flush at the end is missing", Updated, |scene| cut(scene, 4));

    inner_flush_is_missing => Case::new(5, "the report's own flush is missing", Updated, |scene| {
        scene.on(PUSH, 1..=1, |_| {
            let lines = [pkt(b"unpack ok\n"), pkt(b"ok refs/heads/main\n")].concat();
            Act::body([band(1, &lines), b"0000".to_vec()].concat())
        });
    });

    sign_in_page => Case::new(6, "200 with a sign-in page for everything", Failed(1), |scene| {
        scene.script.set(|_| web_page(200));
    }).within(3).says("sign-in page");

    sign_in_page_203 => Case::new(6, "203 with a sign-in page for everything, as Azure DevOps", Failed(1), |scene| {
        scene.script.set(|_| web_page(203));
    }).within(3);

    sign_in_page_for_a_push => Case::new(6, "200 with a sign-in page for one push, and nothing was done", Updated, |scene| {
        scene.on(PUSH, 1..=1, |_| web_page(200));
    });
}
