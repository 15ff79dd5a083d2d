//! What is no record.

use std::error::Error as _;

use record::{Act, ActKind, Entry, EntryError, FILE_ENTRIES, RecordError, parse_file};

use crate::fixtures::{act, app, environment, file, read, replaced};

fn line() -> String {
    Entry::new(act(48213, 1)).unwrap().to_line()
}

/// The error of the entry that one replacement makes of a good line.
#[track_caller]
fn broken(from: &str, to: &str) -> EntryError {
    let line = line();
    assert!(line.contains(from), "{from} is not in {line}");
    Entry::parse(&line.replacen(from, to, 1)).unwrap_err()
}

fn shown(error: &EntryError) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

#[test]
fn a_file_that_is_no_array_of_lines() {
    let line = line();
    assert!(read(format!("[\n{line},\n{line}\n]\n").as_bytes()).is_ok());
    assert!(matches!(read(b""), Err(RecordError::NotAnArray(_))));
    assert!(matches!(read(b"{}"), Err(RecordError::NotAnArray(_))));
    assert!(matches!(read(b"[]\n[]"), Err(RecordError::NotAnArray(_))));
    assert!(matches!(read(format!("[\n{line},\n]\n").as_bytes()), Err(RecordError::NotAnArray(_))));
    assert!(matches!(read(b"[\n\"\xff\"\n]\n"), Err(RecordError::NotUtf8(_))));
    assert!(matches!(read(format!("[{line}]").as_bytes()), Err(RecordError::SharedLine { entry: 1 })));
    assert!(matches!(read(format!("[\n{line},{line}\n]").as_bytes()), Err(RecordError::SharedLine { entry: 2 })));
    let spread = line.replacen(',', ",\n", 1);
    let error = read(format!("[\n{line},\n{spread}\n]").as_bytes()).unwrap_err();
    assert!(matches!(error, RecordError::Entry { entry: 2, source: EntryError::SeveralLines }), "{error:?}");
    assert!(!error.is_retryable());
}

#[test]
fn a_line_break_inside_an_entry_in_either_form() {
    for end in ["\n", "\r", "\r\n"] {
        let error = Entry::parse(&line().replacen(',', &format!(",{end}"), 1)).unwrap_err();
        assert!(matches!(error, EntryError::SeveralLines), "{end:?}");
    }
}

#[test]
fn an_entry_of_another_file() {
    let file = file(&[Entry::new(act(48213, 1)).unwrap()]);
    let other_app = parse_file(&file, &environment(), &"orders-api".parse().unwrap()).unwrap_err();
    assert!(matches!(other_app, RecordError::Misplaced { entry: 1, .. }), "{other_app:?}");
    let other_environment = parse_file(&file, &"qa".parse().unwrap(), &app()).unwrap_err();
    assert!(matches!(other_environment, RecordError::Misplaced { entry: 1, .. }), "{other_environment:?}");
}

