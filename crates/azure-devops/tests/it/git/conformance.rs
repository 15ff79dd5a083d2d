//! The contracts of `ledger`'s traits.

use std::time::Duration;

use guarded_http::{Credentials, Limits};
use ledger::{Authorship, LedgerError, Push, Remote, Unanswered, conformance, smart_http};
use sandbox::{GitOptions, GitServer};
use tokio::time::Instant;

use super::{Ledger, draft, main, path};

#[tokio::test]
async fn a_repository_is_a_remote() {
    let ledger = Ledger::start(1).await;
    conformance::check(&ledger.client(), &main(), async |to| ledger.rewind(to).await).await.unwrap();
    ledger.git(&["fsck", "--strict"]).await;
    assert_eq!(ledger.git(&["for-each-ref", "--format=%(refname)"]).await, "refs/heads/main");
}

#[tokio::test]
async fn what_colleagues_push_is_read_or_refused() {
    let ledger = Ledger::start(1).await;
    ledger.git_with(&["fast-import", "--quiet"], &conformance::oddities(&main())).await;
    conformance::check_oddities(&ledger.client(), &main()).await.unwrap();
}

#[tokio::test]
async fn a_repository_has_pull_requests() {
    let ledger = Ledger::start(1).await;
    conformance::check_pull_requests(&ledger.client(), &main()).await.unwrap();
}

#[tokio::test]
async fn a_branch_is_found_among_many_whose_names_begin_with_its_own() {
    let ledger = Ledger::start(1).await;
    let head = ledger.git(&["rev-parse", "refs/heads/main"]).await;
    let refs: String = (0..250).map(|n| format!("create refs/heads/topic-{n:03} {head}\n")).collect();
    ledger.git_with(&["update-ref", "--stdin"], refs.as_bytes()).await;
    let client = ledger.client();
    assert_eq!(client.head(&"topic-249".parse().unwrap()).await.unwrap().to_string(), head);
    assert_eq!(client.requests(), 1);
    assert!(client.head(&"topic-".parse().unwrap()).await.is_err());
    assert_eq!(client.requests(), 4, "every page is looked at before a branch is said to be absent");
}

/// The server tells a file as text, without a byte order mark and with what is no UTF-8 replaced.
#[tokio::test]
async fn every_byte_of_a_file_is_read() {
    let ledger = Ledger::start(1).await;
    let files: [(&str, &[u8]); 5] = [
        ("bom", b"\xef\xbb\xbfkey: value\r\n"),
        ("latin", b"caf\xe9\n"),
        ("empty", b""),
        ("nul", b"a\0b"),
        ("escaped", b"\"\\/\x01\x1f\x7f\xe2\x80\xa8"),
    ];
    let client = ledger.client();
    let head = client.head(&main()).await.unwrap();
    let mut draft = draft(1, "odd/none", "");
    draft.files = files.iter().map(|(name, bytes)| (path(&format!("odd/{name}")), bytes.to_vec().into())).collect();
    let pushed = client.push(&main(), &head, &draft).await.unwrap();
    let Push::Accepted(commit) = pushed else { panic!("{pushed:?}") };
    let paths: Vec<_> = draft.files.iter().map(|(path, _)| path.clone()).collect();
    let found = client.read(&commit, &paths).await.unwrap();
    for (found, (path, bytes)) in found.iter().zip(&draft.files) {
        assert_eq!(found.as_ref().map(|found| &found.bytes), Some(bytes), "{path}");
    }
    for (path, bytes) in &draft.files {
        let size = ledger.git(&["cat-file", "-s", &format!("{commit}:{path}")]).await;
        assert_eq!(size, bytes.len().to_string(), "{path}");
    }
}

#[tokio::test]
async fn a_commit_of_many_files_names_them_all() {
    let ledger = Ledger::start(1).await;
    let mut stream =
        b"commit refs/heads/main\ncommitter A <a@localhost> 1800000000 +0000\ndata 5\nMany\nfrom refs/heads/main^0\n"
            .to_vec();
    for n in 0..2_500 {
        stream.extend(format!("M 100644 inline many/f{n}\ndata 1\nx\n").into_bytes());
    }
    ledger.git_with(&["fast-import", "--quiet"], &stream).await;
    let client = ledger.client();
    let head = client.head(&main()).await.unwrap();
    assert_eq!(client.commit(&head).await.unwrap().changed.len(), 2_500);
}

