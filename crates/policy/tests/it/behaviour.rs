//! One rule, one thing wrong, one verdict; and the set as a whole.

use policy::{
    BuildStatus, Decision, Fact, Facts, Grade, Intent, Parameters, Request, RuleId, RuleSet, RuleVerdict, Source, Step,
    TagRule, Target, Verdict, Violation,
};
use release::ObjectId;

use crate::fixtures::{
    Does, FACTS, Told, allowed, digest, emergency, evaluate, facts, known, now, other_digest, parameters, reasons,
    request, verdict_of, without,
};

type Change = fn(&mut Parameters, &mut Request, &mut Facts);

fn decide(change: Change) -> Decision {
    let (mut parameters, mut request, mut facts) = (parameters(), request(), facts());
    change(&mut parameters, &mut request, &mut facts);
    evaluate(&parameters, &request, &facts)
}

/// Denied by this rule and no other.
#[track_caller]
fn denies(rule: &str, because: &str, change: Change) {
    let reasons = reasons(&decide(change));
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert_eq!(reasons[0].0, rule, "{reasons:?}");
    assert!(reasons[0].1.contains(because), "{reasons:?}");
}

#[track_caller]
fn allows(change: Change) {
    let decision = decide(change);
    assert!(allowed(&decision), "{:?}", reasons(&decision));
}

fn publish(_: &mut Parameters, request: &mut Request, facts: &mut Facts) {
    *request = Request { intent: Intent::Publish, step: Step::Copy, from: None, ..request.clone() };
    facts.source = Fact::Known(Source::Built { digest: digest() });
    facts.target = Fact::Known(Target::Absent);
    facts.release = Fact::missing("a publish has no release", "");
    known(&mut facts.build).status = BuildStatus::InProgress;
}

fn first_environment(_: &mut Parameters, request: &mut Request, facts: &mut Facts) {
    request.from = None;
    facts.source = Fact::Known(Source::Registry { tag: Some(digest()) });
}

#[test]
fn what_is_right_is_allowed() {
    allows(|_, _, _| {});
    allows(publish);
    allows(first_environment);
    allows(|_, request, facts| {
        request.step = Step::Copy;
        facts.target = Fact::Known(Target::Absent);
    });
}

#[test]
fn a_build_must_be_on_record_in_the_environment_before() {
    denies("build-on-record", "no payments-api 48213 on record", |_, _, facts| {
        facts.source = Fact::Known(Source::Record { recorded: None, tag: Some(digest()) });
    });
    denies("build-on-record", "on record as", |_, _, facts| {
        facts.source = Fact::Known(Source::Record { recorded: Some(other_digest()), tag: Some(digest()) });
    });
    denies("build-on-record", "the registry of qa has no tag", |_, _, facts| {
        facts.source = Fact::Known(Source::Record { recorded: Some(digest()), tag: None });
    });
    denies("build-on-record", "the tag 48213 in qa holds", |_, _, facts| {
        facts.source = Fact::Known(Source::Record { recorded: Some(digest()), tag: Some(other_digest()) });
    });
}

#[test]
fn in_the_first_environment_the_tag_is_the_source() {
    denies("build-on-record", "no tag 48213", |parameters, request, facts| {
        first_environment(parameters, request, facts);
        facts.source = Fact::Known(Source::Registry { tag: None });
    });
    denies("build-on-record", "the tag 48213 in prod-wealth holds", |parameters, request, facts| {
        first_environment(parameters, request, facts);
        facts.source = Fact::Known(Source::Registry { tag: Some(other_digest()) });
    });
    denies("build-on-record", "what was built is", |parameters, request, facts| {
        publish(parameters, request, facts);
        facts.source = Fact::Known(Source::Built { digest: other_digest() });
    });
}

