//! What stands in a file is a promise: each kind of entry, byte for byte.

use record::{
    Act, ActKind, ActResult, Approvals, Close, Entry, HostOutcome, HostResult, Predicate, ResultOutcome, Seen,
};

use crate::fixtures::{act, actor, digest, file, read, replaced, run, subject, time};

const HEX: &str = "0f2b4c9ee1c13e2e5d9fbf7f1d5a9e1f2f0f3a3b8f1d2b3c4d5e6f708192a3b4";

/// The statement with this predicate, about the build 48213.
fn statement(predicate: &str) -> String {
    let line = format!(
        r#"{{"statement":{{"_type":"https://in-toto.io/Statement/v1","predicate":{{{predicate}}},"predicateType":"urn:conveyor:act:v1","subject":[{{"digest":{{"sha256":"{HEX}"}},"name":"333333333333.dkr.ecr.ap-southeast-2.amazonaws.com/forge/payments-api"}}]}},"signatures":[]}}"#
    );
    line.replace(HEX, &digest(48213).hex()).replace("VERSION", env!("CARGO_PKG_VERSION"))
}

#[track_caller]
fn is_written(predicate: impl Into<Predicate>, expected: &str) {
    let predicate = predicate.into();
    let entry = Entry::new(predicate.clone()).unwrap();
    assert_eq!(entry.to_line(), statement(expected));
    let read = read(&file(&[entry])).unwrap();
    assert_eq!(*read[0].predicate(), predicate);
}

const REST: &str = r#""release":{"attempt":1,"definition":12,"id":880,"stage":4},"#;
const LAST: &str = r#""requester":{"id":"azure-devops:0b000001-0000-0000-0000-000000000000","name":"Ana"},"rules":[{"id":"four-eyes","verdict":"holds"},{"id":"scan","verdict":"not-applicable"},{"id":"tag-immutable","verdict":"accepted"}],"run":"RUN","time":"2026-11-24T03:12:09Z""#;
const DECIDED: &str = r#""decided":{"commit":"1111111111111111111111111111111111111111","config":"2222222222222222222222222222222222222222","found":"48200","policy":"3333333333333333333333333333333333333333"},"environment":"prod-wealth","#;

