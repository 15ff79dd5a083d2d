//! What a change comes to on one parent.

use bytes::Bytes;
use ledger::{Applied, Change, Found, From, LedgerError, Prepend, Read, Scalar, Snapshot, apply};
use release::ObjectId;

use crate::support::{change, edit, forward, manifest, path, record};

fn snapshot(files: &[(&str, Option<&str>)]) -> Snapshot {
    let found = |text: &str| Found { id: id(text), bytes: Bytes::copy_from_slice(text.as_bytes()) };
    files.iter().map(|(file, text)| (path(file), text.map(found))).collect()
}

/// Any id that depends on the text: `apply` only compares them.
fn id(text: &str) -> ObjectId {
    let mut bytes = [0_u8; 20];
    text.bytes()
        .enumerate()
        .for_each(|(place, byte)| bytes[place % 20] = byte.wrapping_add(bytes[place % 20].wrapping_mul(31)));
    ObjectId::from(bytes)
}

fn tag(value: &str) -> String {
    String::from_utf8(manifest(value).to_vec()).unwrap()
}

fn written(applied: &Applied) -> Vec<(&str, &str)> {
    let Applied::Draft { draft, .. } = applied else { panic!("nothing to write: {applied:?}") };
    draft.files.iter().map(|(file, bytes)| (file.as_str(), std::str::from_utf8(bytes).unwrap())).collect()
}

#[test]
fn from_decides_what_an_edit_may_replace() {
    enum Expect {
        Spliced,
        Settled,
        Superseded,
    }
    use Expect::{Settled, Spliced, Superseded};
    let older = || From::OlderThan("48213".parse().unwrap());
    let exactly = |value: &str| From::Exactly(Scalar::new(value));
    let table = [
        (older(), "\"48212\"", Spliced),
        (older(), "48212", Spliced),
        (older(), "9", Spliced),
        (older(), "\"\"", Spliced),
        (older(), "~", Spliced),
        (older(), "", Spliced),
        (older(), "\"48213\"", Settled),
        (older(), "48213", Settled),
        (older(), "\"48214\"", Superseded),
        (older(), "100000", Superseded),
        (older(), "latest", Superseded),
        (older(), "v1.2.3", Superseded),
        (older(), "\"048212\"", Superseded),
        (exactly("48200"), "\"48200\"", Spliced),
        (exactly("48200"), "48201", Superseded),
        (exactly("48200"), "48213", Settled),
        (exactly("latest"), "latest", Spliced),
        (exactly(""), "\"\"", Spliced),
        (exactly(""), "48212", Superseded),
        (From::Any, "99999", Spliced),
        (From::Any, "latest", Spliced),
        (From::Any, "48213", Settled),
    ];
    for (from, value, expected) in table {
        let case = format!("{from:?} on {value}");
        let parent = snapshot(&[("a.yaml", Some(&tag(value)))]);
        let applied = apply(&parent, &change(1, vec![edit("a.yaml", from, "48213")])).unwrap();
        match expected {
            // For nothing at all, the value goes right behind the colon and the blank stays.
            Spliced => {
                let after = if value.is_empty() { "\"48213\" " } else { "\"48213\"" };
                assert_eq!(written(&applied), [("a.yaml", &*tag(after))], "{case}");
            }
            Settled => assert_eq!(applied, Applied::Unchanged, "{case}"),
            Superseded => {
                let found = Scalar::new(value.trim_matches('"'));
                assert_eq!(applied, Applied::Superseded { edit: 0, found }, "{case}");
            }
        }
    }
}

#[test]
fn a_read_that_differs_stops_everything_before_any_edit_is_looked_at() {
    let parent =
        snapshot(&[("a.yaml", Some("not: an image")), ("conveyor.yaml", Some("version: 1")), ("policy", None)]);
    let reads = |config: Option<&str>, policy: Option<&str>| Change {
        reads: vec![
            Read { path: path("policy"), was: policy.map(id) },
            Read { path: path("conveyor.yaml"), was: config.map(id) },
        ],
        ..change(1, vec![forward("a.yaml", 1)])
    };
    let moved = |file| Applied::ReadsMoved { path: path(file) };
    assert_eq!(apply(&parent, &reads(Some("version: 2"), None)).unwrap(), moved("conveyor.yaml"));
    assert_eq!(apply(&parent, &reads(None, None)).unwrap(), moved("conveyor.yaml"));
    assert_eq!(apply(&parent, &reads(Some("version: 1"), Some("rule"))).unwrap(), moved("policy"));
    assert_eq!(apply(&parent, &reads(Some("version: 2"), Some("rule"))).unwrap(), moved("policy"));
    let edited = apply(&parent, &reads(Some("version: 1"), None));
    assert!(matches!(edited, Err(LedgerError::Edit { .. })), "{edited:?}");
}

