//! Every request of a copy fails once, in every way; and at every request the process is killed: row 22.

use std::sync::Arc;

use sandbox::{Act, Break, Phase};
use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    Ends::Copied,
    Row,
    scene::{Scene, Setup, Side, TAG},
    told,
};

/// Copies that run at once.
const AT_ONCE: usize = 4;

told! {
    killed_before_the_server_acts: Row::new(22, "SIGKILL at each request before the server acts, and one re-run", Copied);
    killed_after_the_server_acted: Row::new(22, "SIGKILL at each request after the server acted, and one re-run", Copied);
    reset_before_the_server_acts: Row::new(22, "each request is reset before the server acts", Copied);
    reset_after_the_server_acted: Row::new(22, "each request is reset after the server acted", Copied);
    unavailable_before_the_server_acts: Row::new(22, "503 to each request, and the server never sees it", Copied);
    unavailable_after_the_server_acted: Row::new(22, "503 to each request, and the server has acted", Copied);
}

/// Which side's request of which number.
#[derive(Debug, Clone, Copy)]
struct Point {
    at_source: bool,
    number: usize,
}

impl Point {
    fn side(self, scene: &Scene) -> &Side {
        if self.at_source { &scene.source } else { &scene.destination }
    }

    fn fails(self, scene: &Scene, act: fn() -> Act) {
        self.side(scene).nth("*", "*", self.number..=self.number, act);
    }
}

/// The requests of a copy that nothing disturbs, to the source and to the destination.
async fn undisturbed() -> (usize, usize) {
    let scene = Scene::of(Setup::of_two_platforms()).await;
    let ran = scene.run("20s").await;
    assert_eq!(ran.code, 0, "{ran:?}");
    scene.is_whole().await;
    (scene.source.seen().len(), scene.destination.seen().len())
}

/// Does this at every request of a copy.
async fn at_every_request<Run: Future<Output = ()> + Send + 'static>(run: fn(Point, Scene) -> Run) {
    let (source, destination) = undisturbed().await;
    assert!(source >= 10 && destination >= 20, "{source} {destination}");
    let points = |at_source, last| (1..=last).map(move |number| Point { at_source, number });
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let mut runs = JoinSet::new();
    for point in points(true, source).chain(points(false, destination)) {
        let gate = Arc::clone(&gate);
        runs.spawn(async move {
            let _permit = gate.acquire().await.unwrap();
            run(point, Scene::of(Setup::of_two_platforms()).await).await;
        });
    }
    runs.join_all().await;
}

async fn gets_over(point: Point, scene: Scene, act: fn() -> Act) {
    point.fails(&scene, act);
    let ran = scene.run("30s").await;
    assert_eq!(ran.code, 0, "{point:?} {:?}: {ran:?}", point.side(&scene).seen().get(point.number - 1));
    assert_eq!(scene.faults_met(), 1, "{point:?} was not met");
    scene.is_whole().await;
    assert!(scene.read_again() <= 1, "{point:?}");
}

async fn converges(point: Point, scene: Scene, phase: Phase) {
    let side = point.side(&scene);
    side.nth("*", "*", point.number..=point.number, move || Act::Break(phase, Break::Hold));
    let mut child = scene.agent().command(&scene.line(&format!(":{TAG}"), "30s")).spawn().unwrap();
    tokio::select! {
        () = side.script.held() => child.kill().await.unwrap(),
        status = child.wait() => panic!("{point:?} was not met: {status:?}"),
    }
    let killed_in = side.seen().get(point.number - 1).cloned();
    let tag = scene.destination.witness.tag(TAG).await;
    if tag.is_some() {
        // Whoever finds the tag finds all of the image.
        scene.is_whole().await;
    }
    scene.source.script.set(|_| Act::Pass);
    scene.destination.script.set(|_| Act::Pass);
    let again = scene.run("30s").await;
    assert_eq!(again.code, 0, "killed in {killed_in:?}: {again:?}");
    scene.is_whole().await;
    if tag.is_some() {
        assert_eq!(again.document()["outcome"], "already-present", "killed in {killed_in:?}");
    }
}

#[tokio::test]
async fn killed_before_the_server_acts() {
    at_every_request(|point, scene| converges(point, scene, Phase::Before)).await;
}

#[tokio::test]
async fn killed_after_the_server_acted() {
    at_every_request(|point, scene| converges(point, scene, Phase::After)).await;
}

#[tokio::test]
async fn reset_before_the_server_acts() {
    at_every_request(|point, scene| gets_over(point, scene, || Act::reset(Phase::Before))).await;
}

#[tokio::test]
async fn reset_after_the_server_acted() {
    at_every_request(|point, scene| gets_over(point, scene, || Act::reset(Phase::After))).await;
}

#[tokio::test]
async fn unavailable_before_the_server_acts() {
    at_every_request(|point, scene| gets_over(point, scene, || Act::answer(503, ""))).await;
}

#[tokio::test]
async fn unavailable_after_the_server_acted() {
    at_every_request(|point, scene| gets_over(point, scene, || Act::answer_after(503, ""))).await;
}

/// The paragraph about it in docs/faults.md.
pub(super) async fn told() -> String {
    let (source, destination) = undisturbed().await;
    let requests = source + destination;
    format!(
        "\nThe tests of row 22 copy an index of two images and a referrer, which takes {source} requests to the source\n\
         and {destination} to the destination, and do so for every one of these requests: {} runs in which it fails, each of\n\
         which ends with exit code 0, and {} in which the process is killed there, each followed by one that converges.\n",
        4 * requests,
        2 * requests,
    )
}