#[test]
fn an_unknown_kind_and_a_kind_without_its_fields() {
    assert!(shown(&broken(r#""kind":"promote""#, r#""kind":"demote""#)).contains("demote"));
    for (kind, field) in [("rollback", "replaces"), ("redeploy", "replaces"), ("emergency", "replaces")] {
        let error = broken(r#""kind":"promote""#, &format!(r#""kind":"{kind}""#));
        assert!(matches!(error, EntryError::Missing { field: missing } if missing == field), "{kind}: {error}");
    }
    assert!(matches!(broken(r#""kind":"promote""#, r#""kind":"result""#), EntryError::Missing { field: "of" }));
    assert!(matches!(broken(r#""kind":"promote""#, r#""kind":"close""#), EntryError::Missing { field: "of" }));
    for field in ["approvals", "decided", "requester", "rules"] {
        let error = broken(&format!(r#""{field}":"#), r#""unknown":"#);
        assert!(matches!(error, EntryError::Missing { field: missing } if missing == field), "{field}: {error}");
    }
    for field in ["app", "build", "environment", "kind", "run", "time", "_type", "predicateType", "subject"] {
        let error = broken(&format!(r#""{field}":"#), r#""unknown":"#);
        assert!(shown(&error).contains(&format!("missing field `{field}`")), "{field}: {error:?}");
    }
}

#[test]
fn a_field_of_another_kind() {
    assert!(matches!(broken(r#""kind":"#, r#""incident":"INC-7","kind":"#), EntryError::Misfit));
    assert!(matches!(broken(r#""kind":"promote""#, r#""kind":"adopt","lifts":"x""#), EntryError::Misfit));
    let rollback = Act { kind: ActKind::Rollback { replaces: replaced(48214) }, ..act(48213, 1) };
    let line = Entry::new(rollback).unwrap().to_line();
    let promoted = Entry::parse(&line.replace("rollback", "promote")).unwrap_err();
    assert!(matches!(promoted, EntryError::Misfit), "{promoted:?}");
}

#[test]
fn a_key_that_stands_twice_at_any_depth() {
    for (from, to) in [
        (r#""build":"#, r#""build":"1","build":"#),
        (r#""build":"#, r#""x":{"a":{},"a":[]},"build":"#),
        (r#""build":"#, r#""x":[{"a":1,"a":2}],"build":"#),
        (r#""build":"#, r#""\u0062uild":"1","build":"#),
        (r#""commit":"#, r#""commit":"","commit":"#),
        (r#""signatures":"#, r#""signatures":[],"signatures":"#),
    ] {
        let error = broken(from, to);
        assert!(shown(&error).contains("stands twice"), "{to}: {error:?}");
    }
}

#[test]
fn another_statement() {
    let error = broken("Statement/v1", "Statement/v0.1");
    assert!(matches!(error, EntryError::OtherType { field: "_type", .. }), "{error:?}");
    let error = broken("urn:conveyor:act:v1", "urn:conveyor:act:v2");
    assert!(matches!(error, EntryError::OtherType { field: "predicateType", .. }), "{error:?}");
    let hex = act(48213, 1).subject.artifact.digest.hex();
    for (from, to) in [
        (hex.clone(), hex.to_uppercase()),
        (format!(r#"{{"sha256":"{hex}"}}"#), format!(r#"{{"sha256":"{}"}}"#, &hex[1..])),
        ("amazonaws.com/forge/payments-api".into(), "amazonaws.com".into()),
        ("amazonaws.com/forge".into(), "amazonaws.com:0/forge".into()),
        ("forge/payments-api\"}]".into(), "Forge/payments-api\"}]".into()),
    ] {
        let line = line();
        let (head, subject) = line.split_at(line.find(r#""subject""#).unwrap());
        let changed = subject.replacen(&from, &to, 1);
        assert_ne!(changed, subject);
        let error = Entry::parse(&format!("{head}{changed}")).unwrap_err();
        assert!(matches!(error, EntryError::Subject { .. }), "{to}: {error:?}");
    }
    let two = r#""subject":[{"digest":{"sha256":"aa"},"name":"a/b"},"#;
    assert!(matches!(broken(r#""subject":["#, two), EntryError::Form(_)));
    assert!(matches!(broken(r#""digest":{"sha256""#, r#""digest":{"md5""#), EntryError::Form(_)));
}

#[test]
fn words_that_no_grammar_knows() {
    for (from, to) in [
        (r#""build":"48213""#, r#""build":48213"#),
        (r#""build":"48213""#, r#""build":"048213""#),
        ("payments-api", "Payments-api"),
        ("azure-devops:0b000001", "azure-devops:0b00000g"),
        (r#""verdict":"holds""#, r#""verdict":"maybe""#),
        (r#""id":"four-eyes""#, r#""id":"Four Eyes""#),
        ("2026-11-24T03:12:09Z", "2026-13-24T03:12:09Z"),
        (r#""approvals":["#, r#""approvals":"mine","x":["#),
        (r#""outcome":"copied""#, r#""outcome":"stolen""#),
    ] {
        let error = broken(from, to);
        assert!(matches!(error, EntryError::Form(_)), "{to}: {error:?}");
    }
}

#[test]
fn the_envelope_has_two_keys_and_sixteen_signatures_at_most() {
    assert!(matches!(broken(r#","signatures":[]"#, ""), EntryError::Form(_)));
    assert!(matches!(broken(r#""signatures":[]"#, r#""signatures":[],"more":1"#), EntryError::Form(_)));
    let signed = |count| {
        let signatures = vec![r#"{"keyid":"k","sig":"s"}"#; count].join(",");
        Entry::parse(&line().replace("[]}", &format!("[{signatures}]}}")))
    };
    assert_eq!(signed(16).unwrap().signatures().len(), 16);
    assert!(matches!(signed(17), Err(EntryError::TooManySignatures { count: 17, limit: 16 })));
    let extra = line().replace("[]}", r#"[{"keyid":"k","sig":"s","cert":"c"}]}"#);
    assert!(matches!(Entry::parse(&extra), Err(EntryError::Form(_))));
}

#[test]
fn the_limits_are_inside() {
    let limit = 64 << 10;
    let reason = |length| {
        let kind = ActKind::Promote { lifts: Some("x".repeat(length)) };
        Entry::new(Act { kind, ..act(48213, 1) })
    };
    let short = reason(0).unwrap().to_line().len();
    let longest = reason(limit - short).unwrap();
    assert_eq!(longest.to_line().len(), limit);
    assert!(Entry::parse(&longest.to_line()).is_ok());
    assert!(matches!(reason(limit - short + 1), Err(EntryError::TooLong { limit: 65_536, .. })));
    let padded = longest.to_line().replacen('{', "{ ", 1);
    assert!(matches!(Entry::parse(&padded), Err(EntryError::TooLong { bytes: 65_537, .. })));

    let file = file(&[Entry::new(act(48213, 1)).unwrap()]);
    let filled = |length: usize| [&file[..], &vec![b' '; length - file.len()]].concat();
    assert!(read(&filled(1 << 20)).is_ok());
    assert!(matches!(read(&filled((1 << 20) + 1)), Err(RecordError::TooLong { bytes: 1_048_577, limit: 1_048_576 })));
}

#[test]
fn deep_nesting_is_an_error_and_not_the_end() {
    let deep = format!(r#""x":{}{},"build":"#, "[".repeat(20_000), "]".repeat(20_000));
    assert!(matches!(broken(r#""build":"#, &deep), EntryError::Form(_)));
}

#[test]
fn thirty_two_entries() {
    let entries: Vec<Entry> = (0..32).rev().map(|n| Entry::new(act(48000 + n, n)).unwrap()).collect();
    let file = file(&entries);
    assert_eq!(entries.len(), FILE_ENTRIES);
    assert_eq!(file.iter().filter(|byte| **byte == b'\n').count(), 34);
    assert_eq!(read(&file).unwrap(), entries);
}
