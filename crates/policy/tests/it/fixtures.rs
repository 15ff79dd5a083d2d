//! A promotion to a protected environment that is allowed, and rules to add.

use std::time::Duration;

use jiff::Timestamp;
use policy::{
    Approval, ApprovalParameters, Build, BuildStatus, Decision, Fact, Facts, Finding, Grade, Intent, Parameters,
    Release, Request, Rule, RuleId, RuleSet, RulesFrom, Source, Stage, Step, TagRule, Target, Verdict, Violation,
};
use release::{Actor, ActorId, Artifact, CommitId, Digest, ObjectId};

pub(crate) const ANA: u64 = 1;
pub(crate) const BO: u64 = 2;
pub(crate) const CY: u64 = 3;
pub(crate) const GROUP: &str = "6f1c0000-0000-0000-0000-000000000000";

pub(crate) fn person(number: u64) -> Actor {
    Actor { id: ActorId::AzureDevOps(guid(number)), name: format!("Person {number}") }
}

pub(crate) fn guid(number: u64) -> String {
    format!("abcdef00-0000-0000-0000-{number:012}")
}

pub(crate) fn digest() -> Digest {
    Digest::of(b"48213")
}

pub(crate) fn other_digest() -> Digest {
    Digest::of(b"other bytes")
}

/// So many seconds after an arbitrary moment.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

pub(crate) fn now() -> Timestamp {
    at(1000)
}

pub(crate) fn parameters() -> Parameters {
    Parameters {
        build_definition: Some(57),
        branches: vec!["refs/heads/main".into()],
        release_definition: Some(12),
        stage: Some("Prod-Wealth".into()),
        source_has_stage: true,
        approval: ApprovalParameters { required: 1, group: Some(GROUP.into()), max_age: Duration::from_secs(500) },
        mutable_tags_accepted: false,
    }
}

pub(crate) fn request() -> Request {
    Request {
        intent: Intent::Promote,
        step: Step::Change,
        artifact: Artifact { app: "payments-api".parse().unwrap(), build: "48213".parse().unwrap(), digest: digest() },
        from: Some("qa".parse().unwrap()),
        to: "prod-wealth".parse().unwrap(),
    }
}

pub(crate) fn emergency() -> Request {
    let intent = Intent::Emergency { incident: "INC-7".into(), reason: "prod is down".into(), by: person(ANA) };
    Request { intent, ..request() }
}

pub(crate) fn facts() -> Facts {
    Facts {
        build: Fact::Known(Build {
            id: "48213".parse().unwrap(),
            definition: 57,
            branch: "refs/heads/main".into(),
            status: BuildStatus::Succeeded,
            requesters: vec![person(ANA)],
        }),
        source: Fact::Known(Source::Record { recorded: Some(digest()), tag: Some(digest()) }),
        target: Fact::Known(Target::Holds(digest())),
        tag_rule: Fact::Known(TagRule::Immutable),
        release: Fact::Known(release()),
        rules_from: Fact::Known(RulesFrom {
            commit: CommitId::from(ObjectId::from([1; 20])),
            config: ObjectId::from([2; 20]),
            rules: None,
        }),
    }
}

pub(crate) fn release() -> Release {
    Release {
        id: 880,
        definition: 12,
        build: Some("48213".parse().unwrap()),
        build_definition: Some(57),
        requesters: vec![person(ANA)],
        stage: Stage {
            definition: 4,
            name: "Prod-Wealth".into(),
            attempt: Some(2),
            attempt_queued_at: Some(at(200)),
            creator_can_approve: false,
            approvals: vec![approval(9021, BO)],
        },
        source_succeeded_at: Some(at(100)),
        as_of: at(600),
    }
}

pub(crate) fn approval(id: u64, by: u64) -> Approval {
    Approval {
        id,
        asked: GROUP.into(),
        approver: Some(person(by)),
        approved: true,
        automated: false,
        attempt: 2,
        given_at: Some(at(300)),
    }
}

/// How many facts there are.
pub(crate) const FACTS: usize = 6;

/// The fact, by its number, made missing.
pub(crate) fn without(facts: &Facts, fact: usize, transient: bool) -> Facts {
    fn gone<T>(transient: bool) -> Fact<T> {
        if transient { Fact::unanswered("gone") } else { Fact::missing("gone", "look for it") }
    }
    let mut facts = facts.clone();
    match fact {
        0 => facts.build = gone(transient),
        1 => facts.source = gone(transient),
        2 => facts.target = gone(transient),
        3 => facts.tag_rule = gone(transient),
        4 => facts.release = gone(transient),
        _ => facts.rules_from = gone(transient),
    }
    facts
}

/// What is inside, to be changed.
pub(crate) fn known<T>(fact: &mut Fact<T>) -> &mut T {
    match fact {
        Fact::Known(known) => known,
        Fact::Missing { why, .. } => panic!("missing: {why}"),
    }
}

pub(crate) fn evaluate(parameters: &Parameters, request: &Request, facts: &Facts) -> Decision {
    RuleSet::safety(parameters).evaluate(request.clone(), facts, now())
}

pub(crate) fn allowed(decision: &Decision) -> bool {
    matches!(decision, Decision::Allowed(_))
}

pub(crate) fn verdict_of(decision: &Decision, rule: &str) -> Verdict {
    decision.verdicts().iter().find(|verdict| verdict.rule.as_str() == rule).unwrap().verdict
}

/// The violations' rules and reasons; empty where it was allowed.
pub(crate) fn reasons(decision: &Decision) -> Vec<(String, String)> {
    match decision {
        Decision::Allowed(_) => Vec::new(),
        Decision::Denied(denial) => {
            denial.violations().iter().map(|v| (v.rule.to_string(), v.because.clone())).collect()
        }
    }
}

/// A rule that does as it is told.
pub(crate) struct Told {
    pub(crate) id: &'static str,
    pub(crate) grade: Grade,
    pub(crate) does: Does,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Does {
    Hold,
    NotApply,
    Forbid,
    PanicInApplies,
    PanicInCheck,
}

impl Rule for Told {
    fn id(&self) -> RuleId {
        self.id.parse().unwrap()
    }

    fn grade(&self) -> Grade {
        self.grade
    }

    fn applies(&self, _: &Request) -> bool {
        assert!(self.does != Does::PanicInApplies, "told to panic");
        self.does != Does::NotApply
    }

    fn check(&self, _: &Request, _: &Facts, _: Timestamp) -> Result<Finding, Violation> {
        assert!(self.does != Does::PanicInCheck, "told to panic");
        match self.does {
            Does::Forbid => {
                Err(Violation::new("somebody-else".parse().unwrap(), "told to forbid", "tell it otherwise"))
            }
            _ => Ok(Finding::Holds),
        }
    }
}
