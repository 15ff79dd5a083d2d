//! `get_scalar` and `set_scalar`.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod documented;
pub(crate) mod generated;
mod manifests;
mod places;
mod properties;
mod refusals;
mod scalars;
mod suite;
mod tally;

use ledger::{Document, EditError, KeyPath, Scalar, get_scalar, position, set_scalar};
use serde::Deserialize as _;
use serde_yaml::Value;

/// All documents, as the other parser reads them. It takes a byte order mark for the first key's indentation.
fn documents(bytes: &[u8]) -> Option<Vec<Value>> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    serde_yaml::Deserializer::from_slice(bytes).map(Value::deserialize).collect::<Result<_, _>>().ok()
}

fn get(source: &str, key: &str) -> Scalar {
    get_scalar(source.as_bytes(), None, &key.parse().unwrap()).unwrap()
}

fn set(source: &str, key: &str, value: &str) -> String {
    let key: KeyPath = key.parse().unwrap();
    String::from_utf8(set_scalar(source.as_bytes(), None, &key, &Scalar::new(value)).unwrap()).unwrap()
}

#[test]
fn what_other_readers_take_for_something_else_is_quoted() {
    let strangers = [
        "48213",
        "00123",
        "1e5",
        "25921e05",
        "1_000",
        "on",
        "yes",
        "Y",
        "1:20",
        "0x1f",
        "0o17",
        "0b1",
        "null",
        "~",
        "2026-01-01",
        "2026-01-01T10:00:00Z",
        "1.2",
        "1.2.3",
        "true",
        "False",
        ".inf",
        "NaN",
        "-7",
        "+1",
        "",
        " v1",
        "a: b",
        "a #b",
        "[a]",
        "*a",
        "&a",
        "!a",
        "|",
        "- a",
        "---",
        "...",
        "=",
        "<<",
        "@a",
        "`a",
        "%a",
        "a:",
        "\u{e9}",
        "a\nb",
        "a\tb",
        "\u{feff}",
    ];
    for value in strangers {
        let edited = set("tag: v1 # old\n", "tag", value);
        assert!(edited.starts_with("tag: \"") && edited.ends_with("\" # old\n"), "{edited}");
        assert_eq!(documents(edited.as_bytes()).unwrap()[0]["tag"], Value::from(value));
    }
}

#[test]
fn what_every_reader_takes_for_a_string_stays_plain() {
    for value in ["v1.4.2", "1.4.2-rc1", "main-48213", "forge/web:48213", "sha256:00ff", "a@sha256:00ff", "release"] {
        assert_eq!(set("tag: v1 # old\n", "tag", value), format!("tag: {value} # old\n"));
    }
    assert_eq!(set("{tag: v1, b: c}\n", "tag", "web:48213"), "{tag: \"web:48213\", b: c}\n");
}

#[test]
fn quotes_stay() {
    assert_eq!(set("tag: 'v1'\n", "tag", "it's"), "tag: 'it''s'\n");
    assert_eq!(set("tag: ''\n", "tag", "48213"), "tag: '48213'\n");
    assert_eq!(set("tag: 'v1'\n", "tag", "a\nb"), "tag: \"a\\nb\"\n");
    assert_eq!(set("tag: \"v1\"\n", "tag", "v2"), "tag: \"v2\"\n");
    assert_eq!(set("tag: \"v1\"\n", "tag", "\"\\\u{1}\u{85}"), "tag: \"\\\"\\\\\\u0001\\u0085\"\n");
    assert_eq!(set("tag: !!str 48200\n", "tag", "48213"), "tag: !!str \"48213\"\n");
    assert_eq!(set("tag: &unused v1\n", "tag", "v2"), "tag: &unused v2\n");
}

#[test]
fn nothing_gets_the_first_value_behind_its_colon() {
    let cases = [
        ("tag:", "tag: \"48213\""),
        ("tag:\n", "tag: \"48213\"\n"),
        ("tag:\r\nb: c\r\n", "tag: \"48213\"\r\nb: c\r\n"),
        ("tag:  # comment\n", "tag: \"48213\"  # comment\n"),
        ("tag:\t# comment\n", "tag: \"48213\"\t# comment\n"),
        ("tag :   \n", "tag : \"48213\"   \n"),
        ("'tag':\n", "'tag': \"48213\"\n"),
        ("{tag: }", "{tag: \"48213\" }"),
        ("{\"tag\":, b: c}", "{\"tag\": \"48213\", b: c}"),
        ("{\"tag\":}", "{\"tag\": \"48213\"}"),
        ("tag:\n# below\n\nb: c\n", "tag: \"48213\"\n# below\n\nb: c\n"),
        ("tag: ~\n", "tag: \"48213\"\n"),
        ("tag: null # x\n", "tag: \"48213\" # x\n"),
        ("tag: \"\"\n", "tag: \"48213\"\n"),
        ("tag:\n---\nb: c\n", "tag: \"48213\"\n---\nb: c\n"),
    ];
    for (source, expected) in cases {
        assert!(get(source, "tag").is_empty(), "{source}");
        assert_eq!(set(source, "tag", "48213"), expected);
    }
}