#[tokio::test]
async fn a_push_is_found_behind_others_and_under_a_long_message() {
    let ledger = Ledger::start(1).await;
    let client = ledger.client();
    let expected = client.head(&main()).await.unwrap();
    let mut long = draft(7, "long", "x");
    long.message = format!("{}\n\n{}", "a title ".repeat(60), long.message);
    let Push::Accepted(commit) = client.push(&main(), &expected, &long).await.unwrap() else { panic!() };
    let mut stream = Vec::new();
    for n in 0..150 {
        let from = if n == 0 { format!("from {commit}\n") } else { String::new() };
        stream.extend(
            format!(
                "commit refs/heads/main\ncommitter A <a@localhost> {} +0000\ndata 1\n.\n{from}M 100644 inline n\ndata 3\n{n:03}\n",
                4_000_000_000_u64 + n
            )
            .into_bytes(),
        );
    }
    ledger.git_with(&["fast-import", "--quiet"], &stream).await;
    let push = Unanswered { expected, run: long.run, commits: vec![] };
    assert_eq!(client.landed(&main(), &push).await.unwrap(), Some(commit));
    let history = client.history(&main(), &path("n"), 120).await.unwrap();
    assert_eq!(history.len(), 120);
    assert!(history.windows(2).all(|pair| pair[0].parents == [pair[1].id]));
}

/// A list of commits goes by their clocks: an older one may stand before a younger one that came in by a merge.
#[tokio::test]
async fn a_push_is_found_behind_a_merge_whatever_the_clocks_say() {
    let ledger = Ledger::start(1).await;
    let trailer = draft(7, "ours", "x").message;
    let commits = [
        ("main", 4_000_000_000_u64, "Before", "from refs/heads/main^0\n"),
        ("ours", 1_800_000_000, trailer.as_str(), "from refs/heads/main\n"),
        ("main", 4_000_000_001, "Beside", ""),
        ("main", 4_000_000_002, "A merge", "merge refs/heads/ours\n"),
    ];
    let mut stream = String::new();
    for (n, (branch, seconds, message, from)) in commits.into_iter().enumerate() {
        let length = message.len();
        stream += &format!(
            "commit refs/heads/{branch}\ncommitter A <a@localhost> {seconds} +0000\ndata {length}\n{message}\n{from}M 100644 inline n{n}\ndata 1\n.\n"
        );
    }
    ledger.git_with(&["fast-import", "--quiet"], stream.as_bytes()).await;
    let commit = async |name| ledger.git(&["rev-parse", name]).await.parse().unwrap();
    let (expected, ours) = (commit("refs/heads/ours^").await, commit("refs/heads/ours").await);
    let push = Unanswered { expected, run: super::run(7), commits: vec![] };
    assert_eq!(ledger.client().landed(&main(), &push).await.unwrap(), Some(ours));
}

#[tokio::test]
async fn what_is_written_one_way_is_read_the_other() {
    let ledger = Ledger::start(1).await;
    let git = GitServer::start(ledger.directory.path(), GitOptions::default()).await.unwrap();
    let patience = Duration::from_secs(60);
    let limits = Limits { connect: patience, stall: patience, deadline: Instant::now() + patience };
    let (authorship, credentials) = (Authorship::default(), Credentials::Anonymous);
    let url = format!("{}/ledger.git", git.url()).parse().unwrap();
    let by_git = smart_http::Server::new(&url, smart_http::Settings { authorship, credentials, limits }).unwrap();
    let by_rest = ledger.client();

    let ways: [(&dyn Remote, &dyn Remote); 2] = [(&by_git, &by_rest), (&by_rest, &by_git)];
    for (which, (writer, reader)) in (1..).zip(ways) {
        let expected = writer.head(&main()).await.unwrap();
        let draft = draft(which, &format!("written/{which}"), "x");
        let Push::Accepted(commit) = writer.push(&main(), &expected, &draft).await.unwrap() else { panic!("{which}") };
        assert_eq!(reader.head(&main()).await.unwrap(), commit);
        let paths = [draft.files[0].0.clone(), path("written"), path("README.md")];
        assert_eq!(reader.read(&commit, &paths).await.unwrap(), writer.read(&commit, &paths).await.unwrap());
        let (read, wrote) = (reader.commit(&commit).await.unwrap(), writer.commit(&commit).await.unwrap());
        assert_eq!((&read, read.run), (&wrote, Some(draft.run)));
        assert_eq!(reader.list(&commit, &path("written")).await.unwrap().len(), usize::try_from(which).unwrap());
        let push = Unanswered { expected, run: draft.run, commits: vec![] };
        assert_eq!(reader.landed(&main(), &push).await.unwrap(), Some(commit));
    }
}

#[tokio::test]
async fn a_branch_that_is_not_there_is_no_branch_whatever_is_asked() {
    let ledger = Ledger::start(1).await;
    let client = ledger.client();
    let (head, absent) = (client.head(&main()).await.unwrap(), "absent".parse().unwrap());
    let push = Unanswered { expected: head, run: super::run(1), commits: vec![] };
    for error in [
        client.head(&absent).await.unwrap_err(),
        client.history(&absent, &path("README.md"), 9).await.unwrap_err(),
        client.landed(&absent, &push).await.unwrap_err(),
        client.push(&absent, &head, &draft(1, "x", "x")).await.unwrap_err(),
    ] {
        assert!(matches!(error, LedgerError::NoBranch { .. }), "{error:?}");
    }
}
