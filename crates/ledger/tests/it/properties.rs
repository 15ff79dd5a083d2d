//! Many writers on one branch, judged against what the log says.

use std::{collections::BTreeMap, sync::Arc};

use ledger::{
    Branch, Change, Outcome, RepoPath, Scalar,
    faults::{Fault, Faulty},
    get_scalar,
    memory::Repository,
};
use proptest::{collection::vec, prelude::*};
use release::CommitId;

use crate::support::{bring, change, forward, killed_after, main, manifest, path, record, run, server};

#[derive(Debug, Clone)]
struct Writer {
    file: usize,
    build: u64,
    faults: Vec<(usize, Fault)>,
    /// After how many polls its process is killed, if at all.
    killed: Option<usize>,
}

const FILES: [&str; 3] = ["apps/a.yaml", "apps/b.yaml", "apps/c.yaml"];

fn a_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::NotSent),
        Just(Fault::RequestLost),
        Just(Fault::AnswerLost),
        Just(Fault::Delayed),
        Just(Fault::Hangs),
        (0_usize..9).prop_map(|n| Fault::Race(vec![(path("noise.txt"), n.to_string().into())])),
    ]
}

fn a_writer() -> impl Strategy<Value = Writer> {
    let faults = vec((0_usize..16, a_fault()), 0..4);
    (0..FILES.len(), 2_u64..30, faults, proptest::option::weighted(0.3, 1_usize..30))
        .prop_map(|(file, build, faults, killed)| Writer { file, build, faults, killed })
}

/// A writer's change: its run is its number, so that each has its own.
fn change_of(number: usize, writer: &Writer) -> Change {
    let item = format!("{{\"writer\":{number}}}");
    let prepends = vec![record(&format!("records/{}.json", writer.file), &item, Some(0))];
    Change { prepends, ..change(number as u64, vec![forward(FILES[writer.file], writer.build)]) }
}

