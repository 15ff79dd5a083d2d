//! What is not edited, and what is said about it.

use std::{sync::mpsc, thread, time::Duration};

use ledger::{Construct, Document, EditError, KeyPath, LedgerError, Scalar, get_scalar, set_scalar};

/// Reads and writes `key`: both refuse for the same reason.
fn refused(source: impl AsRef<[u8]>, document: Option<&str>, key: &str) -> EditError {
    let key: KeyPath = key.parse().unwrap();
    let document = document.map(|document| document.parse::<Document>().unwrap());
    let document = document.as_ref();
    let error = set_scalar(source.as_ref(), document, &key, &Scalar::new("v2")).unwrap_err();
    assert_eq!(get_scalar(source.as_ref(), document, &key), Err(error.clone()));
    error
}

#[test]
fn a_construct_that_cannot_be_changed_alone() {
    use Construct::*;
    let cases = [
        ("a: &x v1\nimage:\n  tag: *x\n", "image.tag", 3, 8, Alias),
        ("a: &x {tag: v1}\nimage: *x\n", "image.tag", 2, 8, Alias),
        ("list: [&x {name: a, tag: v1}]\nother: [*x]\n", "other[name=a].tag", 2, 9, Alias),
        ("n: &x a\nlist: [{name: *x, tag: v1}]\n", "list[name=a].tag", 2, 15, Alias),
        ("image: {tag: &x v1}\na: *x\n", "image.tag", 1, 17, Shared),
        ("image: &x {tag: v1}\na: {<<: *x}\n", "image.tag", 1, 11, Shared),
        ("list: &x [{name: a, tag: v1}]\na: *x\n", "list[name=a].tag", 1, 10, Shared),
        ("a: &x {tag: v1}\nimage:\n  <<: *x\n", "image.tag", 3, 3, MergeKey),
        ("a: &x {name: n}\nlist: [{<<: *x, tag: v1}]\n", "list[name=n].tag", 2, 9, MergeKey),
        ("image: {{ .Values.image }}\n", "image.tag", 1, 9, ComplexKey),
        ("? [a, b]\n: c\ntag: v1\n", "tag", 1, 3, ComplexKey),
        ("a: &x tag\nimage: {*x : v1}\n", "image.tag", 2, 9, ComplexKey),
        ("tag: !!int 7\n", "tag", 1, 12, Tag),
        ("tag: !vault v1\n", "tag", 1, 13, Tag),
        ("tag: ! v1\n", "tag", 1, 8, Tag),
        ("image: !env\n  tag: v1\n", "image.tag", 2, 3, Tag),
        ("tag: |\n  v1\n", "tag", 1, 1, BlockScalar),
        ("tag: >-\n  v1\n", "tag", 1, 1, BlockScalar),
        ("tag: v1\n  and more\n", "tag", 1, 6, MultiLinePlain),
        ("image:\n  tag: v1\n", "image", 2, 3, Collection),
        ("image: [v1]\n", "image", 1, 8, Collection),
        ("tag: &x\nb: c\n", "tag", 1, 8, EmptyProperties),
        ("tag: !!str\nb: c\n", "tag", 1, 11, EmptyProperties),
        ("{tag, b: c}\n", "tag", 1, 2, NoColon),
        ("? tag\nb: c\n", "tag", 1, 3, NoColon),
        ("? tag\n:\nb: c\n", "tag", 1, 3, NoColon),
    ];
    for (source, key, line, column, what) in cases {
        assert_eq!(refused(source, None, key), EditError::Unsupported { line, column, what }, "{source}");
    }
}

#[test]
fn a_key_that_is_not_there_is_never_created() {
    let cases = [
        ("image:\n  name: web\n", "image.tag", 1),
        ("a: b\nimage:\n  # tag: v1\n", "image.tag", 2),
        ("a: b\nimage: web:v1\n", "image.tag", 2),
        ("a: b\n", "image", 1),
        ("", "image", 1),
        ("# nothing\n", "image", 1),
        ("images:\n  - name: a\n    newTag: v1\n", "images[name=b].newTag", 1),
        ("images:\n  - name: a\n  - name: b\n    newTag: v1\n", "images[name=a].newTag", 2),
        ("images: {name: a}\n", "images[name=a].newTag", 1),
        ("list:\n  - a\n", "list.a", 1),
        ("a.b: c\n", "a.b", 1),
        (": c\n", "~", 1),
    ];
    for (source, key, line) in cases {
        let expected = EditError::Missing { key: key.parse().unwrap(), line };
        assert_eq!(refused(source, None, key), expected, "{source}");
    }
    assert_eq!(refused("a: b\n---\nc: d\n", Some("1"), "a"), EditError::Missing { key: "a".parse().unwrap(), line: 3 });
}