#[test]
fn one_superseded_edit_and_nothing_is_written() {
    let parent = snapshot(&[("a.yaml", Some(&tag("5"))), ("b.yaml", Some(&tag("30"))), ("r.json", None)]);
    let edits = vec![forward("a.yaml", 20), forward("b.yaml", 20)];
    let both = Change { prepends: vec![record("r.json", "{}", Some(0))], ..change(1, edits) };
    let applied = apply(&parent, &both).unwrap();
    assert_eq!(applied, Applied::Superseded { edit: 1, found: Scalar::new("30") });
}

#[test]
fn a_settled_edit_leaves_its_records_out_and_all_settled_is_unchanged() {
    let parent =
        snapshot(&[("a.yaml", Some(&tag("20"))), ("b.yaml", Some(&tag("5"))), ("r.json", None), ("s.json", None)]);
    let prepends = vec![record("r.json", "1", Some(0)), record("s.json", "2", Some(1)), record("s.json", "3", None)];
    let both = Change { prepends, ..change(1, vec![forward("a.yaml", 20), forward("b.yaml", 20)]) };
    let applied = apply(&parent, &both).unwrap();
    assert_eq!(written(&applied), [("b.yaml", &*tag("\"20\"")), ("s.json", "[\n3,\n2\n]\n")]);
    let Applied::Draft { draft, edits } = applied else { panic!() };
    assert_eq!(draft.message, format!("Change 1\n\nConveyor-Run: {}\n", both.run));
    assert_eq!((draft.run, edits.len(), edits[0].edit), (both.run, 1, 1));
    assert_eq!((edits[0].from.as_str(), edits[0].to.as_str()), ("5", "20"));

    let settled = Change { edits: vec![forward("a.yaml", 20)], ..both };
    assert_eq!(apply(&parent, &settled).unwrap(), Applied::Unchanged);
}

#[test]
fn a_change_without_edits_writes_its_records() {
    let parent = snapshot(&[("r.json", Some("[\n{\"n\":1}\n]\n"))]);
    let only = Change { prepends: vec![record("r.json", "{\"n\":2}", None)], ..change(1, vec![]) };
    assert_eq!(written(&apply(&parent, &only).unwrap()), [("r.json", "[\n{\"n\":2},\n{\"n\":1}\n]\n")]);
    assert_eq!(apply(&parent, &change(1, vec![])).unwrap(), Applied::Unchanged);
}

#[test]
fn edits_of_one_file_build_on_each_other() {
    let text = "image: {tag: 1}\nsidecar:\n  tag: 1 # kept\n";
    let parent = snapshot(&[("a.yaml", Some(text))]);
    let sidecar = ledger::Edit { key: "sidecar.tag".parse().unwrap(), ..forward("a.yaml", 7) };
    let applied = apply(&parent, &change(1, vec![forward("a.yaml", 5), sidecar])).unwrap();
    assert_eq!(written(&applied), [("a.yaml", "image: {tag: \"5\"}\nsidecar:\n  tag: \"7\" # kept\n")]);
}

#[test]
fn a_record_file_keeps_the_newest_items_byte_for_byte() {
    let odd = r#"{ "b" : 1.0, "a":"\u00fc",  "n": 12345678901234567890123 }"#;
    let prepends = |file: Option<&str>, keep| {
        let item = Prepend { keep, ..record("r.json", "2", None) };
        let applied = apply(&snapshot(&[("r.json", file)]), &Change { prepends: vec![item], ..change(1, vec![]) });
        applied.map(|applied| written(&applied)[0].1.to_owned())
    };
    let (one, two) = ("[\n2\n]\n", format!("[\n2,\n{odd}\n]\n"));
    assert_eq!(prepends(None, 32).unwrap(), one);
    for empty in ["[]", "[]\n", "[\n]", "[\n]\n"] {
        assert_eq!(prepends(Some(empty), 32).unwrap(), one);
    }
    let older = format!("[\n{odd}\n]\n");
    assert_eq!(prepends(Some(&older), 32).unwrap(), two);
    assert_eq!(prepends(Some(older.trim_end()), 32).unwrap(), two);
    let older = format!("[\n{odd},\n1\n]\n");
    assert_eq!(prepends(Some(&older), 2).unwrap(), two);
    assert_eq!(prepends(Some(&older), 1).unwrap(), one);
    assert_eq!(prepends(Some(&older), 0).unwrap(), "[]\n");
}

