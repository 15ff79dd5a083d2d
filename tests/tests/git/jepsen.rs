//! Many processes of the real binary, lost answers and kills, and Git's log held against what each was told.

use std::{
    collections::BTreeMap,
    env,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sandbox::{Act, Phase};
use tests::Agent;
use tokio::task::JoinSet;

use crate::{hosted::manifest, scene::Scene, section};

/// How many manifests are written to.
const MANIFESTS: usize = 10;

/// The first number that is set.
const FIRST: usize = 1_000;

/// What a process said at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    /// It is written, by this commit.
    Updated(String),
    /// A newer one is there, or others were always faster.
    NotWritten,
    /// It was killed, or could not find out.
    Unknown,
}

#[derive(Debug)]
struct Ran {
    number: usize,
    told: Told,
    killed: bool,
    took: Duration,
    tries: u64,
}

fn manifest_of(number: usize) -> usize {
    mixed(number) % MANIFESTS
}

/// A number that looks like chance and is the same in each run (splitmix64).
fn mixed(number: usize) -> usize {
    let mut mixed = (number as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) as usize >> 1
}

/// How many run, how many at a time, and of how many one is hit by chance.
#[derive(Debug, Clone, Copy)]
struct Plan {
    updates: usize,
    processes: usize,
    one_of: usize,
}

impl Plan {
    fn hits(self, number: usize) -> bool {
        mixed(number).is_multiple_of(self.one_of)
    }

    /// When a process is killed: anywhere in the time that one takes with so many others.
    fn kill_after(self, number: usize) -> Option<Duration> {
        let longest = 250 * self.processes;
        self.hits(number + 7).then(|| Duration::from_millis((mixed(number) % longest) as u64))
    }
}

async fn run(agent: &Agent, url: &str, number: usize, plan: Plan) -> Ran {
    let file = manifest(manifest_of(number));
    let line = format!(
        "update-ledger --repo {url} --file {file} --key image.tag --set {number} --forward-only --output json --timeout 120s"
    );
    let began = Instant::now();
    let mut child = agent.command(&line).spawn().unwrap();
    if let Some(pause) = plan.kill_after(number) {
        tokio::time::sleep(pause).await;
        drop(child.start_kill());
    }
    let output = child.wait_with_output().await.unwrap();
    let took = began.elapsed();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let told = match output.status.code() {
        Some(0) => Told::Updated(document["commit"].as_str().unwrap().to_owned()),
        Some(11 | 14) => Told::NotWritten,
        Some(3) | None => Told::Unknown,
        code @ Some(_) => {
            panic!("{number} ended with {code:?}: {document} {}", String::from_utf8_lossy(&output.stderr))
        }
    };
    let killed = output.status.code().is_none();
    Ran { number, told, killed, took, tries: document["attempts"].as_u64().unwrap_or_default() }
}

/// The numbers that Git's log says were set, in its order, each with its commit and manifest.
fn log(scene: &Scene) -> Vec<(usize, String, String)> {
    let text = scene.hosted.git(&[
        "log",
        "--reverse",
        "--first-parent",
        "-p",
        "-U0",
        "--no-color",
        "--format=commit %H",
        "main",
        "--",
    ]);
    let (mut commit, mut file, mut log) = (String::new(), String::new(), Vec::new());
    for line in text.lines() {
        if let Some(id) = line.strip_prefix("commit ") {
            id.clone_into(&mut commit);
        } else if let Some(path) = line.strip_prefix("+++ b/") {
            path.clone_into(&mut file);
        } else if let Some(tag) = line.strip_prefix("+  tag: \"") {
            log.push((tag.trim_end_matches('"').parse().unwrap(), commit.clone(), file.clone()));
        }
    }
    log.retain(|(number, ..)| *number >= FIRST);
    log
}

/// What is wrong with a log, given what the processes were told.
fn judge(log: &[(usize, String, String)], runs: &[Ran]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    for (number, _, file) in log {
        if *file != manifest(manifest_of(*number)).to_string() {
            wrong.push(format!("{number} is in {file}"));
        }
        if last.insert(file, *number).is_some_and(|before| before >= *number) {
            wrong.push(format!("{file} goes back to {number}"));
        }
    }
    for Ran { number, told, .. } in runs {
        let commits: Vec<&String> = log.iter().filter(|(set, ..)| set == number).map(|(_, commit, _)| commit).collect();
        let is_right = match told {
            Told::Updated(commit) => commits == [commit],
            Told::NotWritten => commits.is_empty(),
            Told::Unknown => commits.len() <= 1,
        };
        if !is_right {
            wrong.push(format!("{number} was told {told:?}, and is in {commits:?}"));
        }
    }
    wrong
}

fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    sorted[(sorted.len() - 1) * percent / 100].as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jepsen() {
    let is_soak = env::var_os("LEDGER_SOAK").is_some();
    let plan = match is_soak {
        true => Plan { updates: 500, processes: 20, one_of: 50 },
        false => Plan { updates: 60, processes: 6, one_of: 10 },
    };
    let Plan { updates, processes, .. } = plan;
    let scene = Arc::new(Scene::new().await);
    let lost = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&lost);
    scene.script.set(move |seen| {
        if plan.hits(seen.number) {
            counted.fetch_add(1, Ordering::SeqCst);
            return Act::reset(Phase::After);
        }
        Act::Pass
    });
    let (next, began) = (Arc::new(AtomicUsize::new(FIRST)), Instant::now());
    let mut workers = JoinSet::new();
    for _ in 0..processes {
        let (scene, next) = (Arc::clone(&scene), Arc::clone(&next));
        workers.spawn(async move {
            let (agent, mut runs) = (Agent::new(None, &[]), Vec::new());
            loop {
                let number = next.fetch_add(1, Ordering::SeqCst);
                if number >= FIRST + updates {
                    return runs;
                }
                runs.push(run(&agent, &scene.url(), number, plan).await);
            }
        });
    }
    let runs: Vec<Ran> = workers.join_all().await.into_iter().flatten().collect();
    let wall = began.elapsed();
    let requests = scene.script.seen().len();
    let log = log(&scene);
    assert_eq!(judge(&log, &runs), Vec::<String>::new());
    assert_eq!(runs.len(), updates);
    for index in 0..MANIFESTS {
        let file = manifest(index).to_string();
        let last = log.iter().rfind(|(.., path)| *path == file).map_or(1, |(number, ..)| *number);
        assert!(scene.file(&file).contains(&format!("tag: \"{last}\"\n")), "{file} has not {last}");
    }
    scene.hosted.assert_clean();

    let count = |is: fn(&Told) -> bool| runs.iter().filter(|ran| is(&ran.told)).count();
    let updated = count(|told| matches!(told, Told::Updated(_)));
    let unknown = runs.iter().filter(|ran| ran.told == Told::Unknown);
    let landed = unknown.clone().filter(|ran| log.iter().any(|(number, ..)| *number == ran.number)).count();
    assert!(updated > updates / 4, "{updated} of {updates} were acknowledged: {runs:?}");
    let killed = runs.iter().filter(|ran| ran.killed).count();
    assert!(lost.load(Ordering::SeqCst) > 0 && killed > 0);
    let mut times: Vec<Duration> = runs.iter().filter(|ran| !ran.killed).map(|ran| ran.took).collect();
    times.sort_unstable();
    let tries: u64 = runs.iter().map(|ran| ran.tries).sum();
    let rows = [
        ("updates / processes at a time", format!("{updates} / {processes}")),
        ("acknowledged, each in the log once", updated.to_string()),
        ("superseded by a newer number, and not in the log", count(|told| *told == Told::NotWritten).to_string()),
        ("killed, or in doubt at the end / of these in the log, once", format!("{} / {landed}", unknown.count())),
        ("doubled, lost, gone back", "0".to_owned()),
        ("answers lost / processes killed", format!("{} / {killed}", lost.load(Ordering::SeqCst))),
        ("wall", format!("{:.1} s", wall.as_secs_f64())),
        ("one update, p50 / p99", format!("{:.2} s / {:.2} s", percentile(&times, 50), percentile(&times, 99))),
        ("pushes / requests", format!("{tries} / {requests}")),
    ];
    let table: String = rows.iter().map(|(what, figure)| format!("| {what} | {figure} |\n")).collect();
    println!("{table}");
    if is_soak {
        assert!(percentile(&times, 99) <= 20.0, "{table}");
        section::measured("soak", &format!("| | |\n| --- | --- |\n{table}"));
    }
}

#[test]
fn a_log_that_is_wrong_is_found_out() {
    let ran = |number, told| Ran { number, told, killed: false, took: Duration::ZERO, tries: 1 };
    let at = |number: usize, commit: &str| (number, commit.to_owned(), manifest(manifest_of(number)).to_string());
    let updated = |commit: &str| Told::Updated(commit.to_owned());
    let other = (FIRST + 1..).find(|number| manifest_of(*number) == manifest_of(FIRST)).unwrap();
    let good = [at(FIRST, "a"), at(other, "b")];
    assert!(judge(&good, &[ran(FIRST, updated("a")), ran(other, Told::Unknown)]).is_empty());
    assert!(judge(&good[..1], &[ran(other, Told::Unknown), ran(other, Told::NotWritten)]).is_empty());
    for (log, told) in [
        (vec![], ran(FIRST, updated("a"))),
        (vec![at(FIRST, "b")], ran(FIRST, updated("a"))),
        (vec![at(FIRST, "a"), at(FIRST, "c")], ran(FIRST, Told::Unknown)),
        (vec![at(FIRST, "a")], ran(FIRST, Told::NotWritten)),
        (vec![at(other, "b"), at(FIRST, "a")], ran(FIRST, updated("a"))),
    ] {
        assert!(!judge(&log, &[told]).is_empty(), "{log:?}");
    }
}
