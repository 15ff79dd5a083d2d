//! Every request of an update fails once, in every way; and at every request the process is killed: row 17.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sandbox::{Act, Phase};

use super::{Ends::Updated, Row, asked, told};
use crate::scene::{By, PUSH, Scene};

told! {
    reset_before_the_server_acts: Row::new(7, "each request is reset before the server acts", Updated);
    reset_after_the_server_acted: Row::new(7, "each request is reset after the server acted", Updated);
    reset_in_the_answer: Row::new(7, "each answer is reset after 20 bytes", Updated);
    unavailable_before_the_server_acts: Row::new(9, "503 to each request, and the server never sees it", Updated);
    unavailable_after_the_server_acted: Row::new(9, "502 to each request, and the server has acted", Updated);
    killed_before_the_server_acts: Row::new(17, "SIGKILL at each request before the server acts, and one re-run", Updated);
    killed_after_the_server_acted: Row::new(17, "SIGKILL at each request after the server acted, and one re-run", Updated);
    killed_in_the_answer: Row::new(17, "SIGKILL in each answer, and one re-run", Updated);
}

const LIMIT: Duration = Duration::from_secs(30);

/// How many requests a contended update takes, and how many of them ask for a push or a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    requests: usize,
    pushes: usize,
}

/// A colleague is faster than the first push, and the request of this number comes to a bad end.
fn fails(scene: &Scene, number: usize, act: fn() -> Act) {
    let (hosted, raced) = (Arc::clone(&scene.hosted), AtomicBool::new(false));
    scene.script.set(move |seen| {
        if seen.is("POST", PUSH) && !raced.swap(true, Ordering::SeqCst) {
            hosted.import("M 100644 inline README.md\ndata 1\nx");
        }
        if seen.number == number { act() } else { Act::Pass }
    });
}

/// A contended update that nothing else disturbs.
async fn undisturbed(by: By) -> Cost {
    let scene = Scene::new().await;
    fails(&scene, usize::MAX, || Act::Pass);
    let (code, said) = scene.update(by, LIMIT).await;
    assert_eq!(code, 0, "{by:?}: {said}");
    scene.is_updated(by, &said);
    let seen = scene.script.seen();
    Cost { requests: seen.len(), pushes: seen.iter().filter(|seen| seen.is("POST", PUSH)).count() }
}

/// At every request, and then the same again.
async fn gets_over(act: fn() -> Act) {
    for by in [By::Http, By::Program] {
        let cost = undisturbed(by).await;
        assert!(cost.requests >= 8 && cost.pushes >= 2, "{by:?}: {cost:?}");
        for number in 1..=cost.requests {
            let scene = Scene::new().await;
            fails(&scene, number, act);
            let (code, said) = scene.update(by, LIMIT).await;
            assert_eq!(code, 0, "{by:?} at {number}: {said}\n{:#?}", asked(&scene));
            assert!(scene.script.seen().len() >= number, "{number} was not met");
            scene.is_updated(by, &said);
            assert_eq!(scene.refs(), "refs/heads/main\n", "{by:?} at {number}");

            scene.script.set(|_| Act::Pass);
            let (code, said) = scene.update(by, LIMIT).await;
            assert_eq!(code, 0, "{by:?} again after {number}: {said}");
            scene.is_brought_once();
        }
    }
}

/// The real binary is killed at every request, and run again.
async fn converges(phase: Phase) {
    let cost = undisturbed(By::Binary).await;
    for number in 1..=cost.requests {
        let scene = Scene::new().await;
        match phase {
            Phase::Before => fails(&scene, number, || Act::hold(Phase::Before)),
            Phase::After => fails(&scene, number, || Act::hold(Phase::After)),
            Phase::Answer(_) | Phase::Request(_) => fails(&scene, number, || Act::hold(Phase::Answer(20))),
        }
        let mut child = scene.command(LIMIT).spawn().unwrap();
        tokio::select! {
            () = scene.script.held() => child.kill().await.unwrap(),
            status = child.wait() => assert!(status.unwrap().success() && phase == Phase::Answer(20), "{number} was not met"),
        }
        let killed_in = asked(&scene).pop();
        assert!(scene.ours().len() <= 1, "killed in {killed_in:?}: {:?}", scene.ours());

        scene.script.set(|_| Act::Pass);
        let (code, said) = scene.update(By::Binary, LIMIT).await;
        assert_eq!(code, 0, "killed in {killed_in:?}: {said}");
        scene.is_brought_once();
        assert_eq!(scene.refs(), "refs/heads/main\n", "killed in {killed_in:?}: a turn is left");
    }
}

#[tokio::test]
async fn reset_before_the_server_acts() {
    gets_over(|| Act::reset(Phase::Before)).await;
}

#[tokio::test]
async fn reset_after_the_server_acted() {
    gets_over(|| Act::reset(Phase::After)).await;
}

#[tokio::test]
async fn reset_in_the_answer() {
    gets_over(|| Act::reset(Phase::Answer(20))).await;
}

#[tokio::test]
async fn unavailable_before_the_server_acts() {
    gets_over(|| Act::answer(503, "")).await;
}

#[tokio::test]
async fn unavailable_after_the_server_acted() {
    gets_over(|| Act::answer_after(502, "")).await;
}

#[tokio::test]
async fn killed_before_the_server_acts() {
    converges(Phase::Before).await;
}

#[tokio::test]
async fn killed_after_the_server_acted() {
    converges(Phase::After).await;
}

#[tokio::test]
async fn killed_in_the_answer() {
    converges(Phase::Answer(20)).await;
}

/// The paragraph about it in docs/ledger.md.
pub(super) async fn told() -> String {
    let (http, program, binary) =
        (undisturbed(By::Http).await, undisturbed(By::Program).await, undisturbed(By::Binary).await);
    format!(
        "\nThe tests that say *each* bring an update that loses its first race, so that it takes a turn: {} requests over\n\
         smart HTTP, {} with the git program. Each request fails once in each of 5 ways, {} runs, each of which ends with\n\
         exit code 0 and one commit, and is then run again for nothing. The binary is killed at each of its {} requests in\n\
         3 ways; one re-run converges, to one commit and no turn left.\n",
        http.requests,
        program.requests,
        5 * (http.requests + program.requests),
        binary.requests,
    )
}
