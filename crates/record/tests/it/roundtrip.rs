//! Whatever an entry says, its line says it, and no byte of a line is idle without notice.

use proptest::{collection::vec, option, prelude::*};
use record::{
    Act, ActKind, ActResult, Approvals, Close, Entry, HostOutcome, HostResult, Predicate, ResultOutcome, Seen,
};
use release::{Actor, ActorId};

use crate::fixtures::{act, actor, build, digest, file, read, replaced, run, subject, time};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just("\"\\\n\u{2028}\0".to_owned()), ".{0,12}"]
}

fn kind() -> impl Strategy<Value = ActKind> {
    prop_oneof![
        option::of(text()).prop_map(|lifts| ActKind::Promote { lifts }),
        (1_u64..99).prop_map(|n| ActKind::Redeploy { replaces: replaced(n) }),
        (1_u64..99).prop_map(|n| ActKind::Rollback { replaces: replaced(n) }),
        (1_u64..99, text(), text(), 0_usize..3).prop_map(|(n, incident, reason, waived)| ActKind::Emergency {
            replaces: replaced(n),
            incident,
            reason,
            waived: vec!["four-eyes".parse().unwrap(); waived],
        }),
        Just(ActKind::Adopt),
    ]
}

fn who() -> impl Strategy<Value = Actor> {
    prop_oneof![
        (0_u64..9, text()).prop_map(|(digit, name)| actor(digit, &name)),
        text().prop_map(|name| Actor { id: ActorId::Claimed("somebody: me".into()), name }),
        text().prop_map(|name| Actor { id: ActorId::Aws("arn:aws:iam::1:role/x".into()), name }),
    ]
}

fn acts() -> impl Strategy<Value = Predicate> {
    let flags = vec(any::<bool>(), 8);
    (1_u64..=999_999_999_999_999_999, kind(), who(), option::of(text()), flags, 0_i64..4_000_000_000).prop_map(
        |(number, kind, requester, found, flags, second)| {
            let mut act = Act { kind, requester, ..act(48213, 1) };
            act.subject.artifact.build = build(number);
            act.decided.found = found;
            act.time = jiff::Timestamp::new(second, if flags[0] { 120_000_000 } else { 0 }).unwrap();
            if flags[1] {
                act.from = None;
            }
            if flags[2] {
                act.copy = None;
            }
            if flags[3] {
                act.release = None;
            }
            if flags[4] {
                act.decided.policy = None;
            }
            if flags[5] {
                act.rules.clear();
            }
            if flags[6] {
                act.approvals = if flags[7] { Approvals::TargetsOwn } else { Approvals::Given(Vec::new()) };
            }
            act.into()
        },
    )
}

fn results() -> impl Strategy<Value = Predicate> {
    let outcome = prop_oneof![
        Just(ResultOutcome::Healthy),
        Just(ResultOutcome::Restored),
        Just(ResultOutcome::Failed),
        Just(ResultOutcome::Unknown),
        Just(ResultOutcome::Superseded),
    ];
    let on_host = prop_oneof![
        Just(HostOutcome::Deployed),
        Just(HostOutcome::AlreadyRunning),
        Just(HostOutcome::Restored),
        Just(HostOutcome::RestoreFailed),
        Just(HostOutcome::Superseded),
        Just(HostOutcome::OutOfBand),
        Just(HostOutcome::NotAttempted),
        Just(HostOutcome::Unknown),
    ];
    let number = || option::of((1_u64..9).prop_map(digest));
    let host = (option::of(text()), text(), on_host, number(), number())
        .prop_map(|(command, id, outcome, running, was)| HostResult { command, id, outcome, running, was });
    let seen = prop_oneof![vec(host, 0..3).prop_map(Seen::Hosts), Just(Seen::ArgoCd)];
    (outcome, seen, any::<u32>()).prop_map(|(outcome, seen, of)| {
        ActResult { subject: subject(48213), of: run(of.into()), outcome, seen, run: run(2), time: time() }.into()
    })
}

fn predicates() -> impl Strategy<Value = Predicate> {
    let close =
        who().prop_map(|by| Close { subject: subject(48213), of: run(1), by, run: run(2), time: time() }.into());
    prop_oneof![6 => acts(), 3 => results(), 1 => close]
}

/// Whether each object's keys stand in order, by its text alone.
fn is_sorted(json: &str) -> bool {
    let (mut open, mut chars) = (Vec::<Option<String>>::new(), json.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '{' | '[' => open.push(None),
            '}' | ']' => {
                open.pop();
            }
            '"' => {
                let mut text = String::new();
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    text.push(c);
                    if c == '\\' {
                        text.extend(chars.next());
                    }
                }
                if chars.peek() == Some(&':') {
                    let before = open.last_mut().unwrap().replace(text.clone());
                    if before.is_some_and(|before| before >= text) {
                        return false;
                    }
                }
            }
            _ => {}
        }
    }
    true
}

proptest! {
    #[test]
    fn parse_after_to_line_is_the_identity(predicates in vec(predicates(), 0..5)) {
        let entries: Vec<Entry> = predicates.iter().map(|p| Entry::new(p.clone()).unwrap()).collect();
        let file = if entries.is_empty() { b"[]\n".to_vec() } else { file(&entries) };
        let read = read(&file).unwrap();
        prop_assert_eq!(&read, &entries);
        for (entry, predicate) in read.iter().zip(&predicates) {
            prop_assert_eq!(entry.predicate(), predicate);
            prop_assert_eq!(Entry::parse(&entry.to_line()).unwrap().to_line(), entry.to_line());
            prop_assert!(is_sorted(entry.statement()), "{}", entry.statement());
            prop_assert!(!entry.to_line().contains(['\n', '\r']));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(read(&bytes).is_err() || bytes.starts_with(b"["));
    }
}

#[test]
fn a_flipped_bit_is_refused_or_another_entry() {
    let entry = Entry::new(act(48213, 1)).unwrap();
    let signed = entry.to_line().replace("[]}", r#"[{"keyid":"k","sig":"s"}]}"#);
    let (start, file) = (2, format!("[\n{signed}\n]\n").into_bytes());
    let before = read(&file).unwrap();
    let mut other = 0;
    for place in start..start + signed.len() {
        for bit in 0..8 {
            let mut flipped = file.clone();
            flipped[place] ^= 1 << bit;
            if let Ok(after) = read(&flipped) {
                assert_ne!(after, before, "byte {place}, bit {bit}");
                other += 1;
            }
        }
    }
    assert!(other > 0);
}
