//! Each word: what the grammar makes is read and printed unchanged, and whatever is read prints to what is read again
//! as the same.

use std::{
    fmt::{Debug, Display},
    str::FromStr,
};

use proptest::{prelude::*, test_runner::TestCaseResult};
use release::{
    ActorId, App, Authority, BuildId, CommitId, Digest, Environment, ObjectId, ParseError, Reference, Repository,
    RunId, Tag,
};
use serde::{Serialize, de::DeserializeOwned};

/// What every word is.
trait Word: FromStr<Err = ParseError> + Display + Debug + PartialEq + Serialize + DeserializeOwned {}
impl<W: FromStr<Err = ParseError> + Display + Debug + PartialEq + Serialize + DeserializeOwned> Word for W {}

/// `text` is a word in its one spelling.
fn is_word<W: Word>(text: &str) -> TestCaseResult {
    let word: W = text.parse().map_err(|error: ParseError| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(word.to_string(), text);
    let json = serde_json::to_string(&word).unwrap();
    prop_assert_eq!(&json, &serde_json::to_string(text).unwrap());
    prop_assert_eq!(serde_json::from_str::<W>(&json).unwrap(), word);
    Ok(())
}

/// If `text` is a word, its one spelling is the same word.
fn settles<W: Word>(text: &str) -> TestCaseResult {
    if let Ok(word) = text.parse::<W>() {
        prop_assert_eq!(&word.to_string().parse::<W>().unwrap(), &word, "{:?}", text);
        prop_assert!(text.is_ascii() || text.starts_with("claimed:"), "{:?}", text);
    }
    Ok(())
}

const LABEL: &str = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
const COMPONENT: &str = "[a-z0-9]{1,5}((\\.|_|__|-{1,3})[a-z0-9]{1,5}){0,3}";
const TAG: &str = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";
const GUID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";

fn repository() -> impl Strategy<Value = String> {
    proptest::string::string_regex(&format!("{COMPONENT}(/{COMPONENT}){{0,3}}")).unwrap()
}

fn authority() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        "[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?(\\.[a-z]([a-z0-9-]{0,9}[a-z0-9])?){1,3}",
        any::<[u8; 4]>().prop_map(|octets| std::net::Ipv4Addr::from(octets).to_string()),
        any::<[u8; 16]>().prop_map(|octets| format!("[{}]", std::net::Ipv6Addr::from(octets))),
        Just("localhost".to_owned()),
        Just("[::1]".to_owned()),
    ];
    (host, proptest::option::of(1_u16..)).prop_map(|(host, port)| match port {
        Some(port) => format!("{host}:{port}"),
        None => host,
    })
}

fn digest() -> impl Strategy<Value = String> {
    "[0-9a-f]{64}".prop_map(|hex| format!("sha256:{hex}"))
}

fn reference() -> impl Strategy<Value = String> {
    let tag = || TAG.prop_filter("latest names no build", |tag| !tag.eq_ignore_ascii_case("latest"));
    // A host of one label may as well be a repository's first part.
    let registry = authority().prop_filter("one label", |text| text.contains(['.', ':']) || text == "localhost");
    (registry, repository(), proptest::option::of(tag()), proptest::option::of(digest()), tag()).prop_map(
        |(registry, repository, tag, digest, fallback)| match (tag, digest) {
            (None, None) => format!("{registry}/{repository}:{fallback}"),
            (Some(tag), None) => format!("{registry}/{repository}:{tag}"),
            (None, Some(digest)) => format!("{registry}/{repository}@{digest}"),
            (Some(tag), Some(digest)) => format!("{registry}/{repository}:{tag}@{digest}"),
        },
    )
}

fn actor_id() -> impl Strategy<Value = String> {
    prop_oneof![
        GUID.prop_map(|guid| format!("azure-devops:{guid}")),
        "[!-~ ]{1,40}".prop_map(|rest| format!("aws:arn:{rest}")),
        "[^\\p{Cc}]{1,40}".prop_map(|text| format!("claimed:{text}")),
    ]
}

/// Text that is nearly a word: pieces of words, put together anyhow.
fn nearly() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("sha256:"),
        Just("/"),
        Just(":"),
        Just("@"),
        Just("."),
        Just("-"),
        Just("_"),
        Just("["),
        Just("]"),
        Just("::1"),
        Just("localhost"),
        Just("LATEST"),
        Just("0"),
        Just("5000"),
        Just("48213"),
        Just("a"),
        Just("Z"),
        Just("azure-devops:"),
        Just("claimed:"),
        Just("aws:arn:"),
        Just("\n"),
        Just(" "),
        Just("\u{ff11}"),
        Just("é"),
        Just("0123456789abcdef0123456789abcdef01234567"),
        Just("0123456789abcdef01234567"),
        Just("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        Just("127.0.0.1"),
        Just("b.example"),
        Just("0B000001-0000-0000-0000-00000000000F"),
    ];
    prop_oneof![proptest::collection::vec(piece, 0..7).prop_map(|pieces| pieces.concat()), ".{0,30}"]
}

proptest! {
    #[test]
    fn what_the_grammars_make(
        build in "[1-9][0-9]{0,17}",
        label in LABEL,
        tag in TAG.prop_filter("latest names no build", |tag| !tag.eq_ignore_ascii_case("latest")),
        object in "[0-9a-f]{40}",
        run in "[0-7][0-9A-HJKMNP-TV-Z]{25}",
        digest in digest(),
        repository in repository(),
        authority in authority(),
        reference in reference(),
        actor in actor_id(),
    ) {
        is_word::<BuildId>(&build)?;
        is_word::<App>(&label)?;
        is_word::<Environment>(&label)?;
        is_word::<Tag>(&tag)?;
        is_word::<ObjectId>(&object)?;
        is_word::<CommitId>(&object)?;
        is_word::<RunId>(&run)?;
        is_word::<Digest>(&digest)?;
        is_word::<Repository>(&repository)?;
        is_word::<Authority>(&authority)?;
        is_word::<Reference>(&reference)?;
        is_word::<ActorId>(&actor)?;
    }

    #[test]
    fn whatever_is_read_is_read_again_as_the_same(text in nearly()) {
        settles::<BuildId>(&text)?;
        settles::<App>(&text)?;
        settles::<Environment>(&text)?;
        settles::<Tag>(&text)?;
        settles::<ObjectId>(&text)?;
        settles::<CommitId>(&text)?;
        settles::<RunId>(&text)?;
        settles::<Digest>(&text)?;
        settles::<Repository>(&text)?;
        settles::<Authority>(&text)?;
        settles::<Reference>(&text)?;
        settles::<ActorId>(&text)?;
    }
}