#[test]
fn only_the_source_that_fits_the_request_counts() {
    let sources = [
        Source::Record { recorded: Some(digest()), tag: Some(digest()) },
        Source::Registry { tag: Some(digest()) },
        Source::Built { digest: digest() },
    ];
    let intents = [Intent::Publish, Intent::Promote, Intent::Redeploy, Intent::Rollback, emergency().intent];
    let mut fitting = Vec::new();
    for (s, source) in sources.iter().enumerate() {
        for (i, intent) in intents.iter().enumerate() {
            for step in [Step::Copy, Step::Change] {
                for from in [None, request().from] {
                    let facts = Facts { source: Fact::Known(source.clone()), ..facts() };
                    let some = from.is_some();
                    let request = Request { intent: intent.clone(), step, from, ..request() };
                    if verdict_of(&evaluate(&parameters(), &request, &facts), "build-on-record") == Verdict::Holds {
                        fitting.push((s, i, step, some));
                    }
                }
            }
        }
    }
    let expected = [
        (0, 1, Step::Copy, true),
        (0, 1, Step::Change, true),
        (1, 1, Step::Copy, false),
        (1, 1, Step::Change, false),
        (2, 0, Step::Copy, false),
    ];
    assert_eq!(fitting, expected);
}

#[test]
fn a_tag_is_absent_or_holds_the_digest() {
    denies("tag-free", "is held by", |_, _, facts| facts.target = Fact::Known(Target::Holds(other_digest())));
    denies("tag-free", "is held by", |_, request, facts| {
        request.step = Step::Copy;
        facts.target = Fact::Known(Target::Holds(other_digest()));
    });
    denies("tag-free", "has no tag 48213", |_, _, facts| facts.target = Fact::Known(Target::Absent));
    match decide(|_, _, facts| facts.target = Fact::Known(Target::Absent)) {
        Decision::Allowed(_) => panic!("allowed"),
        Decision::Denied(denial) => assert_eq!(
            denial.violations()[0].remedy,
            "run copy-artifact first: copy-artifact payments-api=48213 --to prod-wealth"
        ),
    }
}

#[test]
fn a_tag_must_not_be_able_to_move() {
    denies("tag-immutable", "would move a tag", |_, _, facts| facts.tag_rule = Fact::Known(TagRule::Mutable));
    denies("tag-immutable", "does not say", |_, _, facts| facts.tag_rule = Fact::Known(TagRule::Unknown));
    for (rule, verdict) in [
        (TagRule::Immutable, Verdict::Holds),
        (TagRule::Mutable, Verdict::Accepted),
        (TagRule::Unknown, Verdict::Accepted),
    ] {
        let parameters = Parameters { mutable_tags_accepted: true, ..parameters() };
        let decision = evaluate(&parameters, &request(), &Facts { tag_rule: Fact::Known(rule), ..facts() });
        assert!(allowed(&decision), "{:?}", reasons(&decision));
        assert_eq!(verdict_of(&decision, "tag-immutable"), verdict, "{rule:?}");
    }
    denies("tag-immutable", "not known", |parameters, _, facts| {
        parameters.mutable_tags_accepted = true;
        facts.tag_rule = Fact::missing("no answer", "");
    });
}

#[test]
fn a_build_is_ci_s_own() {
    denies("build-of-definition", "is of definition 58", |_, _, facts| known(&mut facts.build).definition = 58);
    denies("build-of-definition", "refs/heads/fork", |_, _, facts| {
        known(&mut facts.build).branch = "refs/heads/fork".into();
    });
    denies("build-of-definition", "refs/heads/main2", |_, _, facts| {
        known(&mut facts.build).branch = "refs/heads/main2".into();
    });
    denies("build-of-definition", "of build 48214", |_, _, facts| {
        known(&mut facts.build).id = "48214".parse().unwrap();
    });
    denies("build-of-definition", "has not ended", |_, _, facts| {
        known(&mut facts.build).status = BuildStatus::InProgress;
    });
    denies("build-of-definition", "did not succeed", |_, _, facts| {
        known(&mut facts.build).status = BuildStatus::Other;
    });
    for ended in [BuildStatus::Succeeded, BuildStatus::Other] {
        let (mut parameters, mut request, mut facts) = (parameters(), request(), facts());
        publish(&mut parameters, &mut request, &mut facts);
        known(&mut facts.build).status = ended;
        let decision = evaluate(&parameters, &request, &facts);
        assert_eq!(verdict_of(&decision, "build-of-definition"), Verdict::Violated, "{ended:?}");
    }
}