#[test]
fn a_broken_record_file_is_an_error_with_its_line() {
    let table = [
        ("", 1),
        ("{}\n", 1),
        ("[\n", 1),
        ("[{}]\n", 1),
        ("[\n\n]\n", 2),
        ("[\n1\n2\n]\n", 2),
        ("[\n1,\n2,\n]\n", 3),
        ("[\n1,\n{\"a\":\n]\n", 3),
        ("[\n1 2\n]\n", 2),
        ("[\n1,,\n2\n]\n", 2),
        ("[\r\n1\r\n]\r\n", 1),
        ("[\n1\n],\n", 3),
        ("[\n1\n]\n\n", 4),
        ("[\n<<<<<<< ours,\n1\n]\n", 2),
    ];
    for (file, expected) in table {
        let item = Change { prepends: vec![record("r.json", "{}", None)], ..change(1, vec![]) };
        let applied = apply(&snapshot(&[("r.json", Some(file))]), &item);
        let Err(LedgerError::BrokenArray { line, .. }) = applied else { panic!("{file:?}: {applied:?}") };
        assert_eq!(line, expected, "{file:?}");
    }
}

#[test]
fn an_item_is_one_line_of_json() {
    for item in ["", "{", "{}\n", "{\n}", "{}\r", "1 2", "{},", "nul"] {
        let applied = apply(
            &snapshot(&[("r.json", None)]),
            &Change { prepends: vec![record("r.json", item, None)], ..change(1, vec![]) },
        );
        assert!(matches!(applied, Err(LedgerError::BrokenItem { .. })), "{item:?}: {applied:?}");
    }
}

#[test]
fn what_is_not_utf8_is_no_json() {
    let latin: &[u8] = b"\"caf\xe9\"";
    let item = Prepend { item: Bytes::from_static(latin), ..record("r.json", "1", None) };
    let applied = apply(&snapshot(&[("r.json", None)]), &Change { prepends: vec![item], ..change(1, vec![]) });
    assert!(matches!(applied, Err(LedgerError::BrokenItem { .. })), "{applied:?}");
    let file = Found { id: id("x"), bytes: [&b"[\n1,\n"[..], latin, b"\n]\n"].concat().into() };
    let parent = [(path("r.json"), Some(file))].into();
    let item = Change { prepends: vec![record("r.json", "1", None)], ..change(1, vec![]) };
    let applied = apply(&parent, &item);
    assert!(matches!(applied, Err(LedgerError::BrokenArray { line: 3, .. })), "{applied:?}");
}

#[test]
fn what_cannot_be_applied_is_an_error() {
    let absent = apply(&snapshot(&[("a.yaml", None)]), &change(1, vec![forward("a.yaml", 5)]));
    assert!(matches!(absent, Err(LedgerError::NoFile { .. })), "{absent:?}");
    let unread = apply(&snapshot(&[]), &change(1, vec![forward("a.yaml", 5)]));
    assert!(matches!(unread, Err(LedgerError::NotRead { .. })), "{unread:?}");
    let large = format!("[\n\"{}\"\n]\n", "x".repeat(ledger::FILE_LIMIT - 8));
    let item = Change { prepends: vec![record("r.json", "\"one more\"", None)], ..change(1, vec![]) };
    let applied = apply(&snapshot(&[("r.json", Some(&large))]), &item);
    assert!(matches!(applied, Err(LedgerError::TooLarge { .. })), "{applied:?}");
}

#[test]
fn control_characters_do_not_reach_a_commit_message() {
    let parent = snapshot(&[("a.yaml", Some(&tag("5")))]);
    let odd = Change { message: "a\u{1b}[2J\0b\r\nc".to_owned(), ..change(1, vec![forward("a.yaml", 20)]) };
    let Applied::Draft { draft, .. } = apply(&parent, &odd).unwrap() else { panic!() };
    assert!(draft.message.starts_with("a [2J b \nc\n\nConveyor-Run: "), "{:?}", draft.message);
}
