//! What a commit changed is undone, and nothing else.

use std::sync::Arc;

use bytes::Bytes;
use ledger::{
    Change, Document, Edit, From, LedgerError, Outcome, RepoPath, RevertError, Scalar,
    faults::{Fault, Faulty},
    get_scalar,
    memory::Repository,
    revert, revert_change,
};
use proptest::{collection::vec, prelude::*};
use release::CommitId;

use crate::support::{bring, change, edit, forward, head, in_a_minute, main, manifest, now, path, record, run, server};

async fn undo(server: &Repository, of: &CommitId, which: u64) -> Result<Outcome, RevertError> {
    revert(server, &main(), of, run(which), in_a_minute()).await
}

/// Undoes a commit, in run `which`.
async fn undone(server: &Repository, of: &CommitId, which: u64) -> CommitId {
    let outcome = undo(server, of, which).await.unwrap();
    let Outcome::Updated { commit, .. } = outcome else { panic!("{outcome:?}") };
    commit
}

/// Commits by hand, past every lock.
fn commit(server: &Repository, files: &[(&str, Option<&str>)]) -> CommitId {
    let files = files.iter().map(|(file, text)| (path(file), text.map(|text| Bytes::from(text.to_owned()))));
    server.commit_files(&main(), &files.collect::<Vec<_>>(), "By hand\n\nwith a reason\n").unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_revert_of_an_update_gives_the_parents_bytes_and_its_own_revert_the_updates() {
    for value in ["5", "\"5\"", "'5'", "\"\"", "~", "", "!!str 5", "5 # five"] {
        let server = server(&[("a.yaml", manifest(value)), ("b.yaml", manifest("1"))]);
        let change = Change {
            prepends: vec![record("records/qa/a.json", "1", Some(0))],
            ..change(1, vec![edit("a.yaml", From::Any, "20")])
        };
        bring(&server, &change).await.unwrap();
        let (update, after) = (head(&server), now(&server, "a.yaml"));

        let back = undone(&server, &update, 2).await;
        assert_eq!(now(&server, "a.yaml"), manifest(value), "{value}");
        assert_eq!(now(&server, "records/qa/a.json"), "[\n1\n]\n", "a record is never unwritten");
        let meta = &server.log(&main())[0];
        let title = format!("Revert {}: Change 1", &update.to_string()[..12]);
        assert_eq!(meta.message, format!("{title}\n\nConveyor-Run: {}\n", run(2)));
        assert_eq!((meta.id, &meta.changed), (back, &[path("a.yaml")].into()));

        undone(&server, &back, 3).await;
        assert_eq!(now(&server, "a.yaml"), after, "{value}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_others_changed_since_stays() {
    let of_two = "image:\n  tag: 5 # ours\nreplicas: 1\n";
    let server = server(&[("a.yaml", of_two.into()), ("b.yaml", manifest("1"))]);
    bring(&server, &change(1, vec![forward("a.yaml", 20)])).await.unwrap();
    let update = head(&server);
    let theirs = "# theirs\nimage:\n  tag: \"20\" # ours\nreplicas: 3\n";
    commit(&server, &[("a.yaml", Some(theirs)), ("b.yaml", Some("other: 1\n"))]);
    undone(&server, &update, 2).await;
    assert_eq!(now(&server, "a.yaml"), theirs.replace("20", "5"));
    assert_eq!(now(&server, "b.yaml"), "other: 1\n");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_undone_where_one_place_has_moved_on() {
    let server = server(&[("a.yaml", manifest("5")), ("b.yaml", manifest("5"))]);
    bring(&server, &change(1, vec![forward("a.yaml", 20), forward("b.yaml", 20)])).await.unwrap();
    let update = head(&server);
    bring(&server, &change(2, vec![forward("b.yaml", 21)])).await.unwrap();
    let before = head(&server);
    let outcome = undo(&server, &update, 3).await.unwrap();
    assert_eq!(outcome, Outcome::Superseded { edit: 1, found: Scalar::new("21") });
    assert_eq!(head(&server), before);
    // What is back already needs no commit.
    bring(&server, &change(4, vec![edit("a.yaml", From::Any, "5"), edit("b.yaml", From::Any, "5")])).await.unwrap();
    assert_eq!(undo(&server, &update, 5).await.unwrap(), Outcome::Unchanged { at: head(&server) });
}

#[tokio::test(start_paused = true)]
async fn places_are_named_as_they_will_be_found_again() {
    let before = "images:\n- name: a\n  newTag: '1'\n- name: b\n  newTag: '1'\nlist:\n- {key: x, value: 1}\n- {key: y, value: 1}\ntwins:\n- {name: t, id: p, value: 1}\n- {name: t, id: q, value: 1}\n---\nkind: B\n\"od.d\": 1\n---\nkind: C\ntag:\n";
    let after = before
        .replace("b\n  newTag: '1'", "b\n  newTag: \"2\"")
        .replace("y, value: 1", "y, value: 2")
        .replace("q, value: 1", "q, value: 2");
    let after = after.replace("od.d\": 1", "od.d\": 2").replace("tag:\n", "tag: v2\n");
    let server = server(&[("k.yaml", before.to_owned().into())]);
    let of = commit(&server, &[("k.yaml", Some(&after))]);
    let change = revert_change(&server, &of, run(1)).await.unwrap();
    let place = |document, key: &str, from: &str, to: &str| Edit {
        file: path("k.yaml"),
        document: Some(Document::Nth(document)),
        key: key.parse().unwrap(),
        from: From::Exactly(Scalar::new(from)),
        to: Scalar::new(to),
    };
    let expected = [
        place(0, "images[name=b].newTag", "2", "1"),
        place(0, "list[key=y].value", "2", "1"),
        place(0, "twins[id=q].value", "2", "1"),
        place(1, "\"od.d\"", "2", "1"),
        place(2, "tag", "v2", ""),
    ];
    assert_eq!(change.edits, expected);
    undone(&server, &of, 2).await;
    assert_eq!(now(&server, "k.yaml"), before);
}

#[tokio::test(start_paused = true)]
async fn what_is_more_than_scalars_is_refused_by_name() {
    let before = "a: 1 # one\nb: [1, 2]\nc: &x 1\nd: |\n  text\n";
    for (after, why) in [
        (Some(before.replace("# one", "# uno").replace("a: 1", "a: 2")), "a comment"),
        (Some(before.replace("a: 1", "a:  2")), "a blank"),
        (Some(before.replace("a: 1", "a: '1'")), "quotes alone"),
        (Some(before.replace("a: 1", "z: 1")), "a key"),
        (Some(before.replace("a: 1", "a: [1]")), "a collection"),
        (Some(before.replace("[1, 2]", "[1, 3]")), "an item that no key leads to"),
        (Some(before.replace("[1, 2]", "[1]")), "a list's length"),
        (Some(before.replace("&x 1", "&y 2")), "an anchor's name"),
        (Some(before.replace("text", "other")), "a block scalar"),
        (Some(format!("{before}---\ne: 1\n")), "a document"),
        (Some(format!("{before}e: 1\n")), "a new key"),
        (Some("a: [\n".to_owned()), "no YAML any more"),
        (None, "a file that is gone"),
    ] {
        let server = server(&[("a.yaml", manifest("5")), ("x.yaml", Bytes::from(before.to_owned()))]);
        let a = String::from_utf8(manifest("6").to_vec()).unwrap();
        let of = commit(&server, &[("a.yaml", Some(&a)), ("x.yaml", after.as_deref())]);
        let refused = undo(&server, &of, 1).await;
        let names = |file: &RepoPath| *file == path("x.yaml");
        assert!(matches!(&refused, Err(RevertError::NotScalars { file, .. }) if names(file)), "{why}: {refused:?}");
        assert_eq!(head(&server), of, "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_changed_no_manifest_is_refused() {
    let server = server(&[("a.yaml", manifest("5"))]);
    let first = undo(&server, &head(&server), 1).await;
    assert!(matches!(first, Err(RevertError::First { .. })), "{first:?}");
    let of = commit(&server, &[("records/qa/a.json", Some("[\n1\n]\n"))]);
    let nothing = undo(&server, &of, 1).await;
    assert!(matches!(nothing, Err(RevertError::Nothing { commit }) if commit == of), "{nothing:?}");
    let unknown = undo(&server, &"0123456789012345678901234567890123456789".parse().unwrap(), 1).await;
    assert!(matches!(unknown, Err(RevertError::Ledger { source: LedgerError::NoCommit { .. } })), "{unknown:?}");
}

#[tokio::test(start_paused = true)]
async fn every_call_may_fail_and_one_commit_undoes() {
    for fault in [Fault::NotSent, Fault::AnswerLost, Fault::RequestLost] {
        // The commit, its parent's files and its own; then a look, a read and a push.
        for call in 0..6 {
            let server = server(&[("a.yaml", manifest("5"))]);
            bring(&server, &change(1, vec![forward("a.yaml", 20)])).await.unwrap();
            let client = Faulty::new(Arc::new(server.clone())).with(call, fault.clone());
            let outcome = revert(&client, &main(), &head(&server), run(2), in_a_minute()).await.unwrap();
            assert!(matches!(outcome, Outcome::Updated { .. }), "{fault:?} at {call}: {outcome:?}");
            assert!(client.calls() > 6, "{fault:?} at {call} broke nothing");
            assert_eq!((now(&server, "a.yaml").into_bytes(), server.log(&main()).len()), (manifest("5").to_vec(), 3));
        }
    }
}

/// Ways to write a value from 0 to 9; 0 is the empty value.
fn token() -> impl Strategy<Value = String> {
    let empty = prop_oneof![Just("\"\""), Just("~"), Just("null"), Just("''")].prop_map(str::to_owned);
    prop_oneof![1 => empty, 4 => (1..9_u8, "|\"|'").prop_map(|(value, quote)| format!("{quote}v{value}{quote}"))]
}

fn file(tokens: &[String]) -> String {
    tokens.iter().enumerate().map(|(key, token)| format!("k{key}: {token} # {key}\n")).collect()
}

fn value(text: &str, key: usize) -> Scalar {
    get_scalar(text.as_bytes(), None, &format!("k{key}").parse().unwrap()).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each key is written three times: before the commit, by it, and since.
    #[test]
    fn only_what_the_commit_changed_goes_back(keys in vec((token(), token(), token(), 0..4_u8), 1..6)) {
        // Half of the keys are changed by the commit, and a quarter by others since.
        let before: Vec<String> = keys.iter().map(|(before, ..)| before.clone()).collect();
        let after: Vec<String> = keys.iter().map(|(before, after, _, who)| if who % 2 == 0 { after } else { before }.clone()).collect();
        let since: Vec<String> = keys.iter().zip(&after).map(|((_, _, since, who), after)| if *who == 1 { since } else { after }.clone()).collect();
        let scalars = |tokens: &[String]| (0..tokens.len()).map(|key| value(&file(tokens), key)).collect::<Vec<_>>();
        let (was, is) = (scalars(&before), scalars(&after));
        let only_style = (0..keys.len()).any(|key| was[key] == is[key] && before[key] != after[key]);
        runtime().block_on(async {
            let server = server(&[("f.yaml", file(&before).into())]);
            let of = commit(&server, &[("f.yaml", Some(&file(&after)))]);
            commit(&server, &[("f.yaml", Some(&file(&since)))]);
            match undo(&server, &of, 1).await {
                Ok(Outcome::Updated { .. }) => {
                    let text = now(&server, "f.yaml");
                    prop_assert!(!only_style);
                    for key in 0..keys.len() {
                        let expected = if was[key] == is[key] { value(&file(&since), key) } else { was[key].clone() };
                        prop_assert_eq!(value(&text, key), expected);
                    }
                    if since == after {
                        prop_assert_eq!(text, file(&before));
                    }
                }
                Err(RevertError::NotScalars { .. }) => prop_assert!(only_style),
                Err(RevertError::Nothing { .. }) => prop_assert!(before == after),
                other => prop_assert!(false, "{:?}", other),
            }
            Ok(())
        })?;
    }
}
