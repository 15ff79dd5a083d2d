//! What the words do besides being read and printed.

use release::{Actor, BuildId, CommitId, Digest, Hasher, ObjectId, ParseError, Reference, RunId, Tag};

#[test]
fn builds_are_ordered_as_numbers() {
    let build = |text: &str| text.parse::<BuildId>().unwrap();
    assert!(build("9") < build("10"));
    assert!(build("48213") < build("48214"));
    assert_eq!(build("48213").get(), 48213);
    assert_eq!(build("48213").tag(), "48213".parse().unwrap());
}

#[test]
fn a_build_id_is_no_json_number() {
    assert_eq!(serde_json::to_string(&"48213".parse::<BuildId>().unwrap()).unwrap(), r#""48213""#);
    assert!(serde_json::from_str::<BuildId>("48213").is_err());
    assert!(serde_json::from_str::<BuildId>(r#""048213""#).is_err());
}

#[test]
fn a_digest_is_sha256() {
    // FIPS 180-4, the empty message and "abc".
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(Digest::of(b"").hex(), empty);
    assert_eq!(Digest::of(b"abc").to_string(), format!("sha256:{abc}"));
    let mut hasher = Hasher::default();
    hasher.update(b"a");
    let fork = hasher.clone();
    hasher.update(b"bc");
    assert_eq!(hasher.finish(), Digest::of(b"abc"));
    assert_eq!(fork.finish(), Digest::of(b"a"));
}

#[test]
fn runs_sort_by_the_time_they_began() {
    // The example of the ULID specification.
    let run = RunId::new(1_469_918_176_385, 0xDEAD);
    assert!(run.to_string().starts_with("01ARYZ6S41"), "{run}");
    assert_eq!(RunId::new(0, 1).to_string(), "00000000000000000000000001");
    assert_eq!(RunId::new(u64::MAX, u128::MAX).to_string(), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    assert!(RunId::new(1, u128::MAX) < RunId::new(2, 0));
    assert_ne!(RunId::new(1, 1), RunId::new(1, 2));
}

#[test]
fn a_commit_is_an_object() {
    let bytes = std::array::from_fn(|n| u8::try_from(n).unwrap() * 13);
    let object = ObjectId::from(bytes);
    assert_eq!(CommitId::from(object).object(), object);
    assert_eq!(object.to_string(), "000d1a2734414e5b6875828f9ca9b6c3d0ddeaf7");
}

#[test]
fn an_actor_is_written_as_records_have_it() {
    let json = r#"{"id":"azure-devops:0b000001-0000-0000-0000-00000000000f","name":"Ana"}"#;
    let actor: Actor = serde_json::from_str(json).unwrap();
    assert_eq!(serde_json::to_string(&actor).unwrap(), json);
}

#[test]
fn an_error_shows_what_was_given_safely_and_what_to_write() {
    let error = |text: &str| text.parse::<Tag>().unwrap_err().to_string();
    let shown = error("##vso[x]\n\u{1b}\u{202e}\"");
    assert!(shown.starts_with(r###""##vso[x]\n\u{1b}\u{202e}\"" is not a tag: write"###), "{shown}");
    assert!(shown.is_ascii());
    let long = error(&format!("{}/", "a".repeat(80)));
    assert!(long.starts_with(&format!("\"{}…\" is", "a".repeat(80))), "{long}");
    let just = error(&format!("{}/", "a".repeat(79)));
    assert!(just.starts_with(&format!("\"{}/\" is", "a".repeat(79))), "{just}");
    let reference = |text: &str| text.parse::<Reference>().unwrap_err().to_string();
    for scheme in ["docker://", "https://"] {
        let shown = reference(&format!("{scheme}registry.example/a:1"));
        assert!(shown.ends_with(&format!("leave out {scheme}")), "{shown}");
    }
    let ParseError { what, text, .. } = "x y".parse::<Tag>().unwrap_err();
    assert_eq!((what, &*text), ("a tag", "x y"));
}