/// Lets every writer run at once; what each was told, `None` for the killed and for those who heard nothing.
async fn race(server: &Repository, writers: &[Writer]) -> Vec<Option<Outcome>> {
    let tasks: Vec<_> = writers
        .iter()
        .enumerate()
        .map(|(number, writer)| {
            let client = Faulty::new(Arc::new(server.clone()));
            let client = writer.faults.iter().fold(client, |client, (call, fault)| client.with(*call, fault.clone()));
            let (change, killed) = (change_of(number, writer), writer.killed);
            tokio::spawn(async move {
                match killed_after(killed.unwrap_or(usize::MAX), bring(&client, &change)).await {
                    // Whoever waits for an answer until the deadline knows no more than the killed.
                    Some(Err(error)) if error.is_retryable() => None,
                    outcome => outcome.map(Result::unwrap),
                }
            })
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

fn value(server: &Repository, at: &CommitId, file: &RepoPath) -> u64 {
    let bytes = server.file(at, file).unwrap();
    let scalar: Scalar = get_scalar(&bytes, None, &"image.tag".parse().unwrap()).unwrap();
    scalar.as_str().parse().unwrap()
}

/// What the log must say, whatever the writers did.
fn check(server: &Repository, writers: &[Writer], outcomes: &[Option<Outcome>]) {
    let log = server.log(&main());
    let mut by_run: BTreeMap<usize, Vec<&ledger::Meta>> = BTreeMap::new();
    for (number, _) in writers.iter().enumerate() {
        by_run.insert(number, log.iter().filter(|meta| meta.run == Some(run(number as u64))).collect());
    }
    for (number, (writer, outcome)) in writers.iter().zip(outcomes).enumerate() {
        let (file, commits) = (path(FILES[writer.file]), &by_run[&number]);
        // Each commit's parent held what its edit was decided on: an older build.
        for meta in commits {
            let (was, is) = (value(server, &meta.parents[0], &file), value(server, &meta.id, &file));
            assert!(was < writer.build && is == writer.build, "{writer:?}: {was} became {is}");
        }
        match outcome {
            Some(Outcome::Updated { commit, parent, .. }) => {
                assert_eq!(commits.len(), 1, "acknowledged, so once in the log: {writer:?}");
                assert_eq!((commits[0].id, &*commits[0].parents), (*commit, &[*parent][..]));
            }
            Some(Outcome::Unchanged { at }) => {
                assert!(commits.is_empty() && value(server, at, &file) == writer.build, "{writer:?}");
            }
            Some(Outcome::Superseded { found, .. }) => {
                assert!(commits.is_empty(), "superseded, so nothing is written: {writer:?}");
                assert!(found.as_str().parse::<u64>().unwrap() > writer.build);
            }
            Some(Outcome::NeverWon { .. }) => {
                assert!(commits.is_empty(), "never won, so nothing is written: {writer:?}");
            }
            Some(other) => panic!("{writer:?}: {other:?}"),
            None => assert!(commits.len() <= 1, "killed, so once at most: {writer:?}"),
        }
    }
    let head = log[0].id;
    for (which, file) in FILES.iter().enumerate() {
        let of_file = || writers.iter().enumerate().filter(move |(_, writer)| writer.file == which);
        // No run that wrote is lost: its record is in the file, in the log's order.
        let records = server.file(&head, &path(&format!("records/{which}.json")));
        let records = String::from_utf8(records.unwrap_or_default().to_vec()).unwrap();
        let wrote: Vec<usize> = log
            .iter()
            .filter_map(|meta| of_file().find(|(n, _)| meta.run == Some(run(*n as u64))))
            .map(|(n, _)| n)
            .collect();
        let lines: Vec<String> = wrote.iter().map(|number| format!("{{\"writer\":{number}}}")).collect();
        let expected = if lines.is_empty() { String::new() } else { format!("[\n{}\n]\n", lines.join(",\n")) };
        assert_eq!(records, expected);
        // The last value is the greatest build of those who were told that it is there.
        let knows = |n: &usize| !matches!(outcomes[*n], None | Some(Outcome::NeverWon { .. }));
        let told = of_file().filter(|(n, _)| knows(n)).map(|(_, writer)| writer.build).max();
        let written = wrote.iter().map(|n| writers[*n].build).max();
        assert_eq!(value(server, &head, &path(file)), told.max(written).unwrap_or(1));
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn writers_lose_nothing_and_the_newest_build_wins(writers in vec(a_writer(), 1..9), turns: bool, seed: u64) {
        fastrand::seed(seed);
        runtime().block_on(async {
            let server = server(&FILES.map(|file| (file, manifest("1"))));
            if !turns {
                server.refuse_turns();
            }
            let outcomes = race(&server, &writers).await;
            check(&server, &writers, &outcomes);
            // Whoever was killed runs again, without faults: all converges.
            let again: Vec<_> = writers.iter().map(|writer| Writer { faults: vec![], killed: None, ..writer.clone() }).collect();
            race(&server, &again).await;
            for (which, file) in FILES.iter().enumerate() {
                let greatest = writers.iter().filter(|writer| writer.file == which).map(|writer| writer.build).max();
                prop_assert_eq!(value(&server, &server.log(&main())[0].id, &path(file)), greatest.unwrap_or(1));
            }
            for number in 0..writers.len() {
                let commits = server.log(&main()).iter().filter(|meta| meta.run == Some(run(number as u64))).count();
                prop_assert!(commits <= 1);
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_path_or_branch_is_what_it_prints(text in "[a-zA-Z0-9._/-]{1,24}|refs/heads/[a-z./-]{1,9}|\\PC{0,8}") {
        if let Ok(path) = text.parse::<RepoPath>() {
            prop_assert_eq!(path.to_string(), &*text);
            let dangerous = |part: &str| part.is_empty() || part == "." || part == ".." || part.to_lowercase().starts_with(".git");
            prop_assert!(!text.split('/').any(dangerous));
        }
        if let Ok(branch) = text.parse::<Branch>() {
            prop_assert_eq!(&branch.to_string().parse::<Branch>().unwrap(), &branch);
            prop_assert_eq!(branch.to_string(), format!("refs/heads/{}", branch.short()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn forty_writers_of_one_key_end_with_the_newest(builds in vec(2_u64..1000, 40), seed: u64) {
        fastrand::seed(seed);
        let writer = |build: &u64| Writer { file: 0, build: *build, faults: vec![], killed: None };
        let writers: Vec<Writer> = builds.iter().map(writer).collect();
        runtime().block_on(async {
            let server = server(&FILES.map(|file| (file, manifest("1"))));
            let outcomes = race(&server, &writers).await;
            check(&server, &writers, &outcomes);
        });
    }
}
