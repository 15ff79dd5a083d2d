use std::{path::Path, time::Duration};

use guarded_http::Credentials;
use ledger::{LedgerError, LedgerUrl, credentials_of_git};

use crate::script::Script;

/// A git of a user whose configuration has these lines.
fn user(configuration: &str) -> Script {
    let script = Script::new("export GIT_CONFIG_GLOBAL=\"$LOG.config\" GIT_CONFIG_NOSYSTEM=1\nexec git \"$@\"");
    std::fs::write(script.log().with_extension("config"), configuration).unwrap();
    script
}

async fn ask(git: &Path, url: &str) -> Result<Option<Credentials>, LedgerError> {
    credentials_of_git(&url.parse::<LedgerUrl>().unwrap(), git, Duration::from_secs(60)).await
}

fn header(credentials: Option<Credentials>) -> Option<String> {
    let header = credentials?.header().unwrap()?;
    Some(header.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_helper_s_word_is_taken_and_it_is_told_which_server_it_is_for() {
    let helper = Script::new("cat >>\"$LOG\"\n[ \"$1\" = get ] && printf 'username=me\\npassword=p:w=d\\n'");
    let program = helper.program().display().to_string();
    let git = user(&format!("[credential]\n\tuseHttpPath = true\n[credential]\n\thelper = {program}\n"));
    let found = ask(&git.program(), "https://git.example:8443/acme/ledger").await.unwrap();
    assert!(!format!("{found:?}").contains("p:w"));
    // me:p:w=d
    assert_eq!(header(found).as_deref(), Some("Basic bWU6cDp3PWQ="));
    let asked = helper.calls();
    for line in ["ARGS get\n", "\nprotocol=https\n", "\nhost=git.example:8443\n", "\npath=acme/ledger\n"] {
        assert!(asked.contains(line), "{line:?} is not in {asked}");
    }
    assert!(header(ask(&git.program(), "http://127.0.0.1:9/x").await.unwrap()).is_some());
    let calls = git.calls();
    assert!(calls.contains("ARGS credential fill\n") && calls.contains("\nPWD=/\n"));
    assert!(calls.contains("GIT_TERMINAL_PROMPT=0\n") && !calls.contains("p:w"), "{calls}");
}

#[tokio::test]
async fn where_no_helper_answers_there_are_none_and_nobody_is_asked() {
    let person = Script::new("echo guess");
    let asking = format!("[core]\n\taskPass = {}\n", person.program().display());
    let quits = Script::new("echo quit=1");
    let fails = Script::new("echo broken >&2; exit 1");
    let half = Script::new("echo username=me");
    let empty = Script::new("printf 'username=me\\npassword=\\n'");
    for helper in [None, Some(&quits), Some(&fails), Some(&half), Some(&empty)] {
        let helper = helper.map(|helper| format!("[credential]\n\thelper = {}\n", helper.program().display()));
        let git = user(&(asking.clone() + &helper.unwrap_or_default()));
        let found = ask(&git.program(), "https://git.example/x").await.unwrap();
        assert!(found.is_none(), "{found:?}");
    }
    assert_eq!(person.calls(), "");
    let git = user("");
    for url in ["ssh://git@git.example/x", "file:///x", "git://127.0.0.1/x"] {
        assert!(ask(&git.program(), url).await.unwrap().is_none());
    }
    assert_eq!(git.calls(), "", "there is nothing to ask for");
}

#[tokio::test]
async fn a_helper_that_hangs_is_ended_in_time() {
    let hangs = Script::new("sleep 600 & wait");
    let git = user(&format!("[credential]\n\thelper = {}\n", hangs.program().display()));
    let url = "https://git.example/x".parse().unwrap();
    let late = credentials_of_git(&url, &git.program(), Duration::from_secs(1)).await;
    assert!(matches!(late, Err(LedgerError::TimedOut { .. })), "{late:?}");
    let none = ask(Path::new("/nowhere/git"), "https://git.example/x").await;
    assert!(matches!(none, Ok(None)), "{none:?}");
}
