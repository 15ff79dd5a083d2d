//! One scalar, or one commit, in a repository that is no Ledger.

use std::{sync::Arc, time::Duration};

use conveyor::{
    Account, Error, Kind, Outcome,
    raw::{Write, revert, update},
};
use ledger::{
    Branch, Draft, Edit, Entry, Found, LedgerError, Meta, Push, Refusal, Remote, RepoPath, RevertError, Scalar,
    Unanswered,
    faults::{Fault, Faulty},
    memory::Repository,
};
use release::{CommitId, RunId};
use tokio::time::Instant;

use crate::world::word;

/// A repository that is no Ledger, with one file.
fn repository() -> (Repository, Branch) {
    let (repository, main) = (Repository::new(), word("main"));
    repository.commit_files(&main, &[(word("values.yaml"), Some("image:\n  tag: 'a'\n".into()))], "first").unwrap();
    (repository, main)
}

fn edit(to: &str) -> Edit {
    let (file, key) = (word("values.yaml"), word("image.tag"));
    Edit { file, document: None, key, from: ledger::From::Any, to: Scalar::new(to) }
}

fn write<'a>(remote: &'a dyn Remote, branch: &'a Branch) -> Write<'a> {
    let deadline = Instant::now() + Duration::from_mins(1);
    Write { remote, branch, run: RunId::new(1, 1), deadline, dry_run: false, propose: false }
}

