//! The Ledger's contract on a server that asks who it is.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use guarded_http::Credentials;
use ledger::{
    Branch, LedgerError, LedgerUrl, Remote as _, conformance,
    git::{Program, Settings},
};
use release::CommitId;
use sandbox::Forge;
use tokio::io::AsyncWriteExt as _;

use crate::git;

/// A git that writes down its arguments, those of the programs that it starts, and all their words.
fn overheard(forge: &Forge) -> PathBuf {
    let program = forge.scratch().join("overheard");
    let text = forge.scratch().join("overheard.txt");
    let script = "#!/bin/sh\necho \"ARGS $*\" >>\"$0.log\"\nGIT_TRACE=\"$0.log\" git \"$@\" 2>\"$0.err\"\nstatus=$?\n\
                  cat \"$0.err\" >>\"$0.log\"\ncat \"$0.err\" >&2\nexit $status\n";
    fs::write(&text, script).unwrap();
    // Another process writes what is run: a file that this one had open may be "busy".
    let installed = Command::new("install").args(["-m", "755"]).args([&text, &program]).status().unwrap();
    assert!(installed.success());
    program
}

fn basic(token: &str) -> Credentials {
    Credentials::Basic { user: String::new(), password: token.to_owned().into() }
}

fn client(forge: &Forge, credentials: Credentials) -> Program {
    let settings = Settings { program: overheard(forge), credentials, ..Settings::default() };
    Program::new(forge.ledger_url().parse().unwrap(), settings)
}

async fn seed(forge: &Forge, stream: &[u8]) {
    let mut import = git::command(&forge.ledger_dir(), &["fast-import", "--quiet"]);
    let mut import = import.stdin(Stdio::piped()).spawn().unwrap();
    import.stdin.take().unwrap().write_all(stream).await.unwrap();
    assert!(import.wait().await.unwrap().success());
}

#[tokio::test]
async fn the_git_program_conforms_on_a_server_that_asks_for_a_token_and_betrays_it_nowhere() {
    let forge = Forge::with_guarded_ledger().await.unwrap();
    let main: Branch = "main".parse().unwrap();
    let token = &forge.credentials().token;
    for credentials in [basic(token), Credentials::Bearer(token.clone().into())] {
        let start = git::ok(&forge.ledger_dir(), &["rev-parse", "refs/heads/main"]).await;
        let client = client(&forge, credentials);
        let rewind = async |to: CommitId| {
            git::ok(&forge.ledger_dir(), &["update-ref", "refs/heads/main", &to.to_string()]).await;
        };
        conformance::check(&client, &main, rewind).await.unwrap();
        seed(&forge, &conformance::oddities(&main)).await;
        conformance::check_oddities(&client, &main).await.unwrap();
        assert!(!format!("{client:?}").contains(token.as_str()));
        git::ok(&forge.ledger_dir(), &["update-ref", "refs/heads/main", &start]).await;
    }
    let log = fs::read_to_string(overheard(&forge).with_extension("log")).unwrap();
    assert!(log.contains("ARGS push --porcelain") && log.contains("git-remote-http"), "{log}");
    for secret in [token.clone(), BASE64_STANDARD.encode(format!(":{token}"))] {
        assert!(!log.contains(&secret), "{log}");
    }
}

#[tokio::test]
async fn who_has_not_the_token_is_denied() {
    let forge = Forge::with_guarded_ledger().await.unwrap();
    let main: Branch = "main".parse().unwrap();
    for credentials in [Credentials::Anonymous, basic("another-s3cret"), Credentials::Bearer("another-s3cret".into())] {
        let denied = client(&forge, credentials).head(&main).await.unwrap_err();
        assert!(matches!(denied, LedgerError::Denied { .. }) && !denied.is_retryable(), "{denied:?}");
        assert!(!format!("{denied:?} {denied}").contains("s3cret"), "{denied:?}");
    }
    let logged = forge.ledger_log().requests();
    assert!(!logged.is_empty() && logged.iter().all(|request| request.status == 401), "{logged:?}");
    // Where the repository is another one, the right token is in no error.
    let nowhere: LedgerUrl = format!("{}x", forge.ledger_url()).parse().unwrap();
    let token = &forge.credentials().token;
    let settings = Settings { credentials: basic(token), ..Settings::default() };
    let absent = Program::new(nowhere, settings).head(&main).await.unwrap_err();
    assert!(matches!(absent, LedgerError::NoRepository { .. }), "{absent:?}");
    assert!(!format!("{absent:?} {absent}").contains(token.as_str()), "{absent:?}");
}
