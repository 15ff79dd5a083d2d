//! What a push of the git program came to, where git and the server say little about it.

use std::fs;

use ledger::{Change, LedgerError, Outcome, Push, Refusal, Remote, git::Program};

use crate::{
    bare::Server,
    script::Script,
    support::{bring, change, draft, forward, main, record, run},
};

/// A change that only its record tells from one that was not made.
fn only_a_record() -> Change {
    Change { prepends: vec![record("r.json", "1", None)], ..change(7, vec![]) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loser_of_a_race_on_a_server_that_holds_its_lock_tries_again() {
    let server = Server::with_manifests();
    // The winner holds main.lock for a second, and the loser asks for the head in that second.
    server.hook("reference-transaction", "[ \"$1\" = prepared ] && grep -q refs/heads/main && sleep 1\nexit 0");
    let (one, two) = (server.client(), server.client());
    let (left, right) = (change(1, vec![forward("a.yaml", 20)]), change(2, vec![forward("b.yaml", 20)]));
    let outcomes = tokio::join!(bring(&one, &left), bring(&two, &right));
    assert!(matches!(outcomes, (Ok(Outcome::Updated { .. }), Ok(Outcome::Updated { .. }))), "{outcomes:?}");
}

#[tokio::test]
async fn a_rejection_in_the_words_of_a_lost_race_is_no_refusal() {
    let server = Server::with_manifests();
    for (reason, is_race) in [
        ("[rejected] (stale info)", true),
        ("[rejected] (fetch first)", true),
        ("[rejected] (non-fast-forward)", true),
        ("[remote rejected] (failed to update ref)", true),
        ("[remote rejected] (cannot lock ref 'refs/heads/main': is at 1 but expected 2)", true),
        ("[remote rejected] (incorrect old value provided)", true),
        ("[remote rejected] (TF401028: The reference 'refs/heads/main' has already been updated)", true),
        ("[remote rejected] (pre-receive hook declined)", false),
        ("[remote rejected] (TF402455: Pushes to this branch are not permitted)", false),
    ] {
        let words = reason.replace('\'', "'\\''");
        let rejecting = Script::new(&format!(
            "[ \"$1\" = push ] || exec git \"$@\"\nfor last; do :; done\nprintf '!\\t%s\\t%s\\n' \"$last\" '{words}'\nexit 1"
        ));
        let client = Program::new(server.url(), rejecting.settings());
        let head = client.head(&main()).await.unwrap();
        let push = client.push(&main(), &head, &draft("a.yaml", "x")).await.unwrap();
        assert_eq!(push == Push::Stale, is_race, "{reason}: {push:?}");
        assert_eq!(matches!(push, Push::Refused(_)), !is_race, "{reason}: {push:?}");
    }
}

#[tokio::test]
async fn words_do_not_make_a_push_that_landed_a_refusal_or_a_lost_race() {
    // The push lands, the connection breaks, and somebody commits on top. The last words may be the server's own.
    for words in [
        "remote: curl: (22) The requested URL returned error: 403",
        "fatal: unable to access 'x': The requested URL returned error: 403",
        "fatal: Authentication failed for 'x'",
    ] {
        let server = Server::with_manifests();
        let dir = server.path().display();
        let lossy = Script::new(&format!(
            "[ \"$1\" = push ] || exec git \"$@\"\n[ -e \"$LOG.lost\" ] && exec git \"$@\"\ntouch \"$LOG.lost\"\n\
             git \"$@\" >/dev/null 2>&1\n\
             env -u GIT_DIR git -C {dir} fast-import --quiet <<E\ncommit refs/heads/main\n\
             committer A <a@localhost> 1800000001 +0000\ndata 5\nother\nfrom refs/heads/main^0\n\
             M 100644 inline noise\ndata 1\nx\n\nE\n\
             echo \"{words}\" >&2\necho 'fatal: the remote end hung up unexpectedly' >&2\nexit 128"
        ));
        let client = Program::new(server.url(), lossy.settings());
        let outcome = bring(&client, &only_a_record()).await;
        assert!(matches!(outcome, Ok(Outcome::Updated { attempts: 1, .. })), "{words}: {outcome:?}");
        assert_eq!(server.git(&["show", "main:r.json"]), "[\n1\n]\n", "{words}");
    }
}

#[tokio::test]
async fn a_denied_push_is_a_refusal_where_the_branch_stands_still() {
    let server = Server::with_manifests();
    for (words, is_denied) in [
        ("fatal: unable to access 'x': The requested URL returned error: 403", true),
        ("remote: error: 403, says the server's hook", false),
    ] {
        let denied = Script::new(&format!("[ \"$1\" = push ] || exec git \"$@\"\necho \"{words}\" >&2\nexit 128"));
        let client = Program::new(server.url(), denied.settings());
        let head = client.head(&main()).await.unwrap();
        let push = client.push(&main(), &head, &draft("a.yaml", "x")).await;
        assert_eq!(matches!(push, Ok(Push::Refused(Refusal::Permission))), is_denied, "{words}: {push:?}");
        assert_eq!(push.is_err_and(|error| error.may_have_landed()), !is_denied, "{words}");
    }
}

#[tokio::test]
async fn a_push_that_never_began_is_not_in_doubt() {
    let server = Server::with_manifests();
    // The commit is made, and then there is no program any more that could push it.
    let vanishing = Script::new("case \"$1\" in fast-import) git \"$@\"; rm \"$0\" ;; *) exec git \"$@\" ;; esac");
    let client = Program::new(server.url(), vanishing.settings());
    let head = client.head(&main()).await.unwrap();
    let push = client.push(&main(), &head, &draft("a.yaml", "y")).await;
    assert!(matches!(push, Err(LedgerError::Io { .. })), "{push:?}");
}

#[tokio::test]
async fn a_commit_that_bears_our_run_is_not_taken_for_ours() {
    let server = Server::with_manifests();
    let (dir, message) = (server.path().display(), draft("x", "").message);
    // The push is lost, and in its place somebody commits on the same parent in the run's name.
    let forged = Script::new(&format!(
        "[ \"$1\" = push ] || exec git \"$@\"\n[ -e \"$LOG.lost\" ] && exec git \"$@\"\ntouch \"$LOG.lost\"\n\
         env -u GIT_DIR git -C {dir} fast-import --quiet <<E\ncommit refs/heads/main\n\
         committer A <a@localhost> 1800000001 +0000\ndata {}\n{message}\nfrom refs/heads/main^0\n\
         M 100644 inline noise\ndata 1\nx\n\nE\n\
         echo 'fatal: the remote end hung up unexpectedly' >&2\nexit 128",
        message.len()
    ));
    let client = Program::new(server.url(), forged.settings());
    let change = Change { run: run(1), ..only_a_record() };
    let outcome = bring(&client, &change).await;
    assert!(matches!(outcome, Ok(Outcome::Updated { attempts: 2, .. })), "{outcome:?}");
    assert_eq!(server.git(&["show", "main:r.json"]), "[\n1\n]\n");
}

#[tokio::test]
async fn the_first_of_two_pushes_in_doubt_may_be_the_one_that_landed() {
    let server = Server::with_manifests();
    // The first push arrives while the second one is lost. The two commits differ in their second.
    let late = Script::new(&format!(
        "[ \"$1\" = push ] || exec git \"$@\"\nfor last; do :; done\n\
         if [ ! -e \"$LOG.first\" ]; then sleep 1.1; echo \"$last\" >\"$LOG.first\"\n\
         else echo \"$last\" >\"$LOG.second\"; git push --quiet -- {} \"$(cat \"$LOG.first\")\"; fi\n\
         echo 'fatal: the remote end hung up unexpectedly' >&2\nexit 128",
        server.url()
    ));
    let client = Program::new(server.url(), late.settings());
    let outcome = bring(&client, &only_a_record()).await;
    assert!(matches!(outcome, Ok(Outcome::Updated { attempts: 2, .. })), "{outcome:?}");
    let pushed = |which| fs::read_to_string(late.log().with_extension(which)).unwrap();
    assert_ne!(pushed("first"), pushed("second"));
    assert_eq!(pushed("first").trim_end(), format!("{}:refs/heads/main", server.git(&["rev-parse", "main"]).trim()));
}
