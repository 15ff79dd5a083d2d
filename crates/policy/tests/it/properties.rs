//! Whatever the facts are: less known, or one rule more, never allows more.

use fastrand::Rng;
use policy::{
    BuildStatus, Fact, Facts, Grade, Intent, Parameters, Request, RuleSet, RuleVerdict, Source, Step, TagRule, Target,
    Verdict,
};
use release::ObjectId;

use crate::fixtures::{
    BO, CY, Does, FACTS, Told, allowed, approval, digest, emergency, evaluate, facts, known, now, other_digest,
    parameters, person, request, without,
};

/// A request with facts of which some, or none, are wrong.
fn case(rng: &mut Rng) -> (Parameters, Request, Facts) {
    let (mut parameters, mut request, mut facts) = (parameters(), request(), facts());
    for _ in 0..rng.u8(0..4) {
        match rng.u8(0..16) {
            0 => parameters.build_definition = None,
            1 => parameters.approval.required = rng.u32(0..3),
            2 => parameters.mutable_tags_accepted = true,
            3 => parameters.source_has_stage = false,
            4 => request.step = Step::Copy,
            5 => {
                request.from = None;
                facts.source = Fact::Known(Source::Registry { tag: Some(digest()) });
            }
            6 => {
                request = Request { intent: Intent::Publish, step: Step::Copy, from: None, ..request };
                facts.source = Fact::Known(Source::Built { digest: digest() });
            }
            7 => request.intent = [Intent::Redeploy, Intent::Rollback, emergency().intent][rng.usize(0..3)].clone(),
            8 => facts.target = Fact::Known([Target::Absent, Target::Holds(other_digest())][rng.usize(0..2)]),
            9 => facts.tag_rule = Fact::Known([TagRule::Mutable, TagRule::Unknown][rng.usize(0..2)]),
            10 => facts.source = Fact::Known(Source::Record { recorded: None, tag: Some(digest()) }),
            11 => known(&mut facts.build).status = BuildStatus::InProgress,
            12 => known(&mut facts.build).requesters.push(person(BO)),
            13 => known(&mut facts.release).stage.approvals.push(approval(2, CY)),
            14 => known(&mut facts.rules_from).rules = Some(ObjectId::from([7; 20])),
            _ => known(&mut facts.release).stage.approvals[0].attempt = 1,
        }
    }
    (parameters, request, facts)
}

#[test]
fn a_missing_fact_denies_what_needs_it_and_allows_nothing() {
    let mut rng = Rng::with_seed(1);
    let mut seen = [0; 2];
    for _ in 0..10_000 {
        let (parameters, request, facts) = case(&mut rng);
        let before = allowed(&evaluate(&parameters, &request, &facts));
        seen[usize::from(before)] += 1;
        let reads_release = parameters.approval.required > 0 && request.intent != Intent::Publish;
        let reads_build = reads_release || parameters.build_definition.is_some();
        for fact in 0..FACTS {
            let needed = match fact {
                0 => reads_build,
                4 => reads_release,
                _ => true,
            };
            let after = allowed(&evaluate(&parameters, &request, &without(&facts, fact, rng.bool())));
            assert_eq!(after, before && !needed, "fact {fact} of {request:?} {facts:?}");
        }
    }
    assert!(seen.iter().all(|cases| *cases > 1000), "{seen:?}");
}

#[test]
fn an_empty_field_of_a_release_or_build_denies() {
    let removals: [fn(&mut Facts); 15] = [
        |facts| known(&mut facts.build).requesters.clear(),
        |facts| known(&mut facts.build).branch.clear(),
        |facts| known(&mut facts.source).clone_from(&Source::Record { recorded: None, tag: Some(digest()) }),
        |facts| known(&mut facts.source).clone_from(&Source::Record { recorded: Some(digest()), tag: None }),
        |facts| known(&mut facts.release).requesters.clear(),
        |facts| known(&mut facts.release).build = None,
        |facts| known(&mut facts.release).build_definition = None,
        |facts| known(&mut facts.release).source_succeeded_at = None,
        |facts| known(&mut facts.release).stage.name.clear(),
        |facts| known(&mut facts.release).stage.attempt = None,
        |facts| known(&mut facts.release).stage.attempt_queued_at = None,
        |facts| known(&mut facts.release).stage.approvals.clear(),
        |facts| known(&mut facts.release).stage.approvals[0].asked.clear(),
        |facts| known(&mut facts.release).stage.approvals[0].approver = None,
        |facts| known(&mut facts.release).stage.approvals[0].given_at = None,
    ];
    for (number, remove) in removals.iter().enumerate() {
        let mut facts = facts();
        remove(&mut facts);
        assert!(!allowed(&evaluate(&parameters(), &request(), &facts)), "removal {number}");
    }
}

#[test]
fn one_rule_more_never_allows_more() {
    let mut rng = Rng::with_seed(2);
    for _ in 0..5_000 {
        let (parameters, request, facts) = case(&mut rng);
        let before = allowed(&evaluate(&parameters, &request, &facts));
        let does = [Does::Hold, Does::NotApply, Does::Forbid][rng.usize(0..3)];
        let grade = [Grade::Integrity, Grade::Waivable][rng.usize(0..2)];
        let rules = RuleSet::safety(&parameters).with(Box::new(Told { id: "more", grade, does })).unwrap();
        let emergency = matches!(request.intent, Intent::Emergency { .. });
        let forbids = does == Does::Forbid && !(emergency && grade == Grade::Waivable);
        let after = allowed(&rules.evaluate(request.clone(), &facts, now()));
        assert_eq!(after, before && !forbids, "{request:?} {facts:?}");
    }
}

#[test]
fn only_an_emergency_waives_and_only_what_may_be_waived() {
    let mut rng = Rng::with_seed(3);
    let mut waived = 0;
    for _ in 0..5_000 {
        let (parameters, mut request, facts) = case(&mut rng);
        if rng.bool() {
            request.intent = emergency().intent;
        }
        let facts = if rng.bool() { without(&facts, rng.usize(0..FACTS), rng.bool()) } else { facts };
        let decision = evaluate(&parameters, &request, &facts);
        for verdict in decision.verdicts().iter().filter(|verdict| verdict.verdict == Verdict::Waived) {
            assert!(matches!(request.intent, Intent::Emergency { .. }));
            assert!(["build-of-definition", "four-eyes"].contains(&verdict.rule.as_str()), "{verdict:?}");
            waived += 1;
        }
        let denies = |verdict: &RuleVerdict| matches!(verdict.verdict, Verdict::Violated | Verdict::Unknown);
        assert_eq!(decision.verdicts().iter().any(denies), !allowed(&decision));
    }
    assert!(waived > 100, "{waived}");
}
