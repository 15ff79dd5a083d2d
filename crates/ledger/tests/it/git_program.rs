//! What the git program must and must not do, on real repositories.

use std::{fs, time::Duration};

use guarded_http::Credentials;
use ledger::{
    Change, LedgerError, LedgerUrl, Outcome, Push, Refusal, Remote,
    git::{Program, Settings},
    memory::Repository,
};

use crate::{
    bare::Server,
    script::{Script, executable},
    support::{bring, change, draft, forward, main, path, record, run, unanswered},
};

#[tokio::test]
async fn the_program_sees_no_surroundings_and_no_secret_in_its_arguments() {
    let secret = "s3cretpat".to_owned();
    let canary = Script::new("exec git \"$@\"");
    let credentials = Credentials::Basic { user: String::new(), password: secret.clone().into() };
    let settings = Settings { credentials, ..canary.settings() };
    assert!(!format!("{settings:?}").contains(&secret));
    let dead = Program::new("http://127.0.0.1:9/x".parse().unwrap(), settings);
    let error = dead.head(&main()).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert!(!format!("{error:?} {error} {dead:?}").contains(&secret));
    let calls = canary.calls();
    let arguments: Vec<&str> = calls.lines().filter(|line| line.starts_with("ARGS")).collect();
    let header = "Authorization: Basic OnMzY3JldHBhdA==";
    assert!(arguments.len() > 1 && !arguments.iter().any(|line| line.contains("OnMz") || line.contains(&secret)));
    assert!(
        calls.contains(&format!("_VALUE_8={header}\n"))
            && calls.contains("_KEY_8=http.http://127.0.0.1:9/.extraHeader\n")
    );
    assert!(calls.contains("GIT_ALLOW_PROTOCOL=http\n") && calls.contains("GIT_CONFIG_GLOBAL=/dev/null\n"));
    assert!(!calls.contains("CARGO"), "the environment of the tests must not be handed on");
}

#[tokio::test]
async fn credentials_that_do_not_fit_into_a_header_are_refused_before_git_runs() {
    let canary = Script::new("exec git \"$@\"");
    for credentials in [
        Credentials::Bearer("s3cret\r\nX-Injected: 1".into()),
        Credentials::Basic { user: "a:b".into(), password: "s3cret".into() },
    ] {
        let settings = Settings { credentials, ..canary.settings() };
        let refused = Program::new("http://127.0.0.1:9/x".parse().unwrap(), settings).head(&main()).await;
        let error = refused.unwrap_err();
        assert!(matches!(error, LedgerError::Credentials { .. }) && !error.is_retryable(), "{error:?}");
        assert!(!format!("{error:?} {error}").contains("s3cret"));
    }
    assert_eq!(canary.calls(), "");
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let server = Server::with_manifests();
    let absent = server.client().head(&"other".parse().unwrap()).await;
    assert!(matches!(absent, Err(LedgerError::NoBranch { .. })), "{absent:?}");
    let nowhere: LedgerUrl = format!("{}/nowhere", server.url()).parse().unwrap();
    let nowhere = Program::new(nowhere, Settings::default()).head(&main()).await;
    assert!(matches!(nowhere, Err(LedgerError::NoRepository { .. })), "{nowhere:?}");
    let no_git = Settings { program: "/nowhere/git".into(), ..Settings::default() };
    let no_git = Program::new(server.url(), no_git).head(&main()).await;
    assert!(matches!(no_git, Err(LedgerError::Io { .. })), "{no_git:?}");
}

#[tokio::test]
async fn a_tag_of_the_branch_s_name_is_not_taken_for_it() {
    let server = Server::with_manifests();
    let older = server.git(&["rev-parse", "main~1"]).trim().to_owned();
    server.git(&["tag", "main", &older]);
    let head = server.client().head(&main()).await.unwrap();
    assert_eq!(head.to_string(), server.git(&["rev-parse", "refs/heads/main"]).trim());
}

