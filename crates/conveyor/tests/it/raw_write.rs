//! One scalar, or one commit, in a repository that is no Ledger.

use std::time::Duration;

use conveyor::{
    Account, Error, Kind, Outcome,
    raw::{Write, revert, update},
};
use ledger::{Branch, Edit, Refusal, RevertError, Scalar, memory::Repository};
use release::RunId;
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

fn write<'a>(remote: &'a Repository, branch: &'a Branch) -> Write<'a> {
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
    let Outcome::Superseded { app: None, found, wanted } = outcome else { panic!("{outcome:?}") };
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