#[test]
fn more_than_one_place_is_ambiguous() {
    let ambiguous =
        |key: &str, lines: &[usize]| EditError::Ambiguous { key: key.parse().unwrap(), lines: lines.into() };
    assert_eq!(refused("a: b\n---\na: c\n---\nd: e\n", None, "a"), ambiguous("a", &[1, 3]));
    assert_eq!(
        refused("list:\n- {n: x, tag: a}\n- {n: y, tag: b}\n- {n: x, tag: c}\n", None, "list[n=x].tag"),
        ambiguous("list[n=x].tag", &[2, 4])
    );
    // The second document has the key too, although nobody could edit it there.
    assert_eq!(refused("a: b\n---\na: |\n  c\n", None, "a"), ambiguous("a", &[1, 3]));
    assert_eq!(refused("a: b\na: c\n", None, "a"), EditError::DuplicateKey { name: "a".into(), lines: vec![1, 2] });
    assert_eq!(
        refused("a: {b: c}\nd: e\n\"a\": {b: d}\n", None, "a.b"),
        EditError::DuplicateKey { name: "a".into(), lines: vec![1, 3] }
    );
}

#[test]
fn a_document_that_is_not_there_or_not_the_only_one() {
    let source = "kind: A\nname: {first: x}\ntag: v1\n---\nkind: A\ntag: v2\n---\n- kind\n";
    let none = |document: &str| {
        let expected = EditError::NoDocument { document: document.parse().unwrap(), lines: vec![1, 5, 8] };
        assert_eq!(refused(source, Some(document), "tag"), expected);
    };
    ["3", "kind=B", "kind=A,tag=v3", "name=x", "name.last=x", "kind.name=A"].into_iter().for_each(none);
    let (document, lines) = ("kind=A".parse().unwrap(), vec![1, 5]);
    assert_eq!(refused(source, Some("kind=A"), "tag"), EditError::SeveralDocuments { document, lines });
    assert!(matches!(refused("", Some("0"), "tag"), EditError::NoDocument { .. }));
}

#[test]
fn what_chose_the_document_is_not_changed_through_it() {
    let source = "list: [{n: a, v: 1}, {n: b, v: 2}]\ntag: v1\n";
    let choice = |document: &str, key: &str, line, column| {
        let expected = EditError::Unsupported { line, column, what: Construct::Choice };
        assert_eq!(refused(source, Some(document), key), expected);
    };
    choice("tag=v1", "tag", 2, 6);
    choice("list[n=a].v=1", "list[n=a].v", 1, 18);
    choice("list[v=1].n=a", "list[n=a].v", 1, 18);
    let other = set_scalar(
        source.as_bytes(),
        Some(&"list[n=a].v=1".parse().unwrap()),
        &"list[n=b].v".parse().unwrap(),
        &Scalar::new("x"),
    );
    assert_eq!(other.unwrap(), source.replace('2', "x").as_bytes());
}

#[test]
fn a_document_is_not_chosen_by_what_cannot_be_told() {
    use Construct::*;
    for (source, line, column, what) in [
        ("a: &x A\nkind: *x\ntag: v1\n", 2, 7, Alias),
        ("kind: !env A\ntag: v1\n", 1, 12, Tag),
        ("x: &x {kind: A}\n<<: *x\ntag: v1\n", 2, 1, MergeKey),
    ] {
        assert_eq!(refused(source, Some("kind=A"), "tag"), EditError::Unsupported { line, column, what }, "{source}");
    }
    let lines = vec![1, 2];
    let twice = EditError::DuplicateKey { name: "kind".into(), lines };
    assert_eq!(refused("kind: A\nkind: B\ntag: v1\n", Some("kind=A"), "tag"), twice);
}

#[test]
fn a_character_that_readers_differ_on() {
    let controls = (0..=0x9f).filter_map(char::from_u32).filter(|c| c.is_control() && !"\t\n\r".contains(*c));
    let mut count = 0;
    for character in controls.chain(['\u{2028}', '\u{2029}', '\u{feff}']) {
        for (source, line, column) in [
            (format!("a: b # \u{e9}\u{1f680}{character}image: {{tag: evil}}\n"), 1, 10),
            (format!("# \u{6771}\r\n\"a\": '{character}'\r\n"), 2, 7),
            (format!("a: b\nc{character}: d\n"), 2, 2),
            (format!("a: b\n{character}"), 2, 1),
            (format!("\u{feff}{character}a: b\n"), 1, 2),
        ] {
            assert_eq!(refused(&source, None, "a"), EditError::Character { line, column, character });
        }
        count += 1;
    }
    assert_eq!(count, 62 + 3);
    assert_eq!(get_scalar("\u{feff}a: b\n".as_bytes(), None, &"a".parse().unwrap()), Ok(Scalar::new("b")));
}