#[test]
fn a_scalar_is_its_text() {
    for (source, text) in [
        ("a: 0x1f\n", "0x1f"),
        ("a: 1.0\n", "1.0"),
        ("a: 00123\n", "00123"),
        ("a: 2026-01-01\n", "2026-01-01"),
        ("a: Yes\n", "Yes"),
        ("a: \"null\"\n", "null"),
        ("a: '~'\n", "~"),
        ("a: !!str null\n", "null"),
        ("a: \"two\n  lines\"\n", "two lines"),
        ("a: b c # d\n", "b c"),
    ] {
        assert_eq!(get(source, "a"), Scalar::new(text));
    }
    for empty in ["", "~", "null", "Null", "NULL", "''", "\"\""] {
        assert_eq!(get(&format!("a: {empty}\n"), "a"), Scalar::empty());
    }
}

#[test]
fn entries_are_chosen_by_a_field() {
    let source = "images:\n- {newTag: a, name: web}\n- name: api\n  newTag: b\n- 7: c\n  newTag: c\n";
    assert_eq!(set(source, "images[name=api].newTag", "x"), source.replace("newTag: b", "newTag: x"));
    assert_eq!(set(source, "images[name=web].newTag", "x"), source.replace("newTag: a", "newTag: x"));
    assert_eq!(get(source, "images[7=c].newTag"), Scalar::new("c"));
}

#[test]
fn a_document_is_named_or_found() {
    let source = "kind: A # one\nlist: [{n: a, v: 1}]\ntag: t1\n---\nonly: here\n---\n\"kind\": 'B'\n\
                  meta: {name: &n web, of: *n, \"a=b\": \"c,d\"}\nlist: [{n: a, v: 2}]\nempty:\ntag: t3\n";
    for (document, key, before) in [
        (None, "only", "here"),
        (Some("0"), "tag", "t1"),
        (Some("2"), "tag", "t3"),
        (Some("kind=A"), "tag", "t1"),
        (Some("kind=B"), "tag", "t3"),
        (Some("meta.name=web"), "tag", "t3"),
        (Some("meta.\"a=b\"=\"c,d\",kind=B"), "tag", "t3"),
        (Some("list[n=a].v=1"), "tag", "t1"),
        (Some("list[n=a].v=2,tag=t3"), "kind", "B"),
        (Some("only=here"), "kind", ""),
    ] {
        let selector = document.map(|document| document.parse::<Document>().unwrap());
        let (selector, key) = (selector.as_ref(), key.parse().unwrap());
        let edited = set_scalar(source.as_bytes(), selector, &key, &Scalar::new("x"));
        if before.is_empty() {
            assert!(matches!(edited, Err(EditError::Missing { line: 5, .. })), "{edited:?}");
        } else {
            let Ok(edited) = edited else { panic!("{document:?} {key}: {edited:?}") };
            assert_eq!(edited, source.replace(before, "x").as_bytes());
            assert_eq!(get_scalar(source.as_bytes(), selector, &key), Ok(Scalar::new(before)));
        }
    }
    let empty = Document::Where(vec![("empty".parse().unwrap(), Scalar::empty())]);
    assert_eq!(get_scalar(source.as_bytes(), Some(&empty), &"kind".parse().unwrap()), Ok(Scalar::new("B")));
}

#[test]
fn a_document_selector_that_is_none() {
    let long = format!("kind={}", "a".repeat(512));
    for text in [
        "",
        "-1",
        "+1",
        "1.5",
        "kind",
        "kind=",
        "=A",
        "kind=A,",
        "kind=A,,b=c",
        ",kind=A",
        "kind=A b",
        "a[0]=b",
        "kind=A]",
        &long,
    ] {
        assert!(text.parse::<Document>().is_err(), "{text}");
    }
    let yaml = serde_yaml::to_string(&"kind=\"a,b\"".parse::<Document>().unwrap()).unwrap();
    assert_eq!(serde_yaml::from_str::<Document>(&yaml).unwrap().to_string(), "kind=\"a,b\"");
    assert!(serde_yaml::from_str::<Document>("kind").is_err());
}

#[test]
fn the_place_of_a_mistake() {
    let source = "version: 1\napps:\n  web: { build: '57', empty: }\n  long: |\n    text\n";
    let at = |route: &[&str]| position(source, route).map(|span| &source[span]);
    assert_eq!(at(&["version"]), Some("1"));
    assert_eq!(at(&["apps", "web", "build"]), Some("'57'"));
    assert_eq!(at(&["apps", "web", "empty"]), Some("empty"));
    assert_eq!(at(&["apps", "web", "typo"]), at(&["apps", "web"]));
    assert_eq!(at(&["apps"]), Some("apps"));
    assert_eq!(at(&["typo"]), None);
    assert_eq!(position("a: [", &["a"]), None);
}

#[test]
fn a_key_path_that_is_none() {
    let long = "a.".repeat(256) + "a";
    for text in [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "a[0]",
        "a[]",
        "a[b]",
        "a[b=]",
        "a[=c].d",
        "[a=b].c",
        "a[b=c][d=e]",
        "a[b=c",
        "a]",
        "a b",
        "a\"b",
        "\"a",
        "\"a\"b",
        "\"\"",
        "\"a\\n\"",
        "a\n",
        "\"a\u{7}\"",
        "a[b=c]d",
        "list[name=a].name",
        &long,
    ] {
        assert!(text.parse::<KeyPath>().is_err(), "{text}");
    }
    let yaml = serde_yaml::to_string(&"a[b=\"]\"].c".parse::<KeyPath>().unwrap()).unwrap();
    assert_eq!(serde_yaml::from_str::<KeyPath>(&yaml).unwrap().to_string(), "a[b=\"]\"].c");
    assert!(serde_yaml::from_str::<KeyPath>("a[0]").is_err());
}
