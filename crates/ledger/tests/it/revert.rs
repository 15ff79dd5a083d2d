//! What a commit changed is undone, and nothing else.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use ledger::{
    Branch, Document, Draft, Edit, Entry, Found, From, LedgerError, Meta, Outcome, Push, Remote, RepoPath, RevertError,
    Scalar, Unanswered,
    faults::{Fault, Faulty},
    get_scalar,
    memory::Repository,
    revert, update,
};
use proptest::{collection::vec, prelude::*};
use release::CommitId;

use crate::support::{bring, change, edit, forward, head, in_a_minute, main, manifest, now, path, run, server};

async fn undo(server: &Repository, of: &CommitId, which: u64) -> Result<Outcome, RevertError> {
    undo_by(server, of, which).await
}

async fn undo_by(remote: &dyn Remote, of: &CommitId, which: u64) -> Result<Outcome, RevertError> {
    let change = revert(remote, of, run(which), in_a_minute()).await?;
    Ok(update(remote, &main(), &change, in_a_minute()).await?)
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
        bring(&server, &change(1, vec![edit("a.yaml", From::Any, "20")])).await.unwrap();
        let (update, after) = (head(&server), now(&server, "a.yaml"));

        let back = undone(&server, &update, 2).await;
        assert_eq!(now(&server, "a.yaml"), manifest(value), "{value}");
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
    let of_two = "image:\n  tag: \"5\" # ours\nreplicas: 1\n";
    let server = server(&[("a.yaml", of_two.into()), ("b.yaml", manifest("1"))]);
    bring(&server, &change(1, vec![forward("a.yaml", 20)])).await.unwrap();
    let update = head(&server);
    let theirs = "# theirs\nimage:\n  tag: \"20\" # ours\nreplicas: 3\nmore: 1\n";
    commit(&server, &[("a.yaml", Some(theirs)), ("b.yaml", Some("other: 1\n"))]);
    undone(&server, &update, 2).await;
    assert_eq!(now(&server, "a.yaml"), theirs.replace("20", "5"));
    assert_eq!(now(&server, "b.yaml"), "other: 1\n");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_undone_where_one_place_has_moved_on() {
    let server = server(&[("a.yaml", manifest("'5'")), ("b.yaml", manifest("'5'"))]);
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

fn text(value: &str) -> String {
    String::from_utf8(manifest(value).to_vec()).unwrap()
}

/// What a commit, and others after it, made of one file, and what a revert of it comes to.
async fn after_others(before: &str, commits: &str, since: &str) -> Result<Option<String>, RevertError> {
    let server = server(&[("f.yaml", before.to_owned().into())]);
    let of = commit(&server, &[("f.yaml", Some(commits))]);
    commit(&server, &[("f.yaml", Some(since))]);
    let outcome = undo(&server, &of, 1).await?;
    Ok(matches!(outcome, Outcome::Updated { .. }).then(|| now(&server, "f.yaml")))
}

#[tokio::test(start_paused = true)]
async fn another_document_or_entry_is_never_taken_for_the_one_that_the_commit_changed() {
    let named = |name: &str, tag: &str| format!("kind: Deployment\nmetadata:\n  name: {name}\ntag: {tag}\n");
    let api = |tag: &str| format!("{}---\n{}", named("web", "v1"), named("api", tag));
    let api_moved =
        |tag: &str| format!("{}---\n{}---\n{}", named("front", "v1"), named("web", "v2"), named("api", tag));
    let back = after_others(&api("v1"), &api("v2"), &api_moved("v2")).await.unwrap();
    assert_eq!(back, Some(api_moved("v1")), "found by its name");

    let nameless = |tags: &[&str]| tags.iter().map(|tag| format!("---\ntag: {tag}\n")).collect::<String>();
    let entries =
        |first: &str, second: &str| format!("list:\n- {{on: {first}, tag: v2}}\n- {{on: {second}, tag: v2}}\n");
    let entry = entries("yes", "no").replacen("v2", "v1", 1);
    for (before, commits, since, why) in [
        (nameless(&["v1", "v1"]), nameless(&["v1", "v2"]), nameless(&["v0", "v2", "v2"]), "a number alone"),
        (named("api", "v1"), named("api", "v2"), named("web", "v2"), "another document instead"),
        ("tag: v1\n".into(), "tag: v2\n".into(), "---\nnone: 1\n---\ntag: v2\n".into(), "one that was alone"),
        (entry, entries("yes", "no"), entries("no", "yes"), "an entry that no name tells"),
    ] {
        let refused = after_others(&before, &commits, &since).await;
        let is_told = |source: &LedgerError| matches!(source, LedgerError::Touched { .. } | LedgerError::Edit { .. });
        assert!(matches!(&refused, Err(RevertError::Ledger { source }) if is_told(source)), "{why}: {refused:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_number_comes_back_as_a_number_or_not_at_all() {
    for (before, after) in [("1", "2"), ("true", "false"), ("1", "\"two\""), ("null", "2"), ("~", "v2"), ("1.5", "v2")]
    {
        let [before, after] = [before, after].map(|value| format!("value: {value}\nother: 1\n"));
        let server = server(&[("f.yaml", before.clone().into())]);
        let of = commit(&server, &[("f.yaml", Some(&after))]);
        undone(&server, &of, 1).await;
        assert_eq!(now(&server, "f.yaml"), before);
        let since = after.replace("other: 1", "other: 2");
        let refused = after_others(&before, &after, &since).await;
        let is_told = |source: &LedgerError| matches!(source, LedgerError::Touched { file } if *file == path("f.yaml"));
        assert!(matches!(&refused, Err(RevertError::Ledger { source }) if is_told(source)), "{before}: {refused:?}");
    }
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
    let change = revert(&server, &of, run(1), in_a_minute()).await.unwrap();
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
        (Some(before.to_owned()), "its mode, for the bytes are the same"),
        (None, "a file that is gone"),
    ] {
        let server = server(&[("a.yaml", manifest("5")), ("x.yaml", Bytes::from(before.to_owned()))]);
        let of = commit(&server, &[("a.yaml", Some(&text("6"))), ("x.yaml", after.as_deref())]);
        let (names, others) = ([path("a.yaml"), path("x.yaml")].into(), false);
        let refused = undo_by(&Told { server: server.clone(), of, names, others }, &of, 1).await;
        let names = |file: &RepoPath| *file == path("x.yaml");
        assert!(matches!(&refused, Err(RevertError::NotScalars { file, .. }) if names(file)), "{why}: {refused:?}");
        assert_eq!(head(&server), of, "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_changed_no_manifest_or_others_too_is_refused() {
    let server = server(&[("a.yaml", manifest("5"))]);
    let first = undo(&server, &head(&server), 1).await;
    assert!(matches!(first, Err(RevertError::First { .. })), "{first:?}");
    let of = commit(&server, &[]);
    let nothing = undo(&server, &of, 1).await;
    assert!(matches!(nothing, Err(RevertError::Nothing { commit }) if commit == of), "{nothing:?}");
    let of = commit(&server, &[("a.yaml", Some(&text("6"))), ("records/qa/a.json", Some("[\n1\n]\n"))]);
    let recorded = undo(&server, &of, 1).await;
    let names = |file: &RepoPath| *file == path("records/qa/a.json");
    assert!(matches!(&recorded, Err(RevertError::NotScalars { file, .. }) if names(file)), "{recorded:?}");
    let of = commit(&server, &[("a.yaml", Some(&text("7")))]);
    let odd = Told { server: server.clone(), of, names: [path("a.yaml")].into(), others: true };
    let odd = undo_by(&odd, &of, 1).await;
    assert!(matches!(odd, Err(RevertError::OddName { commit }) if commit == of), "{odd:?}");
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
            let outcome = undo_by(&client, &head(&server), 2).await.unwrap();
            assert!(matches!(outcome, Outcome::Updated { .. }), "{fault:?} at {call}: {outcome:?}");
            assert!(client.calls() > 6, "{fault:?} at {call} broke nothing");
            assert_eq!((now(&server, "a.yaml").into_bytes(), server.log(&main()).len()), (manifest("5").to_vec(), 3));
        }
    }
}

/// A server that tells other things of one commit's changes.
#[derive(Debug)]
struct Told {
    server: Repository,
    of: CommitId,
    names: BTreeSet<RepoPath>,
    others: bool,
}

#[async_trait]
impl Remote for Told {
    async fn head(&self, branch: &Branch) -> Result<CommitId, LedgerError> {
        self.server.head(branch).await
    }

    async fn read(&self, at: &CommitId, paths: &[RepoPath]) -> Result<Vec<Option<Found>>, LedgerError> {
        self.server.read(at, paths).await
    }

    async fn list(&self, at: &CommitId, folder: &RepoPath) -> Result<Vec<Entry>, LedgerError> {
        self.server.list(at, folder).await
    }

    async fn history(&self, branch: &Branch, path: &RepoPath, limit: usize) -> Result<Vec<Meta>, LedgerError> {
        self.server.history(branch, path, limit).await
    }

    async fn commit(&self, id: &CommitId) -> Result<Meta, LedgerError> {
        let meta = self.server.commit(id).await?;
        let is_it = *id == self.of;
        let changed = if is_it { self.names.clone() } else { meta.changed };
        Ok(Meta { changed, changed_others: is_it && self.others, ..meta })
    }

    async fn push(&self, branch: &Branch, expected: &CommitId, draft: &Draft) -> Result<Push, LedgerError> {
        self.server.push(branch, expected, draft).await
    }

    async fn landed(&self, branch: &Branch, push: &Unanswered) -> Result<Option<CommitId>, LedgerError> {
        self.server.landed(branch, push).await
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
            // What has no text for a value comes back in a file that nobody touched.
            let no_text = |key: usize| was[key] != is[key] && ["~", "null"].contains(&&*before[key]);
            let refused = ![&before, &after].contains(&&since) && (0..keys.len()).any(no_text);
            match undo(&server, &of, 1).await {
                Err(RevertError::Ledger { source: LedgerError::Touched { .. } }) => prop_assert!(refused),
                Ok(Outcome::Updated { .. }) => {
                    let text = now(&server, "f.yaml");
                    prop_assert!(!only_style && !refused);
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