#[test]
fn where_there_is_no_ci_and_no_protection_nobody_is_asked() {
    let decision = decide(|parameters, _, facts| {
        parameters.build_definition = None;
        parameters.approval.required = 0;
        facts.build = Fact::missing("there is no CI server", "");
        facts.release = Fact::missing("there is no CI server", "");
    });
    assert!(allowed(&decision), "{:?}", reasons(&decision));
    assert_eq!(verdict_of(&decision, "build-of-definition"), Verdict::NotApplicable);
    assert_eq!(verdict_of(&decision, "four-eyes"), Verdict::NotApplicable);
}

#[test]
fn rules_that_are_not_evaluated_deny() {
    denies("rules-evaluated", "not evaluated by this version", |_, _, facts| {
        known(&mut facts.rules_from).rules = Some(ObjectId::from([3; 20]));
    });
}

#[test]
fn an_emergency_waives_what_may_be_waived_and_nothing_else() {
    let gone = (0..FACTS).fold(facts(), |facts, fact| without(&facts, fact, ![0, 4].contains(&fact)));
    let decision = evaluate(&parameters(), &emergency(), &gone);
    let verdicts: Vec<_> = decision.verdicts().iter().map(|v| (v.rule.as_str(), v.verdict)).collect();
    let expected = [
        ("build-on-record", Verdict::Unknown),
        ("tag-free", Verdict::Unknown),
        ("tag-immutable", Verdict::Unknown),
        ("rules-evaluated", Verdict::Unknown),
        ("build-of-definition", Verdict::Waived),
        ("four-eyes", Verdict::Waived),
    ];
    assert_eq!(verdicts, expected);
    // What was waived does not count: only the missing facts of the integrity rules are left.
    assert!(matches!(decision, Decision::Denied(denial) if denial.is_transient()));
}

#[test]
fn a_rule_that_panics_denies() {
    for does in [Does::PanicInApplies, Does::PanicInCheck] {
        let rules = RuleSet::safety(&parameters()).with(told("panics", Grade::Integrity, does)).unwrap();
        let decision = rules.evaluate(request(), &facts(), now());
        assert_eq!(reasons(&decision), [("panics".to_owned(), "the rule panicked: told to panic".to_owned())]);
    }
}

#[test]
fn a_violation_carries_the_id_of_the_rule_that_was_asked() {
    let rules = RuleSet::safety(&parameters()).with(told("mine", Grade::Integrity, Does::Forbid)).unwrap();
    assert_eq!(reasons(&rules.evaluate(request(), &facts(), now()))[0].0, "mine");
}

#[test]
fn two_rules_cannot_share_an_id() {
    let error = RuleSet::safety(&parameters()).with(told("four-eyes", Grade::Waivable, Does::Hold)).unwrap_err();
    assert_eq!(error.rule.as_str(), "four-eyes");
    let once = RuleSet::safety(&parameters()).with(told("mine", Grade::Waivable, Does::Hold)).unwrap();
    assert!(once.with(told("mine", Grade::Integrity, Does::Forbid)).is_err());
}

#[test]
fn a_required_rule_must_be_there() {
    let ids: Vec<RuleId> = ["four-eyes", "scan"].map(|id| id.parse().unwrap()).into();
    assert_eq!(RuleSet::safety(&parameters()).requiring(&ids).unwrap_err().rule, ids[1]);
    let with_scan = RuleSet::safety(&parameters()).with(told("scan", Grade::Waivable, Does::Hold)).unwrap();
    assert!(with_scan.requiring(&ids).is_ok());
}

