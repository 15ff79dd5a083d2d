//! Reads that come from a server which lags behind (row 10), and many writers (row 16).

use std::{
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ledger::{Outcome, update};
use sandbox::{Act, GitOptions, GitServer, Phase};
use tempfile::TempDir;
use tokio::time::Instant;

use super::{Ends::Updated, Row, told};
use crate::{
    contention::bring,
    hosted::{Hosted, manifest},
    scene::{By, PUSH, Scene, authority},
};

told! {
    reads_of_a_replica_after_a_lost_answer: Row::new(10, "the push is done, its answer lost, and the next 5 reads are of a replica that has not got it", Updated);
    reads_of_a_replica_before_the_push: Row::new(10, "the first 5 reads are of a replica that lags behind", Updated);
    reads_of_a_replica_after_success: Row::new(10, "after a success, the same update again, and its first 5 reads are of a replica that has not got it", Updated);
    forty_writers: Row::new(16, "40 writers of 40 manifests at the same instant", Updated);
}

const LIMIT: Duration = Duration::from_secs(20);

/// A server with the repository as it is now.
struct Replica {
    server: GitServer,
    _directory: TempDir,
}

impl Replica {
    async fn of(hosted: &Hosted) -> Self {
        let directory = TempDir::new().unwrap();
        copy(&hosted.path(), directory.path());
        let server = GitServer::start(directory.path(), GitOptions::default()).await.unwrap();
        Self { server, _directory: directory }
    }
}

fn copy(repository: &Path, into: &Path) {
    let copied = Command::new("cp").arg("-a").arg(repository).arg(into).status().unwrap();
    assert!(copied.success());
}

/// So many reads are answered by the replica: at once, or from the first push on, whose answer is lost.
fn reads_of(scene: &Scene, replica: &Replica, number: usize, after_a_push: bool) {
    let (old, new) = (replica.server.url().replace("http://", ""), authority(&scene.hosted));
    let left = AtomicUsize::new(if after_a_push { 0 } else { number });
    let (proxy, pushes) = (Arc::downgrade(&scene.proxy), AtomicUsize::new(0));
    scene.script.set(move |seen| {
        let Some(proxy) = proxy.upgrade() else { return Act::Pass };
        if seen.path.contains("git-receive-pack") {
            proxy.turn_to(new.clone());
            if seen.is("POST", PUSH) && pushes.fetch_add(1, Ordering::SeqCst) == 0 && after_a_push {
                left.store(number, Ordering::SeqCst);
                return Act::reset(Phase::After);
            }
            return Act::Pass;
        }
        let lags = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        proxy.turn_to(if lags { old.clone() } else { new.clone() });
        Act::Pass
    });
}

async fn is_brought(scene: &Scene, by: By) {
    let (code, said) = scene.update(by, LIMIT).await;
    assert_eq!(code, 0, "{by:?}: {said}");
    scene.is_updated(by, &said);
}

const ALL: [By; 3] = [By::Http, By::Program, By::Binary];

#[tokio::test]
async fn reads_of_a_replica_after_a_lost_answer() {
    for by in ALL {
        let scene = Scene::new().await;
        let replica = Replica::of(&scene.hosted).await;
        reads_of(&scene, &replica, 5, true);
        is_brought(&scene, by).await;
    }
}

#[tokio::test]
async fn reads_of_a_replica_before_the_push() {
    for by in ALL {
        let scene = Scene::new().await;
        let replica = Replica::of(&scene.hosted).await;
        scene.hosted.import("M 100644 inline README.md\ndata 1\nx");
        reads_of(&scene, &replica, 5, false);
        is_brought(&scene, by).await;
        assert_eq!(scene.file("README.md"), "x");
    }
}

#[tokio::test]
async fn reads_of_a_replica_after_success() {
    for by in ALL {
        let scene = Scene::new().await;
        let replica = Replica::of(&scene.hosted).await;
        is_brought(&scene, by).await;
        reads_of(&scene, &replica, 5, false);
        let (code, said) = scene.update(by, LIMIT).await;
        assert_eq!(code, 0, "{by:?}: {said}");
        scene.is_brought_once();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn forty_writers() {
    const WRITERS: usize = 40;
    let scene = Scene::new().await;
    let (main, limit) = ("main".parse().unwrap(), Duration::from_secs(120));
    let write = async |number: usize| {
        let client = scene.client(By::Http, limit);
        update(&*client, &main, &bring(number), Instant::now() + limit).await
    };
    let outcomes = futures_util::future::join_all((0..WRITERS).map(write)).await;
    for (number, outcome) in outcomes.into_iter().enumerate() {
        assert!(matches!(outcome, Ok(Outcome::Updated { .. })), "{number}: {outcome:?}");
        assert!(scene.file(&manifest(number).to_string()).contains("tag: \"2\""), "{number}");
    }
    assert_eq!(scene.ours().len(), WRITERS);
    assert_eq!(scene.refs(), "refs/heads/main\n");
    scene.hosted.assert_clean();
}
