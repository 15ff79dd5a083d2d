//! Ledgers of many commits and of many manifests.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::header::CONTENT_LENGTH;
use ledger::{Branch, Outcome, Remote, Unanswered, git, update};
use sandbox::Act;
use tokio::time::Instant;

use crate::{
    contention::bring,
    hosted::manifest,
    scene::{By, Scene},
    section,
};

const LIMIT: Duration = Duration::from_secs(120);

/// The Ledgers, how many manifests and commits each has, and how many changes of one manifest are looked for: the second
/// newest of the first Ledger is thousands of commits back.
const LEDGERS: [(&str, usize, usize, usize); 2] =
    [("2,000 manifests, 20,000 commits", 2_000, 20_000, 1), ("20,000 manifests, 2 commits", 20_000, 1, 3)];

/// What came and went since it was asked last.
#[derive(Default)]
struct Traffic {
    down: AtomicU64,
    up: AtomicU64,
}

impl Traffic {
    fn of(scene: &Scene) -> Arc<Self> {
        let traffic = Arc::new(Self::default());
        let counted = Arc::clone(&traffic);
        scene.script.set(move |seen| {
            let length = seen.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
            counted.up.fetch_add(length.unwrap_or(0), Ordering::SeqCst);
            let counted = Arc::clone(&counted);
            Act::change(move |answer| {
                counted.down.fetch_add(answer.body().len() as u64, Ordering::SeqCst);
                answer
            })
        });
        traffic
    }

    fn told(&self, requests: usize) -> String {
        let take = |bytes: &AtomicU64| bytes.swap(0, Ordering::SeqCst) as f64 / 1000.0;
        format!("{requests} requests, {:.1} KB down, {:.1} KB up", take(&self.down), take(&self.up))
    }
}

/// So many manifests on top of what is there, and so many commits, each of which sets the tag of one of them.
fn grow(scene: &Scene, manifests: usize, commits: usize) {
    let mut stream = String::new();
    let mut commit = |files: std::ops::Range<usize>, number: usize| {
        let time = 1_700_000_000 + number;
        let from = if number == 0 { "from refs/heads/main^0\n" } else { "" };
        stream.push_str(&format!(
            "commit refs/heads/main\ncommitter A <a@localhost> {time} +0000\ndata 6\ngrows\n{from}"
        ));
        for file in files {
            let text =
                format!("# app {file}\nimage:\n  repository: forge/app-{file}\n  tag: \"{number}\"\nreplicas: 2\n");
            stream.push_str(&format!("M 100644 inline {}\ndata {}\n{text}", manifest(file), text.len()));
        }
        stream.push('\n');
    };
    commit(0..manifests, 0);
    for number in 1..commits {
        let file = number % manifests;
        commit(file..file + 1, number);
    }
    scene.hosted.stream(stream.as_bytes());
}

/// Brings a change and looks for it again, and says what that took.
async fn brought(scene: &Scene, by: By, changes: usize) -> [String; 3] {
    let (main, number) = ("main".parse::<Branch>().unwrap(), if by == By::Http { 0 } else { 1 });
    let traffic = Traffic::of(scene);
    let client = || -> Box<dyn Remote> {
        if by == By::Http {
            return scene.client(by, LIMIT);
        }
        let url = format!("file://{}", scene.hosted.path().display());
        Box::new(git::Program::new(url.parse().unwrap(), git::Settings { timeout: LIMIT, ..git::Settings::default() }))
    };
    let told = |since: usize| traffic.told(scene.script.seen().len() - since);
    let change = bring(number);
    let outcome = update(&*client(), &main, &change, Instant::now() + LIMIT).await.unwrap();
    let Outcome::Updated { commit, parent, .. } = outcome else { panic!("{outcome:?}") };
    let (seen, updated) = (scene.script.seen().len(), told(0));

    let push = Unanswered { expected: parent, run: change.run, commits: vec![] };
    assert_eq!(client().landed(&main, &push).await.unwrap(), Some(commit));
    let (seen, landed) = (scene.script.seen().len(), told(seen));

    let history = client().history(&main, &manifest(number), changes).await.unwrap();
    assert_eq!(history[0].id, commit);
    // As git itself says.
    let log =
        scene.hosted.git(&["log", "--format=%H", &format!("-{changes}"), "main", "--", manifest(number).as_str()]);
    let expected: Vec<&str> = log.lines().collect();
    let found: Vec<String> = history.iter().map(|meta| meta.id.to_string()).collect();
    assert_eq!(found, expected);
    [updated, landed, told(seen)]
}

#[tokio::test]
async fn one_update_of_a_large_ledger() {
    let mut rows =
        String::from("| Ledger | by | one update | its commit looked for | its manifest's newest changes, 1 and 3 |\n");
    rows.push_str("| --- | --- | --- | --- | --- |\n");
    for (name, manifests, commits, changes) in LEDGERS {
        let scene = Scene::new().await;
        grow(&scene, manifests, commits);
        for (by, client) in [(By::Http, "smart HTTP"), (By::Program, "the git program")] {
            let [update, landed, history] = brought(&scene, by, changes).await;
            if by == By::Http {
                rows.push_str(&format!("| {name} | {client} | {update} | {landed} | {history} |\n"));
                assert!(update.starts_with("4 requests"), "{update}");
            } else {
                rows.push_str(&format!("| {name} | {client} | done | found | done |\n"));
            }
        }
        scene.hosted.assert_clean();
    }
    println!("{rows}");
    section::measured("large", &rows);
}