#[test]
fn a_file_that_the_second_parser_gives_up_on_has_an_end() {
    // Its iterator of documents goes on for ever behind an error (yaml-serde#10).
    for source in
        ["a: b\n\t\nc: d\n", "a: b\nc: {d: e, d: f}\n", "a: b\n---\nc: {d:}\n", "a:\n\tb", "a: b\n...\n...\n]"]
    {
        let (done, ended) = mpsc::channel();
        thread::spawn(move || done.send(refused(source, None, "a")));
        let error = ended.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(matches!(error, EditError::Rejected { .. } | EditError::Syntax { .. }), "{error:?}");
    }
}

#[test]
fn a_file_that_readers_differ_on() {
    assert_eq!(refused(b"a: b\nc: \xff\n", None, "a"), EditError::NotUtf8 { line: 2 });
    let large = format!("a: b\n#{}\n", "x".repeat(1 << 20));
    assert_eq!(refused(&large, None, "a"), EditError::TooLarge { bytes: large.len() });
    assert!(matches!(refused("a: b\nc: [\n", None, "a"), EditError::Syntax { .. }));
    assert!(matches!(refused("a:\n\tb", None, "a"), EditError::Syntax { .. }));
    assert!(matches!(refused("a: *x\n", None, "a"), EditError::Syntax { line: 1, column: 4, .. }));
    // To one parser the tag is the key's, to the other the mapping's.
    assert_eq!(refused("!x a: b\n", None, "a"), EditError::NotProven { line: 1 });
    // Valid YAML that libyaml does not read.
    assert!(matches!(refused("a: b\n\t\nc: d\n", None, "a"), EditError::Rejected { line: 2, column: 1, .. }));
    assert!(matches!(refused("a: {tag:}\n", None, "a.tag"), EditError::Rejected { line: 1, column: 8, .. }));
    assert!(matches!(refused("a: b\nc: {d: e, d: f}\n", None, "a"), EditError::Rejected { line: 2, .. }));
    assert!(matches!(refused(bomb(), None, "a"), EditError::Rejected { .. }));
    assert!(matches!(refused("[".repeat(100_000), None, "a"), EditError::Syntax { .. }));
    assert!(matches!(
        refused(format!("a: b\nc: {}{}\n", "[".repeat(200), "]".repeat(200)), None, "a"),
        EditError::Rejected { .. }
    ));
}

/// A few hundred bytes that stand for a thousand million values.
fn bomb() -> String {
    let level = |n: usize| format!("x{n}: &x{n} [{}]\n", vec![format!("*x{}", n - 1); 10].join(", "));
    let levels: String = (1..10).map(level).collect();
    format!("a: b\nx0: &x0 [y]\n{levels}")
}

#[test]
fn a_result_above_the_limit_is_not_made() {
    let source = format!("a: b\n#{}\n", "x".repeat((1 << 20) - 7));
    let set = |value: &str| set_scalar(source.as_bytes(), None, &"a".parse().unwrap(), &Scalar::new(value));
    assert_eq!(set("c").unwrap().len(), 1 << 20);
    assert_eq!(set("cd"), Err(EditError::TooLarge { bytes: (1 << 20) + 1 }));
}

#[test]
fn the_sentence_says_where_and_what_to_do() {
    let said = |source: &str, document: Option<&str>, key: &str| {
        let source = refused(source, document, key);
        let (file, reason) = ("a/b.yaml".parse().unwrap(), source.to_string());
        format!("{}: {reason}", LedgerError::Edit { file, source })
    };
    for (source, document, key, expected) in [
        (
            "a: b\nimage: {}\n",
            None,
            "image.tag",
            "a/b.yaml:2 cannot be edited: there is no image.tag below this line; correct the key path, or add the key \
             with \"\" as its value",
        ),
        (
            "a: b\n---\na: c\n",
            None,
            "a",
            "a/b.yaml:1 cannot be edited: a leads to lines 1, 3: name the document, or give each list entry its own name",
        ),
        (
            "kind: A\n---\nkind: A\n",
            Some("kind=A"),
            "a",
            "a/b.yaml:1 cannot be edited: each document at lines 1, 3 is kind=A: name something that only one of them holds",
        ),
        (
            "kind: A\n",
            Some("kind=B"),
            "a",
            "a/b.yaml:1 cannot be edited: the file has no document kind=B: there is one at line 1",
        ),
        (
            "a: |\n  b\n",
            None,
            "a",
            "a/b.yaml:1:1 cannot be edited: a block scalar stands here; write the value in quotes on one line",
        ),
        (
            "a: b # \u{2028}\n",
            None,
            "a",
            "a/b.yaml:1:8 cannot be edited: the character U+2028 may not stand in a manifest; remove it",
        ),
    ] {
        assert_eq!(said(source, document, key), expected);
    }
}