#[test]
fn a_missing_fact_says_what_can_be_done_about_it() {
    let violation = |build: Fact<policy::Build>| match evaluate(&parameters(), &request(), &Facts { build, ..facts() })
    {
        Decision::Allowed(_) => panic!("allowed"),
        Decision::Denied(denial) => denial.violations()[0].clone(),
    };
    let missing = violation(Fact::missing("there is none", "queue one"));
    assert_eq!(missing.because, "the account of build 48213 is not known: there is none");
    assert_eq!((&*missing.remedy, missing.transient), ("queue one", false));
    let unanswered = violation(Fact::unanswered("503"));
    assert_eq!((&*unanswered.remedy, unanswered.transient), ("run it again", true));
    let verdict = |build| verdict_of(&evaluate(&parameters(), &request(), &Facts { build, ..facts() }), "four-eyes");
    assert_eq!(verdict(Fact::missing("there is none", "queue one")), Verdict::Violated);
    assert_eq!(verdict(Fact::unanswered("503")), Verdict::Unknown);
}

#[test]
fn a_fact_made_of_a_missing_one_is_missing() {
    let gone = Fact::<u8>::missing("gone", "look");
    assert_eq!(gone.clone().map(u16::from), Fact::missing("gone", "look"));
    assert_eq!(gone.and_then(|_| Fact::Known(1)), Fact::missing("gone", "look"));
    assert_eq!(Fact::Known(1_u8).map(u16::from), Fact::Known(1_u16));
    assert_eq!(Fact::Known(1_u8).and_then(|_| Fact::<u8>::unanswered("away")), Fact::unanswered("away"));
}

#[test]
fn a_denial_is_transient_only_if_nothing_is_known_to_be_wrong() {
    let transient = |change: Change| match decide(change) {
        Decision::Allowed(_) => panic!("allowed"),
        Decision::Denied(denial) => denial.is_transient(),
    };
    assert!(transient(|_, _, facts| facts.build = Fact::unanswered("503")));
    assert!(!transient(|_, _, facts| facts.build = Fact::missing("404", "")));
    assert!(!transient(|_, _, facts| {
        facts.build = Fact::unanswered("503");
        facts.tag_rule = Fact::Known(TagRule::Mutable);
    }));
}

#[test]
fn a_verdict_is_written_as_records_have_it() {
    let verdict = RuleVerdict { rule: "four-eyes".parse().unwrap(), verdict: Verdict::NotApplicable };
    let json = serde_json::to_string(&verdict).unwrap();
    assert_eq!(json, r#"{"id":"four-eyes","verdict":"not-applicable"}"#);
    assert_eq!(serde_json::from_str::<RuleVerdict>(&json).unwrap(), verdict);
}

#[test]
fn a_rule_id_is_kebab_case() {
    for good in ["scan", "four-eyes", "cve-2026-1", &"a".repeat(64)] {
        assert_eq!(good.parse::<RuleId>().unwrap().to_string(), good);
    }
    for bad in ["", "-", "a-", "-a", "a--b", "A", "1a", "four eyes", "four_eyes", "vier-äugen", "a\n", &"a".repeat(65)]
    {
        assert!(bad.parse::<RuleId>().is_err(), "{bad:?}");
    }
}

#[test]
fn every_denial_says_what_to_do() {
    let gone = (0..FACTS).fold(facts(), |facts, fact| without(&facts, fact, false));
    match evaluate(&parameters(), &request(), &gone) {
        Decision::Allowed(_) => panic!("allowed"),
        Decision::Denied(denial) => {
            assert_eq!(denial.violations().len(), 6);
            let told = |v: &Violation| v.because.ends_with("is not known: gone") && !v.remedy.is_empty();
            assert!(denial.violations().iter().all(told), "{denial:?}");
        }
    }
}

fn told(id: &'static str, grade: Grade, does: Does) -> Box<Told> {
    Box::new(Told { id, grade, does })
}