#[tokio::test]
async fn a_hook_s_no_is_a_refusal_in_printable_words() {
    let server = Server::with_manifests();
    let hook = server.path().join("hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    let says = |words: &str| {
        executable(&hook, &format!("#!/bin/sh\nprintf '{words}\\n' >&2\nexit 1\n"));
    };
    let client = server.client();
    let head = client.head(&main()).await.unwrap();
    says("no\\033[31m ##vso[x]\\rmore");
    let push = client.push(&main(), &head, &draft("a.yaml", "x")).await.unwrap();
    let Push::Refused(Refusal::Other(words)) = push else { panic!("{push:?}") };
    assert!(words.contains("pre-receive hook declined") && words.len() <= 300, "{words:?}");
    assert!(words.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '), "{words:?}");
    says("TF402455: Pushes to this branch are not permitted");
    let outcome = bring(&client, &change(2, vec![forward("a.yaml", 20)])).await.unwrap();
    assert_eq!(outcome, Outcome::Refused(Refusal::BranchPolicy));
    assert_eq!(client.head(&main()).await.unwrap(), head);
}

#[tokio::test]
async fn writers_with_a_store_each_lose_nothing() {
    let server = Server::with_manifests();
    let builds: Vec<u64> = (10..18).collect();
    let tasks: Vec<_> = builds
        .iter()
        .map(|build| {
            let (client, build) = (server.client(), *build);
            let file = if build % 2 == 0 { "a.yaml" } else { "b.yaml" };
            let prepends = vec![record("r.json", &build.to_string(), Some(0))];
            let change = Change { prepends, ..change(build, vec![forward(file, build)]) };
            tokio::spawn(async move { (build, bring(&client, &change).await.unwrap()) })
        })
        .collect();
    let mut written = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            (build, Outcome::Updated { .. }) => written.push(build),
            (build, other) => assert!(matches!(other, Outcome::Superseded { .. }), "{build}: {other:?}"),
        }
    }
    let reader = server.client();
    let log = reader.history(&main(), &path("r.json"), 99).await.unwrap();
    let mut in_log: Vec<u64> = (10..18).filter(|build| log.iter().any(|meta| meta.run == Some(run(*build)))).collect();
    in_log.sort_unstable();
    written.sort_unstable();
    assert_eq!((&in_log, log.len()), (&written, written.len()));
    for (file, greatest) in [("a.yaml", "16"), ("b.yaml", "17")] {
        assert!(server.git(&["show", &format!("main:{file}")]).contains(&format!("tag: \"{greatest}\"")));
    }
    server.assert_clean();
}

