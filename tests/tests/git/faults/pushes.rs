//! Pushes without an answer, and such that wait: rows 7 to 9, 15 and 17.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use http::header::CONTENT_TYPE;
use sandbox::{Act, Phase};

use super::{
    Case,
    Ends::{Failed, Refused, Updated},
    cases,
};
use crate::{
    hosted::Hosted,
    scene::{PUSH, Scene},
};

/// The push is done and its answer lost; then this happens before the next request.
pub(super) fn then(scene: &Scene, what: impl Fn(&Hosted) + Send + Sync + 'static) {
    let (hosted, lost, happened) = (Arc::clone(&scene.hosted), AtomicBool::new(false), AtomicBool::new(false));
    scene.script.set(move |seen| {
        if lost.load(Ordering::SeqCst) {
            if !happened.swap(true, Ordering::SeqCst) {
                what(&hosted);
            }
            return Act::Pass;
        }
        if seen.is("POST", PUSH) {
            lost.store(true, Ordering::SeqCst);
            return Act::reset(Phase::After);
        }
        Act::Pass
    });
}

fn bad_gateway(status: u16) -> Act {
    Act::answer(status, "<html><h1>Bad Gateway</h1></html>").with(CONTENT_TYPE, "text/html")
}

cases! {
    answer_is_lost => Case::new(7, "the push is done, and the connection reset before the answer", Updated, |scene| {
        scene.on(PUSH, 1..=1, |_| Act::reset(Phase::After));
    });

    answer_is_closed => Case::new(7, "the push is done, and the connection closed in the middle of the answer", Updated, |scene| {
        scene.on(PUSH, 1..=1, |_| Act::close(Phase::Answer(10)));
    });

    request_is_lost => Case::new(7, "the connection is reset in the middle of the push", Updated, |scene| {
        scene.on(PUSH, 1..=1, |_| Act::reset(Phase::Request(300)));
    });

    answer_is_lost_and_others_follow => Case::new(8, "the push is done, its answer lost, and others have committed since", Updated, |scene| {
        then(scene, |hosted| {
            for _ in 0..30 {
                hosted.import("M 100644 inline README.md\ndata 1\nx");
            }
        });
    });

    bad_gateway_and_not_done => Case::new(9, "502 with an HTML page; the push was not done", Updated, |scene| {
        scene.on(PUSH, 1..=1, |_| bad_gateway(502));
    });

    unavailable_and_done => Case::new(9, "503; the push was done", Updated, |scene| {
        scene.on(PUSH, 1..=1, |_| Act::answer_after(503, ""));
    });

    unavailable_for_ever => Case::new(9, "503 to every push, none of which was done", Failed(3), |scene| {
        scene.on(PUSH, 1.., |_| Act::answer(503, ""));
    }).within(3);

    hook_hangs => Case::new(15, "the pre-receive hook hangs for 30 s: given up at the deadline, as unknown", Failed(3), |scene| {
        scene.hosted.hook("pre-receive", "exec sleep 30");
    }).within(3);

    hook_is_slow => Case::new(15, "the pre-receive hook takes 2 s", Updated, |scene| {
        scene.hosted.hook("pre-receive", "sleep 2");
    });

    quota => Case::new(15, "the pre-receive hook refuses: a quota is used up", Refused, |scene| {
        scene.hosted.hook("pre-receive", "echo 'quota exceeded' >&2; exit 1");
    }).says("quota exceeded");

    turn_is_left => Case::new(17, "a writer was killed and has left its turn", Updated, |scene| {
        scene.hosted.git(&["update-ref", "refs/conveyor/turns/main/01JZZZZZZZ0000000000000001", "main"]);
    });
}
