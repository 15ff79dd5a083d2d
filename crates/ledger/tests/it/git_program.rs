//! What the git program must and must not do, on real repositories.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use guarded_http::Credentials;
use ledger::{
    Branch, Change, Draft, Kind, LedgerError, LedgerUrl, Outcome, Push, Refusal, Remote,
    git::{Identity, Program, Settings},
    memory::Repository,
    update,
};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::{
    bare::Server,
    support::{bring, change, forward, main, manifest, path, record, run},
};

fn client(server: &Server) -> Program {
    Program::new(server.url(), Settings::default())
}

fn draft(file: &str, bytes: &'static str) -> Draft {
    let files = vec![(path(file), bytes.into())];
    Draft { files, message: format!("title\n\nConveyor-Run: {}\n", run(1)), run: run(1) }
}

/// A server with a manifest at a.yaml and b.yaml.
fn two_manifests() -> Server {
    let server = Server::new();
    for file in ["a.yaml", "b.yaml"] {
        let text = String::from_utf8(manifest("5").to_vec()).unwrap();
        server.import(format!("M 100644 inline {file}\ndata {}\n{text}\n", text.len()).as_bytes());
    }
    server
}

/// A program by a script, in a folder of its own, which writes down how it was called.
struct Script {
    folder: TempDir,
}