#[tokio::test]
async fn a_push_whose_answer_is_lost_lands_once() {
    for words in ["the remote end hung up unexpectedly", "repository 'x' not found"] {
        let server = Server::with_manifests();
        // The push is carried out, and then git is as if the connection had broken.
        let lossy = Script::new(&format!(
            "[ \"$1\" = push ] || exec git \"$@\"\n[ -e \"$LOG.lost\" ] && exec git \"$@\"\ntouch \"$LOG.lost\"\n\
             git \"$@\" >/dev/null 2>&1\necho \"fatal: {words}\" >&2\nexit 128"
        ));
        let client = Program::new(server.url(), lossy.settings());
        let change = Change { prepends: vec![record("r.json", "1", None)], ..change(7, vec![]) };
        let before = client.head(&main()).await.unwrap();
        let outcome = bring(&client, &change).await.unwrap();
        let Outcome::Updated { commit, parent, attempts: 1, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!((commit, parent), (client.head(&main()).await.unwrap(), before));
        assert_eq!(server.git(&["show", "main:r.json"]), "[\n1\n]\n");
    }
}

#[tokio::test]
async fn history_is_found_below_where_it_was_cut_off() {
    let server = Server::with_manifests();
    let client = server.client();
    let first = client.push(&main(), &client.head(&main()).await.unwrap(), &draft("deep.txt", "x")).await.unwrap();
    let Push::Accepted(first) = first else { panic!("{first:?}") };
    for _ in 0..40 {
        server.import(b"M 100644 inline noise\ndata 1\nx\n");
    }
    for reader in [client, server.client()] {
        assert_eq!(reader.history(&main(), &path("deep.txt"), 1).await.unwrap()[0].id, first);
        let meta = reader.commit(&first).await.unwrap();
        assert_eq!((meta.changed, meta.parents.len()), ([path("deep.txt")].into(), 1));
        let since = meta.parents[0];
        assert_eq!(reader.landed(&main(), &unanswered(since)).await.unwrap(), Some(first));
        assert_eq!(reader.landed(&main(), &unanswered(first)).await.unwrap(), None);
        let read = reader.read(&since, &[path("deep.txt"), path("a.yaml")]).await.unwrap();
        assert!(read[0].is_none() && read[1].is_some());
        // What was fetched in between by its name alone does not cut the branch's history.
        let commits = reader.history(&main(), &path("noise"), 3).await.unwrap();
        assert_eq!((commits.len(), commits[0].id), (1, reader.commit(&commits[0].id).await.unwrap().id));
        assert_eq!(reader.history(&main(), &path("deep.txt"), 5).await.unwrap()[0].parents, [since]);
    }
}

#[tokio::test]
async fn a_date_that_no_calendar_has_hides_no_commit() {
    for date in ["99999999999999", "-99999999999999", "18446744073709551615"] {
        let server = Server::with_manifests();
        let client = server.client();
        let since = client.head(&main()).await.unwrap();
        let Push::Accepted(ours) = client.push(&main(), &since, &draft("a.yaml", "x")).await.unwrap() else { panic!() };
        let by = format!("A <a@localhost> {date} +0000");
        let body = format!(
            "tree {}parent {ours}\nauthor {by}\ncommitter {by}\n\nodd\n",
            server.git(&["rev-parse", "main^{tree}"])
        );
        let odd = server.object("commit", body.as_bytes());
        server.rewind(&odd.parse().unwrap());
        server.import(b"M 100644 inline noise\ndata 1\nx\n");
        assert_eq!(server.client().landed(&main(), &unanswered(since)).await.unwrap(), Some(ours), "{date}");
        let history = server.client().history(&main(), &path("a.yaml"), 3).await.unwrap();
        assert_eq!(history[0].id, ours, "{date}");
        server.client().commit(&odd.parse().unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn a_repository_of_another_user_is_told_at_once() {
    let server = Server::with_manifests();
    // git itself has this switch for its own tests.
    let stranger = Script::new("GIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec git \"$@\"");
    let head = Program::new(server.url(), stranger.settings()).head(&main()).await;
    let error = head.unwrap_err();
    assert!(matches!(error, LedgerError::ForeignOwner { .. }) && !error.is_retryable(), "{error:?}");
    assert!(error.to_string().contains("belongs to another user"), "{error}");
}

#[tokio::test]
async fn the_store_has_the_ledger_s_kind_of_ids_whatever_git_prefers() {
    let server = Server::with_manifests();
    let modern = Script::new("GIT_DEFAULT_HASH=sha256 exec git \"$@\"");
    Program::new(server.url(), modern.settings()).head(&main()).await.unwrap();
}

/// A git whose first fetch takes a lock, starts a child and hangs.
fn hanging_once() -> Script {
    Script::new(
        "[ -e \"$LOG.hung\" ] || [ \"$1\" != fetch ] && exec git \"$@\"\ntouch \"$LOG.hung\" \"$GIT_DIR/shallow.lock\"\n\
         sleep 600 & echo $! >\"$LOG.new\"\nmv \"$LOG.new\" \"$LOG.child\"\nwait",
    )
}

/// Waits for what will be so soon, however slow the machine is.
async fn until(condition: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it never came to be");
}

#[tokio::test]
async fn a_call_that_is_dropped_ends_git_with_all_it_started() {
    let (server, slow) = (Server::with_manifests(), hanging_once());
    let client = Program::new(server.url(), slow.settings());
    let (child, main) = (slow.log().with_extension("child"), main());
    tokio::select! {
        head = client.head(&main) => panic!("{head:?}"),
        () = until(|| child.exists()) => {}
    }
    let stat = format!("/proc/{}/stat", fs::read_to_string(child).unwrap().trim());
    until(|| fs::read_to_string(&stat).map_or(true, |state| state.contains(") Z "))).await;
    client.head(&main).await.unwrap();
}

#[tokio::test]
async fn a_git_that_hangs_is_ended_in_time_and_its_locks_are_in_nobody_s_way() {
    let (server, slow) = (Server::with_manifests(), hanging_once());
    let settings = Settings { timeout: Duration::from_secs(2), ..slow.settings() };
    let client = Program::new(server.url(), settings.clone());
    let outcome = bring(&client, &change(3, vec![forward("a.yaml", 20)])).await.unwrap();
    assert!(matches!(outcome, Outcome::Updated { .. }), "{outcome:?}");
    assert!(slow.log().with_extension("hung").exists());

    let stuck = Script::new("exec sleep 600");
    let hung = Program::new(server.url(), Settings { program: stuck.program(), ..settings }).head(&main()).await;
    assert!(matches!(hung, Err(LedgerError::TimedOut { .. })), "{hung:?}");
}

#[tokio::test]
async fn a_call_of_many_slow_runs_ends_in_time() {
    let server = Server::with_manifests();
    for number in 0..20 {
        server.import(format!("M 100644 inline noise\ndata 2\n{number:02}\n").as_bytes());
    }
    // Each run is quick enough, and one for each commit is too many.
    let slow = Script::new("sleep 0.3\nexec git \"$@\"");
    let settings = Settings { timeout: Duration::from_secs(1), ..slow.settings() };
    let history = Program::new(server.url(), settings).history(&main(), &path("noise"), 99).await;
    assert!(matches!(history, Err(LedgerError::TimedOut { .. })), "{history:?}");
}

#[tokio::test]
async fn a_call_waits_for_others_no_longer_than_it_may_take() {
    let stuck = Script::new("exec sleep 600");
    let settings = Settings { timeout: Duration::from_millis(200), ..stuck.settings() };
    let client = Program::new(Server::new().url(), settings);
    let main = main();
    let calls = futures_util::future::join_all((0..12).map(|_| client.head(&main))).await;
    let waited = |call: &Result<_, LedgerError>| {
        matches!(call, Err(LedgerError::TimedOut { operation: "waiting for other calls", .. }))
    };
    assert!(calls.iter().any(waited) && !calls.iter().all(waited), "{calls:?}");
}

#[tokio::test]
async fn memory_gives_the_ids_that_git_gives() {
    let server = Repository::new();
    let files = [("a", "1"), ("a-b", "2"), ("dir/x", "3"), ("dir.txt", "4"), ("dir0", "5"), ("dir/sub/y", "")];
    let all: Vec<_> = files.iter().map(|(file, text)| (path(file), Some((*text).into()))).collect();
    let first = server.commit_files(&main(), &all, "first\n").unwrap();
    let second = server.commit_files(&main(), &[(path("a"), None)], "second\n").unwrap();
    let bare = Server::new();
    let mut stream = String::new();
    for (number, message) in [(0, "first\n"), (1, "second\n")] {
        let by = format!("Conveyor <conveyor@localhost> {} +0000", 1_800_000_000 + number);
        stream += &format!("commit refs/heads/copy\nauthor {by}\ncommitter {by}\ndata {}\n{message}", message.len());
        if number == 0 {
            stream +=
                &files.map(|(file, text)| format!("M 100644 inline {file}\ndata {}\n{text}\n", text.len())).concat();
        } else {
            stream += "D a\n";
        }
    }
    bare.stream(stream.as_bytes());
    let ids = bare.git(&["rev-list", "--reverse", "refs/heads/copy"]);
    assert_eq!(ids.lines().collect::<Vec<_>>(), [first.to_string(), second.to_string()]);
}

#[tokio::test]
async fn a_commit_or_tree_that_programs_may_read_in_two_ways_is_no_ground_to_edit_on() {
    let server = Server::with_manifests();
    let git = |arguments: &[&str]| server.git(arguments).trim().to_owned();
    let (blob, good) = (git(&["rev-parse", "main:a.yaml"]), git(&["rev-parse", "main^{tree}"]));
    let raw = |id: &str| (0..20).map(|at| u8::from_str_radix(&id[2 * at..2 * at + 2], 16).unwrap()).collect::<Vec<_>>();
    let row = |start: &str, id: &str| [start.as_bytes(), b"\0", &raw(id)].concat();
    let folder = |rows: &[&str]| {
        let to = |start: &str| if start.starts_with("40000") { &good } else { &blob };
        let rows: Vec<u8> = rows.iter().flat_map(|start| row(start, to(start))).collect();
        server.object("tree", &rows)
    };
    let within = |odd: String| server.object("tree", &row("40000 apps", &odd));
    let by = "author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n";
    let commit = |headers: String| server.object("commit", format!("{headers}\nodd\n").as_bytes());
    let of = |tree: String| commit(format!("tree {tree}\n{by}"));
    for (what, odd, place) in [
        ("a file twice", of(folder(&["100644 a.yaml", "100644 a.yaml"])), "a.yaml"),
        ("a file and a folder", of(folder(&["100644 a.yaml", "100644 b", "40000 b"])), "a.yaml"),
        ("unsorted", of(folder(&["100644 b", "100644 a.yaml"])), "a.yaml"),
        ("a padded mode", of(folder(&["0100644 a.yaml"])), "a.yaml"),
        ("a tree below", of(within(folder(&["100644 b", "100644 a.yaml"]))), "apps/a.yaml"),
        ("two trees", commit(format!("tree {good}\ntree {good}\n{by}")), "a.yaml"),
        ("two committers", commit(format!("tree {good}\n{by}committer B <b@c> 1 +0000\n")), "a.yaml"),
    ] {
        server.rewind(&odd.parse().unwrap());
        let client = server.client();
        let head = client.head(&main()).await.unwrap();
        let read = client.read(&head, &[path(place)]).await;
        assert!(matches!(read, Err(LedgerError::Object { .. } | LedgerError::Garbled { .. })), "{what}: {read:?}");
        let push = client.push(&main(), &head, &draft(place, "x")).await;
        assert!(matches!(push, Err(LedgerError::Object { .. } | LedgerError::Garbled { .. })), "{what}: {push:?}");
        assert_eq!(git(&["rev-parse", "main"]), odd, "{what}");
    }
}