fn text(repository: &Repository, branch: &Branch) -> String {
    let head = repository.log(branch)[0].id;
    String::from_utf8(repository.file(&head, &word("values.yaml")).unwrap().to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_commit_is_taken_back_unless_somebody_wrote_since() {
    let (repository, main) = repository();
    let write = write(&repository, &main);
    let mut account = Account::default();
    update(&write, edit("b"), &mut account).await.unwrap();
    let of = account.ledger.take().unwrap().commit;

    let dry_run = Write { dry_run: true, ..write };
    let outcome = revert(&dry_run, &of, &mut account).await.unwrap();
    assert!(matches!(outcome, Outcome::Planned), "{outcome:?}");
    let diff = account.diff.take().unwrap();
    assert!(diff.contains("\n-  tag: 'b'\n+  tag: 'a'\n"), "{diff}");
    assert_eq!((&*account.planned[0].from, &*account.planned[0].to), ("b", "a"));

    let outcome = revert(&write, &of, &mut account).await.unwrap();
    assert!(matches!(outcome, Outcome::Updated), "{outcome:?}");
    assert_eq!((text(&repository, &main), account.pushes), ("image:\n  tag: 'a'\n".to_owned(), 2));
    let outcome = revert(&write, &of, &mut account).await.unwrap();
    assert!(matches!(outcome, Outcome::Unchanged), "{outcome:?}");

    update(&write, edit("c"), &mut account).await.unwrap();
    let outcome = revert(&write, &of, &mut account).await.unwrap();
    let Outcome::Superseded { app: None, edit: Some(edit), found, wanted } = outcome else { panic!("{outcome:?}") };
    assert_eq!((edit.file.as_str(), &*edit.key.to_string()), ("values.yaml", "image.tag"));
    assert_eq!((&*found, &*wanted), ("c", "a"));
    assert_eq!(account.happened.ledger, Some(false));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_taken_back_is_said_and_a_ledger_is_left_alone() {
    let (repository, main) = repository();
    let write = write(&repository, &main);
    let first = repository.log(&main)[0].id;
    let failed = revert(&write, &first, &mut Account::default()).await.unwrap_err();
    assert!(matches!(failed, Error::Revert(RevertError::First { .. })) && failed.kind() == Kind::Usage, "{failed:?}");

    let of = repository.commit_files(&main, &[(word("values.yaml"), Some("image:\n  tag: z\n".into()))], "").unwrap();
    repository.commit_files(&main, &[(word("conveyor.yaml"), Some("version: 1\n".into()))], "").unwrap();
    for dry_run in [true, false] {
        let write = Write { dry_run, propose: true, ..write };
        let failed = revert(&write, &of, &mut Account::default()).await.unwrap_err();
        assert!(matches!(failed, Error::GuardedLedger), "{failed:?}");
        let failed = update(&write, edit("y"), &mut Account::default()).await.unwrap_err();
        assert!(matches!(failed, Error::GuardedLedger), "{failed:?}");
    }
    assert_eq!(text(&repository, &main), "image:\n  tag: z\n");
}

/// What is not written as this tool writes it.
const NUMBER: &str = "replicas: 1\nimage:\n  tag:   48200\n";

/// A repository where a commit made a text of a number, and that commit.
fn with_a_number() -> (Repository, Branch, CommitId) {
    let (repository, main) = repository();
    let commit =
        |text: String| repository.commit_files(&main, &[(word("values.yaml"), Some(text.into()))], "").unwrap();
    commit(NUMBER.to_owned());
    let of = commit(NUMBER.replace("48200", "\"48213\""));
    (repository, main, of)
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_shows_and_a_pull_request_offers_the_bytes_that_would_be_written() {
    let (repository, main, of) = with_a_number();
    let mut account = Account::default();
    let dry_run = Write { dry_run: true, ..write(&repository, &main) };
    assert!(matches!(revert(&dry_run, &of, &mut account).await.unwrap(), Outcome::Planned));
    let diff = account.diff.take().unwrap();
    assert!(diff.contains("\n-  tag:   \"48213\"\n+  tag:   48200\n"), "{diff}");

    repository.protect(&main);
    let proposing = Write { propose: true, ..write(&repository, &main) };
    let outcome = revert(&proposing, &of, &mut account).await.unwrap();
    let Outcome::PullRequest(request) = outcome else { panic!("{outcome:?}") };
    assert_eq!(repository.file(&request.commit, &word("values.yaml")).unwrap(), NUMBER);
}

#[tokio::test(start_paused = true)]
async fn what_others_wrote_since_is_said_where_a_value_cannot_be_set_back() {
    let (repository, main, of) = with_a_number();
    let theirs = NUMBER.replace("48200", "\"48213\"").replace("replicas: 1", "replicas: 2");
    repository.commit_files(&main, &[(word("values.yaml"), Some(theirs.clone().into()))], "").unwrap();
    for dry_run in [true, false] {
        let write = Write { dry_run, ..write(&repository, &main) };
        let failed = revert(&write, &of, &mut Account::default()).await.unwrap_err();
        assert!(failed.to_string().starts_with("values.yaml was changed after that commit"), "{failed}");
        assert_eq!(failed.kind(), Kind::Usage);
    }
    assert_eq!(text(&repository, &main), theirs);
}

#[tokio::test(start_paused = true)]
async fn a_repository_that_becomes_a_ledger_meanwhile_is_left_alone() {
    let (repository, main, of) = with_a_number();
    let race = Fault::Race(vec![(word("conveyor.yaml"), "version: 1\n".into())]);
    let server =
        (0..20).fold(Faulty::new(Arc::new(repository.clone())), |faulty, call| faulty.with(call, race.clone()));
    let failed = revert(&write(&server, &main), &of, &mut Account::default()).await.unwrap_err();
    assert!(matches!(failed, Error::GuardedLedger), "{failed:?}");
    assert_eq!(text(&repository, &main), NUMBER.replace("48200", "\"48213\""));
}

#[tokio::test(start_paused = true)]
async fn a_temporary_fault_ends_no_dry_run_and_no_revert() {
    for (is_revert, dry_run, calls) in [(true, true, 7), (true, false, 8), (false, true, 2), (false, false, 3)] {
        for call in 0..calls {
            let (repository, main, of) = with_a_number();
            let server = Faulty::new(Arc::new(repository.clone())).with(call, Fault::NotSent);
            let (write, mut account) = (Write { dry_run, ..write(&server, &main) }, Account::default());
            let outcome = match is_revert {
                true => revert(&write, &of, &mut account).await,
                false => update(&write, edit("b"), &mut account).await,
            };
            let is_done = matches!((&outcome, dry_run), (Ok(Outcome::Planned), true) | (Ok(Outcome::Updated), false));
            assert!(is_done, "{is_revert} {dry_run} {call}: {outcome:?}");
            assert!(server.calls() > calls, "{is_revert} {dry_run} {call} broke nothing");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_branch_takes_no_pushes_the_same_thing_is_proposed_once() {
    let (repository, main) = repository();
    let of = repository.commit_files(&main, &[(word("values.yaml"), Some("image:\n  tag: z\n".into()))], "").unwrap();
    repository.protect(&main);
    let write = Write { propose: true, ..write(&repository, &main) };
    let mut requests = Vec::new();
    for (value, again) in [("b", false), ("b", true), ("c", false)] {
        let outcome = update(&write, edit(value), &mut Account::default()).await.unwrap();
        let Outcome::PullRequest(request) = outcome else { panic!("{outcome:?}") };
        assert_eq!(request.adopted, again, "{value}");
        requests.push(request.id);
    }
    for again in [false, true] {
        let outcome = revert(&write, &of, &mut Account::default()).await.unwrap();
        let Outcome::PullRequest(request) = outcome else { panic!("{outcome:?}") };
        assert_eq!(request.adopted, again);
        requests.push(request.id);
    }
    assert_eq!(requests, [1, 1, 2, 3, 3]);
    assert_eq!(text(&repository, &main), "image:\n  tag: z\n");

    let unasked = Write { propose: false, ..write };
    let mut account = Account::default();
    let outcome = update(&unasked, edit("b"), &mut account).await.unwrap();
    assert!(matches!(outcome, Outcome::Refused(Refusal::BranchPolicy)) && account.proposable, "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_value_adds_no_line_to_the_message() {
    let (repository, main) = repository();
    let write = write(&repository, &main);
    update(&write, edit("b\n\nConveyor-Run: 9.9\u{2028}x"), &mut Account::default()).await.unwrap();
    let message = repository.log(&main)[0].message.clone();
    let title = r"values.yaml: image.tag = b\u{a}\u{a}Conveyor-Run: 9.9\u{2028}x";
    assert_eq!(message, format!("{title}\n\nConveyor-Run: {}\n", write.run));
}

#[tokio::test(start_paused = true)]
async fn a_pull_request_that_the_server_cannot_have_is_told() {
    let (repository, main) = repository();
    repository.protect(&main);
    let plain = Plain(&repository);
    for propose in [true, false] {
        let mut account = Account::default();
        let outcome = update(&Write { propose, ..write(&plain, &main) }, edit("b"), &mut account).await.unwrap();
        assert!(matches!(outcome, Outcome::Refused(Refusal::BranchPolicy)), "{outcome:?}");
        assert_eq!((account.proposable, account.cannot_propose), (false, propose));
    }
}

/// A server without pull requests.
#[derive(Debug)]
struct Plain<'a>(&'a Repository);

#[async_trait::async_trait]
impl Remote for Plain<'_> {
    async fn head(&self, branch: &Branch) -> Result<CommitId, LedgerError> {
        self.0.head(branch).await
    }

    async fn read(&self, at: &CommitId, paths: &[RepoPath]) -> Result<Vec<Option<Found>>, LedgerError> {
        self.0.read(at, paths).await
    }

    async fn list(&self, at: &CommitId, folder: &RepoPath) -> Result<Vec<Entry>, LedgerError> {
        self.0.list(at, folder).await
    }

    async fn history(&self, branch: &Branch, path: &RepoPath, limit: usize) -> Result<Vec<Meta>, LedgerError> {
        self.0.history(branch, path, limit).await
    }

    async fn commit(&self, id: &CommitId) -> Result<Meta, LedgerError> {
        self.0.commit(id).await
    }

    async fn push(&self, branch: &Branch, expected: &CommitId, draft: &Draft) -> Result<Push, LedgerError> {
        self.0.push(branch, expected, draft).await
    }

    async fn landed(&self, branch: &Branch, push: &Unanswered) -> Result<Option<CommitId>, LedgerError> {
        self.0.landed(branch, push).await
    }
}