impl Script {
    fn new(body: &str) -> Self {
        let script = Self { folder: TempDir::new().unwrap() };
        let log = script.log();
        let text = format!("#!/bin/sh\nLOG='{}'\n(echo \"ARGS $*\"; env) >>\"$LOG\"\n{body}\n", log.display());
        fs::write(script.program(), text).unwrap();
        fs::set_permissions(script.program(), fs::Permissions::from_mode(0o755)).unwrap();
        script
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("git")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn settings(&self) -> Settings {
        Settings { program: self.program(), ..Settings::default() }
    }
}

#[tokio::test]
async fn a_hostile_url_is_a_usage_error_and_runs_nothing() {
    let hostile = [
        "",
        "-oProxyCommand=id",
        "--upload-pack=id",
        "ext::sh -c id",
        "ext::https://git.example/x",
        "fd::17",
        "ssh://-oProxyCommand=id/x",
        "ssh://git.example/x",
        "git://git.example/x",
        "git@git.example:x",
        "ftp://git.example/x",
        "gopher://git.example/x",
        "git.example/x",
        "/srv/ledger.git",
        "../ledger.git",
        "https:///x",
        "https://",
        "https://git.example",
        "https://git.example/",
        "https:git.example/x",
        "https:/git.example/x",
        "https://-git.example/x",
        "https://user@git.example/x",
        "https://user:s3cret@git.example/x",
        "https://:s3cret@git.example/x",
        "https://git.example@evil.example/x",
        "https://git.example\\@evil.example/x",
        "https://git.example/x?token=s3cret",
        "https://git.example/x#s3cret",
        "https://git.example/x%0a--upload-pack=id",
        "https://git.example/x%0D%0AHost:evil",
        "https://git.example/x%00",
        "https://git.example/x%",
        "https://git.example/x%zz",
        "https://git.example/x\n",
        "https://git.exa\tmple/x",
        " https://git.example/x",
        "https://git.example/a b",
        "https://git.example/../x",
        "https://git.example/a/%2e%2e/x",
        "https://git.example:0/x",
        "https://git.example:443/x",
        "https://git.example:99999/x",
        "HTTPS://git.example/x",
        "https://GIT.example/x",
        "https://0x7f.1/x",
        "https://127.1/x",
        "https://g\u{ff49}t.example/x",
        "http://git.example/x",
        "http://127.0.0.1.evil.example/x",
        "http://0.0.0.0/x",
        "http://[::ffff:127.0.0.1]/x",
        "http://localhost.evil.example/x",
        "file://git.example/x",
        "file://localhost/x",
        "file:///",
        "file:/x",
        "file:///a/../x",
        "file:///x?y",
    ];
    let canary = Script::new("exit 1");
    for text in hostile {
        match text.parse::<LedgerUrl>() {
            Err(error) => assert!(!error.to_string().contains("s3cret"), "{error}"),
            Ok(url) => {
                let ran = Program::new(url, canary.settings()).head(&main()).await;
                panic!("{text:?} was read as a URL: {ran:?}");
            }
        }
    }
    assert_eq!(canary.calls(), "");
    // The canary does sing: an honest URL runs it.
    for honest in ["https://git.example/x", "http://127.0.0.1:8080/x%20y", "http://[::1]/x", "file:///x"] {
        let url: LedgerUrl = honest.parse().unwrap();
        assert_eq!(url.to_string(), honest);
        let failed = Program::new(url, canary.settings()).head(&main()).await;
        assert!(matches!(failed, Err(LedgerError::Git { .. })), "{failed:?}");
    }
    assert_eq!(canary.calls().matches("ARGS init").count(), 4);
}

#[test]
fn a_hostile_path_branch_or_identity_is_no_word() {
    for text in [
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        "./a",
        ".git",
        ".GIT/config",
        "a/.gitmodules",
        ".Gitattributes",
        "-a",
        "a/-b",
        "a b",
        "a\\b",
        "a\nb",
        "a:b",
        "a*",
        "\u{e4}",
        "a\0b",
        "~",
        "git~1?",
    ] {
        assert!(text.parse::<ledger::RepoPath>().is_err(), "{text:?}");
    }
    assert!(
        "a".repeat(512).parse::<ledger::RepoPath>().is_ok() && "a".repeat(513).parse::<ledger::RepoPath>().is_err()
    );
    for text in [
        "",
        "-x",
        "refs/heads/",
        "refs/heads/-x",
        "refs/tags/x",
        "HEAD",
        "head",
        "refs/heads/HEAD",
        "a..b",
        "a.lock",
        "a/b.LOCK",
        ".a",
        "a/.b",
        "a.",
        "a//b",
        "/a",
        "a/",
        "a b",
        "a:b",
        "a~1",
        "a^",
        "a?",
        "a*",
        "a[",
        "a\\b",
        "@",
        "a@{1}",
        "+main",
        "main:main",
        "a\nb",
        "refs/heads/refs/heads/a",
    ] {
        assert!(text.parse::<Branch>().is_err(), "{text:?}");
    }
    assert_eq!("refs/heads/release/1.2".parse::<Branch>().unwrap().short(), "release/1.2");
    for (name, email) in [("", "a@b"), ("a", ""), ("a<b", "c"), ("a", "b>"), ("a\nb", "c"), (" a", "b")] {
        assert!(Identity::new(name, email).is_err(), "{name:?} {email:?}");
    }
    assert_eq!(Identity::new("Forge", "forge@acme.example").unwrap().to_string(), "Forge <forge@acme.example>");
}

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
async fn what_is_not_there_is_named() {
    let server = two_manifests();
    let absent = client(&server).head(&"other".parse().unwrap()).await;
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
    let server = two_manifests();
    let older = server.git(&["rev-parse", "main~1"]).trim().to_owned();
    server.git(&["tag", "main", &older]);
    let head = client(&server).head(&main()).await.unwrap();
    assert_eq!(head.to_string(), server.git(&["rev-parse", "refs/heads/main"]).trim());
}

#[tokio::test]
async fn only_ordinary_files_and_folders_are_touched() {
    let server = two_manifests();
    let commit = server.git(&["rev-parse", "main"]).trim().to_owned();
    server.import(b"M 120000 inline link\ndata 6\na.yaml\nM 120000 inline apps/out\ndata 5\n../..\n");
    server.import(format!("M 160000 {commit} sub\nM 100755 inline apps/run\ndata 2\n#!\n").as_bytes());
    let large = vec![b'x'; ledger::FILE_LIMIT + 1];
    server.import(&[format!("M 100644 inline large\ndata {}\n", large.len()).as_bytes(), &large, b"\n"].concat());
    let client = client(&server);
    let head = client.head(&main()).await.unwrap();
    let table = [
        ("link", Kind::SymbolicLink),
        ("link/x", Kind::SymbolicLink),
        ("apps/out/x", Kind::SymbolicLink),
        ("sub", Kind::Submodule),
        ("sub/x", Kind::Submodule),
    ];
    for (place, expected) in table {
        let read = client.read(&head, &[path("a.yaml"), path(place)]).await;
        assert!(matches!(read, Err(LedgerError::WrongKind { kind, .. }) if kind == expected), "{place}: {read:?}");
        let push = client.push(&main(), &head, &draft(place, "x")).await;
        assert!(matches!(push, Err(LedgerError::WrongKind { kind, .. }) if kind == expected), "{place}: {push:?}");
    }
    let listed = client.list(&head, &path("apps")).await;
    assert!(matches!(listed, Err(LedgerError::WrongKind { kind: Kind::SymbolicLink, .. })), "{listed:?}");
    let read = client.read(&head, &[path("large")]).await;
    assert!(matches!(read, Err(LedgerError::TooLarge { bytes: 1_048_577, .. })), "{read:?}");
    let push = client.push(&main(), &head, &draft("apps/run", "#!/bin/sh\n")).await.unwrap();
    assert!(matches!(push, Push::Accepted(_)));
    assert!(server.git(&["ls-tree", "main", "apps/run"]).starts_with("100755 blob "));
    server.assert_clean();
}

#[tokio::test]
async fn a_hook_s_no_is_a_refusal_in_printable_words() {
    let server = two_manifests();
    let hook = server.path().join("hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    let says = |words: &str| {
        fs::write(&hook, format!("#!/bin/sh\nprintf '{words}\\n' >&2\nexit 1\n")).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let client = client(&server);
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
    let server = two_manifests();
    let builds: Vec<u64> = (10..18).collect();
    let tasks: Vec<_> = builds
        .iter()
        .map(|build| {
            let (client, build) = (client(&server), *build);
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
    let reader = client(&server);
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
    let server = two_manifests();
    // The push is carried out, and then git is as if the connection had broken.
    let lossy = Script::new(
        "[ \"$1\" = push ] || exec git \"$@\"\n[ -e \"$LOG.lost\" ] && exec git \"$@\"\ntouch \"$LOG.lost\"\n\
         git \"$@\" >/dev/null 2>&1\necho 'fatal: the remote end hung up unexpectedly' >&2\nexit 128",
    );
    let client = Program::new(server.url(), lossy.settings());
    let change = Change { prepends: vec![record("r.json", "1", None)], ..change(7, vec![]) };
    let before = client.head(&main()).await.unwrap();
    let outcome = bring(&client, &change).await.unwrap();
    let Outcome::Updated { commit, parent, attempts: 1, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!((commit, parent), (client.head(&main()).await.unwrap(), before));
    assert_eq!(server.git(&["show", "main:r.json"]), "[\n1\n]\n");
}

#[tokio::test]
async fn history_is_found_below_where_it_was_cut_off() {
    let server = two_manifests();
    let client = client(&server);
    let first = client.push(&main(), &client.head(&main()).await.unwrap(), &draft("deep.txt", "x")).await.unwrap();
    let Push::Accepted(first) = first else { panic!("{first:?}") };
    for _ in 0..40 {
        server.import(b"M 100644 inline noise\ndata 1\nx\n");
    }
    for reader in [client, self::client(&server)] {
        assert_eq!(reader.history(&main(), &path("deep.txt"), 5).await.unwrap()[0].id, first);
        let meta = reader.commit(&first).await.unwrap();
        assert_eq!((meta.changed, meta.parents.len()), ([path("deep.txt")].into(), 1));
        let since = meta.parents[0];
        assert_eq!(reader.landed(&main(), &since, &run(1)).await.unwrap(), Some(first));
        assert_eq!(reader.landed(&main(), &first, &run(1)).await.unwrap(), None);
        let read = reader.read(&since, &[path("deep.txt"), path("a.yaml")]).await.unwrap();
        assert!(read[0].is_none() && read[1].is_some());
    }
}

#[tokio::test]
async fn a_git_that_hangs_is_ended_with_all_it_started_and_the_next_call_works() {
    let server = two_manifests();
    let slow = Script::new(
        "[ -e \"$LOG.hung\" ] || [ \"$1\" != fetch ] && exec git \"$@\"\ntouch \"$LOG.hung\"\n\
         touch \"$GIT_DIR/shallow.lock\"\nsleep 600 & echo $! >\"$LOG.child\"\nwait",
    );
    let client = Program::new(server.url(), Settings { timeout: Duration::from_secs(1), ..slow.settings() });
    let hung = client.head(&main()).await;
    assert!(matches!(hung, Err(LedgerError::TimedOut { .. })), "{hung:?}");
    let child = fs::read_to_string(slow.log().with_extension("child")).unwrap();
    let state = fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
    client.head(&main()).await.unwrap();

    fs::remove_file(slow.log().with_extension("hung")).unwrap();
    let deadline = Instant::now() + Duration::from_millis(500);
    let late = update(&client, &main(), &change(3, vec![forward("a.yaml", 20)]), deadline).await;
    assert!(late.is_err_and(|error| error.is_retryable()));
    let outcome = bring(&client, &change(3, vec![forward("a.yaml", 20)])).await.unwrap();
    assert!(matches!(outcome, Outcome::Updated { .. }), "{outcome:?}");
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