/// An act's predicate, from what differs between kinds.
fn act_fields(approvals: &str, copy: &str, kind: &str, replaces: &str, waived: &str) -> String {
    let head = format!(r#""app":"payments-api","approvals":{approvals},"build":"48213","conveyor":"VERSION",{copy}"#);
    let last = LAST.replace("RUN", &run(1).to_string());
    format!(r#"{head}{DECIDED}"from":"qa",{kind},{REST}{replaces}{last}{waived}"#)
}

const GIVEN: &str = r#"[{"approver":{"id":"azure-devops:0b000002-0000-0000-0000-000000000000","name":"Bo"},"at":"2026-11-24T03:10:00Z","group":"6f1c0000-0000-0000-0000-000000000000","id":9021}]"#;

fn copy() -> String {
    let digest = digest(48213);
    format!(
        r#""copy":{{"outcome":"copied","read_back":"{digest}","source":"222222222222.dkr.ecr.example.com/forge/payments-api@{digest}"}},"#
    )
}

fn replaces() -> String {
    format!(r#""replaces":{{"build":"48214","digest":"{}"}},"#, digest(48214))
}

#[test]
fn a_promotion() {
    is_written(act(48213, 1), &act_fields(GIVEN, &copy(), r#""kind":"promote""#, "", ""));
    let lifted = Act { kind: ActKind::Promote { lifts: Some("fixed \"it\"\n".into()) }, ..act(48213, 1) };
    is_written(lifted, &act_fields(GIVEN, &copy(), r#""kind":"promote","lifts":"fixed \"it\"\n""#, "", ""));
}

#[test]
fn a_first_promotion_has_neither_source_nor_approvals_nor_release() {
    let mut first = act(48213, 1);
    (first.from, first.copy, first.release) = (None, None, None);
    first.approvals = Approvals::Given(Vec::new());
    first.decided.found = Some(String::new());
    first.decided.policy = None;
    let expected = act_fields("[]", "", r#""kind":"promote""#, "", "")
        .replace(r#""from":"qa","#, "")
        .replace(REST, "")
        .replace("48200", "")
        .replace(r#","policy":"3333333333333333333333333333333333333333""#, "");
    is_written(first, &expected);
}

#[test]
fn what_goes_back_names_what_it_replaces() {
    let back = |kind, approvals| Act { kind, approvals, copy: None, ..act(48213, 1) };
    let replaces = replaces();
    is_written(
        back(ActKind::Rollback { replaces: replaced(48214) }, Approvals::TargetsOwn),
        &act_fields(r#""target's own""#, "", r#""kind":"rollback""#, &replaces, ""),
    );
    is_written(
        back(ActKind::Redeploy { replaces: replaced(48214) }, act(48213, 1).approvals),
        &act_fields(GIVEN, "", r#""kind":"redeploy""#, &replaces, ""),
    );
    let emergency = ActKind::Emergency {
        replaces: replaced(48214),
        incident: "INC-7".into(),
        reason: "prod is down".into(),
        waived: vec!["four-eyes".parse().unwrap()],
    };
    let expected =
        act_fields("[]", "", r#""incident":"INC-7","kind":"emergency","reason":"prod is down""#, &replaces, "");
    is_written(back(emergency, Approvals::Given(Vec::new())), &format!(r#"{expected},"waived":["four-eyes"]"#));
}

#[test]
fn an_adoption() {
    let adopted = Act { kind: ActKind::Adopt, copy: None, ..act(48213, 1) };
    is_written(adopted, &act_fields(GIVEN, "", r#""kind":"adopt""#, "", ""));
}

#[test]
fn a_result() {
    let hosts = vec![HostResult {
        command: Some("c0ffee".into()),
        id: "i-0a".into(),
        outcome: HostOutcome::Deployed,
        running: Some(digest(48213)),
        was: Some(digest(48200)),
    }];
    let result =
        |outcome, seen| ActResult { subject: subject(48213), of: run(1), outcome, seen, run: run(2), time: time() };
    let head = r#""app":"payments-api","build":"48213","conveyor":"VERSION","environment":"prod-wealth","#;
    let (of, run) = (run(1), run(2));
    is_written(
        result(ResultOutcome::Healthy, Seen::Hosts(hosts)),
        &format!(
            r#"{head}"hosts":[{{"command":"c0ffee","id":"i-0a","outcome":"deployed","running":"{}","was":"{}"}}],"kind":"result","of":"{of}","outcome":"healthy","reported_by":"host","run":"{run}","seen_by":"hosts","time":"2026-11-24T03:12:09Z""#,
            digest(48213),
            digest(48200),
        ),
    );
    is_written(
        result(ResultOutcome::Unknown, Seen::ArgoCd),
        &format!(
            r#"{head}"kind":"result","of":"{of}","outcome":"unknown","reported_by":"argocd","run":"{run}","seen_by":"argocd","time":"2026-11-24T03:12:09Z""#
        ),
    );
}

#[test]
fn a_close() {
    let close = Close { subject: subject(48213), of: run(1), by: actor(2, "Bo"), run: run(2), time: time() };
    is_written(
        close,
        &format!(
            r#""app":"payments-api","build":"48213","by":{{"id":"azure-devops:0b000002-0000-0000-0000-000000000000","name":"Bo"}},"conveyor":"VERSION","environment":"prod-wealth","kind":"close","of":"{}","run":"{}","time":"2026-11-24T03:12:09Z""#,
            run(1),
            run(2)
        ),
    );
}

/// As a shell does it with jq and openssl: the bytes between `{"statement":` and `,"signatures":`.
#[test]
fn what_is_signed_is_what_stands_on_the_line() {
    let line = Entry::new(act(48213, 1)).unwrap().to_line();
    let cut = line.strip_prefix(r#"{"statement":"#).unwrap().rsplit_once(r#","signatures":"#).unwrap().0;
    // Another writer's spacing, order and keys are its own: they are kept, since the signature is over them.
    let foreign = cut.replacen('{', "{ ", 1).replace(r#""conveyor":"#, r#""z":[1.5,null,true,-1],"conveyor" : "#);
    let signed = format!(r#"{{"statement":{foreign},"signatures":[{{"keyid":"forge-1","sig":"MEUC"}}]}}"#);
    let entries = read(format!("[\n{signed}\n]\n").as_bytes()).unwrap();
    assert_eq!(entries[0].statement(), foreign);
    assert_eq!(entries[0].to_line(), signed);
    assert_eq!(entries[0].signatures()[0].keyid, "forge-1");
    assert_eq!(*entries[0].predicate(), act(48213, 1).into());
}
