//! History over the wire, compared with what git says of it.

use std::{fmt::Write as _, time::Duration};

use ledger::{Branch, LedgerError, Remote, RepoPath, Unanswered, git};
use release::{CommitId, RunId};
use sandbox::GitOptions;
use tokio::time::timeout;

use crate::hosted::Hosted;

const PATHS: [&str; 4] = ["a/one.yaml", "a/two.yaml", "b/c/three.yaml", "b"];
const COMMITS: u64 = 400;

/// A stream for git-fast-import: commits with one file set, set back or removed in each, of which some are merges.
fn branched(seed: u64) -> String {
    let mut state = seed;
    let mut below = |limit: u64| {
        // Knuth's generator, whose upper bits are good enough.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let mut stream = String::new();
    for number in 1..=COMMITS {
        let branch = if number == COMMITS { "refs/heads/main" } else { "refs/heads/work" };
        let time = 1_800_000_000 + number * 10;
        write!(stream, "commit {branch}\nmark :{number}\ncommitter A <a@b> {time} +0000\ndata 2\nx\n").unwrap();
        if number == 1 {
            stream += "deleteall\nM 100644 inline old.yaml\ndata 2\nx\n\n";
        } else {
            // Mostly on the one before, so that the way back is long.
            let back = if below(4) == 0 { below((number - 1).min(6)) + 1 } else { 1 };
            writeln!(stream, "from :{}", number - back).unwrap();
            let other = below((number - 1).min(9)) + 1;
            if below(4) == 0 && other != back {
                writeln!(stream, "merge :{}", number - other).unwrap();
            }
        }
        let path = PATHS[below(3) as usize];
        match below(12) {
            0 => writeln!(stream, "D {path}").unwrap(),
            value => write!(stream, "M 100644 inline {path}\ndata 2\n{value:02}\n").unwrap(),
        }
        if below(5) == 0 {
            write!(stream, "M 100755 inline é\ndata 2\n{:02}\n", below(9)).unwrap();
        }
        stream.push('\n');
    }
    stream
}

fn ids(text: &str) -> Vec<CommitId> {
    text.lines().map(|id| id.parse().unwrap()).collect()
}

async fn agrees(hosted: Hosted, seed: u64) {
    hosted.git(&["update-ref", "-d", "refs/heads/main"]);
    hosted.stream(branched(seed).as_bytes());
    hosted.git(&["update-ref", "-d", "refs/heads/work"]);
    let main: Branch = "main".parse().unwrap();
    for (path, limit) in
        [(PATHS[0], 1), (PATHS[1], 40), (PATHS[2], 1000), (PATHS[3], 1000), ("old.yaml", 1), ("no/where", 3)]
    {
        let count = limit.to_string();
        let expected = ids(&hosted.git(&["rev-list", "-n", &count, "main", "--", path]));
        let client = hosted.client();
        let found = client.history(&main, &path.parse().unwrap(), limit).await.unwrap();
        let found_ids: Vec<CommitId> = found.iter().map(|meta| meta.id).collect();
        assert_eq!(found_ids, expected, "{path}, seed {seed}");
        for meta in found.iter().take(3) {
            let (id, parent) = (meta.id.to_string(), meta.parents.first().map(CommitId::to_string));
            let mut diff = vec!["diff-tree", "-r", "--name-only", "--no-renames", "--no-commit-id", "--root"];
            diff.extend(parent.as_deref());
            diff.push(&id);
            let changed: Vec<RepoPath> = hosted.git(&diff).lines().filter_map(|path| path.parse().ok()).collect();
            assert!(meta.changed.iter().eq(&changed), "{:?} {changed:?}", meta.changed);
        }
    }
    // The oldest commit is far below what is fetched at first.
    let all = ids(&hosted.git(&["rev-list", "main"]));
    let (first, second) = (all[all.len() - 1], all[all.len() - 2]);
    let of = |expected, commit| Unanswered { expected, run: RunId::new(1, 1), commits: vec![commit] };
    let client = hosted.client();
    assert_eq!(client.landed(&main, &of(first, second)).await.unwrap(), Some(second));
    assert_eq!(client.landed(&main, &of(all[0], second)).await.unwrap(), None);
    assert_eq!(client.landed(&main, &of(second, first)).await.unwrap(), None);
    assert_eq!(client.commit(&first).await.unwrap().parents, []);
}

#[tokio::test]
async fn history_is_what_git_says_it_is() {
    for seed in [1, 2] {
        agrees(Hosted::new().await, seed).await;
    }
}

#[tokio::test]
async fn so_it_is_whatever_a_server_offers() {
    let old = GitOptions { without_v2: true, ..GitOptions::default() };
    agrees(Hosted::with(old.clone()).await, 3).await;
    agrees(Hosted::with(old).await.configured("uploadpack.allowAnySHA1InWant", "false"), 4).await;
    agrees(Hosted::new().await.configured("uploadpack.allowFilter", "false"), 5).await;
}

/// A push, 20 commits on top of it, and then the merge of a branch that began where the push did: at first the start is
/// fetched and the push is not.
#[tokio::test]
async fn a_push_is_found_behind_a_merge_that_is_a_shortcut() {
    let hosted = Hosted::new().await;
    let client = hosted.client();
    let main: Branch = "main".parse().unwrap();
    let expected = client.head(&main).await.unwrap();
    let commit = |branch: &str, message: &str, from: &str| {
        let head = "committer A <a@b> 1800000000 +0000";
        let length = message.len();
        hosted.stream(format!("commit refs/heads/{branch}\n{head}\ndata {length}\n{message}\n{from}\n\n").as_bytes());
    };
    let run = RunId::new(1_800_000_000_000, 7);
    commit("short", "short", "from refs/heads/main^0");
    commit("main", &format!("push\n\nConveyor-Run: {run}\n"), "from refs/heads/main^0");
    let pushed: CommitId = hosted.git(&["rev-parse", "main"]).trim_end().parse().unwrap();
    for number in 0..20 {
        commit("main", &number.to_string(), "from refs/heads/main^0");
    }
    commit("main", "merge", "from refs/heads/main^0\nmerge refs/heads/short");
    let url = format!("file://{}", hosted.path().display()).parse().unwrap();
    let program = git::Program::new(url, git::Settings::default());
    let clients: [&dyn Remote; 2] = [&client, &program];
    for client in clients {
        for commits in [vec![], vec![pushed]] {
            let landed = client.landed(&main, &Unanswered { expected, run, commits }).await.unwrap();
            assert_eq!(landed, Some(pushed), "{client:?}");
        }
    }
}

#[tokio::test]
async fn a_commit_of_more_files_than_can_be_compared_is_an_error_in_time() {
    let hosted = Hosted::new().await;
    // Each folder has the next one ten times: 10^12 files in 12 small trees.
    let blob = hosted.git(&["rev-parse", "main:README.md"]).trim_end().to_owned();
    let (mut kind, mut id) = ("100644 blob", blob);
    for _ in 0..12 {
        let rows: String = (0..10).map(|name| format!("{kind} {id}\t{name}\n")).collect();
        id = hosted.feed(&["mktree"], rows.as_bytes()).trim_end().to_owned();
        kind = "040000 tree";
    }
    let head = hosted.git(&["rev-parse", "main"]);
    let commit = ["-c", "user.name=A", "-c", "user.email=a@b", "commit-tree", "-p", head.trim_end(), "-m", "bomb", &id];
    let commit: CommitId = hosted.git(&commit).trim_end().parse().unwrap();
    hosted.rewind(&commit);
    let client = hosted.client();
    let found = timeout(Duration::from_secs(60), client.commit(&commit)).await.unwrap();
    assert!(matches!(found, Err(LedgerError::ManyChanges { commit: of }) if of == commit), "{found:?}");
}
