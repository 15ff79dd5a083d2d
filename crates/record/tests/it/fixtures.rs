//! Acts to vary, and files of them.

use jiff::Timestamp;
use policy::{RuleVerdict, Verdict};
use record::{
    Act, ActKind, Approval, Approvals, Copied, CopyOutcome, Decided, Entry, ReleaseStage, Replaced, Subject, parse_file,
};
use release::{Actor, App, Artifact, BuildId, Digest, Environment, ObjectId, RunId};

pub(crate) fn build(number: u64) -> BuildId {
    number.to_string().parse().unwrap()
}

/// The digest that a build has, where nothing is wrong.
pub(crate) fn digest(number: u64) -> Digest {
    Digest::of(number.to_string().as_bytes())
}

pub(crate) fn run(number: u64) -> RunId {
    RunId::new(1_795_489_929_000 + number, 7)
}

pub(crate) fn actor(digit: u64, name: &str) -> Actor {
    let id = format!("azure-devops:0b00000{digit}-0000-0000-0000-000000000000").parse().unwrap();
    Actor { id, name: name.into() }
}

pub(crate) fn time() -> Timestamp {
    "2026-11-24T03:12:09Z".parse().unwrap()
}

pub(crate) fn environment() -> Environment {
    "prod-wealth".parse().unwrap()
}

pub(crate) fn app() -> App {
    "payments-api".parse().unwrap()
}

pub(crate) fn subject(number: u64) -> Subject {
    Subject {
        artifact: Artifact { app: app(), build: build(number), digest: digest(number) },
        environment: environment(),
        registry: "333333333333.dkr.ecr.ap-southeast-2.amazonaws.com".parse().unwrap(),
        repository: "forge/payments-api".parse().unwrap(),
    }
}

pub(crate) fn replaced(number: u64) -> Replaced {
    Replaced { build: build(number), digest: digest(number) }
}

/// A promotion of a build, as run number `run_number`.
pub(crate) fn act(number: u64, run_number: u64) -> Act {
    let verdict = |id: &str, verdict| RuleVerdict { rule: id.parse().unwrap(), verdict };
    Act {
        subject: subject(number),
        kind: ActKind::Promote { lifts: None },
        from: Some("qa".parse().unwrap()),
        approvals: Approvals::Given(vec![Approval {
            approver: actor(2, "Bo"),
            at: "2026-11-24T03:10:00Z".parse().unwrap(),
            group: Some("6f1c0000-0000-0000-0000-000000000000".into()),
            id: 9021,
        }]),
        copy: Some(Copied {
            outcome: CopyOutcome::Copied,
            read_back: digest(number),
            source: format!("222222222222.dkr.ecr.example.com/forge/payments-api@{}", digest(number)).parse().unwrap(),
        }),
        decided: Decided {
            commit: ObjectId::from([0x11; 20]).into(),
            config: ObjectId::from([0x22; 20]),
            found: Some("48200".into()),
            policy: Some(ObjectId::from([0x33; 20])),
        },
        release: Some(ReleaseStage { attempt: 1, definition: 12, id: 880, stage: 4 }),
        requester: actor(1, "Ana"),
        rules: vec![
            verdict("four-eyes", Verdict::Holds),
            verdict("scan", Verdict::NotApplicable),
            verdict("tag-immutable", Verdict::Accepted),
        ],
        run: run(run_number),
        time: time(),
    }
}

/// A file as the Ledger writes it, newest first.
pub(crate) fn file(entries: &[Entry]) -> Vec<u8> {
    let lines: Vec<String> = entries.iter().map(Entry::to_line).collect();
    format!("[\n{}\n]\n", lines.join(",\n")).into_bytes()
}

pub(crate) fn read(file: &[u8]) -> Result<Vec<Entry>, record::RecordError> {
    parse_file(file, &environment(), &app())
}
