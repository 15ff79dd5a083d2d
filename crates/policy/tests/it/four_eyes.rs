//! `four-eyes` against a model of it, and one thing at a time.

use std::time::Duration;

use fastrand::Rng;
use policy::{
    Build, Decision, Fact, Facts, Intent, Parameters, Release, Request, Verdict, approvals_that_count,
    release_that_asks,
};
use release::{Actor, ActorId};

use crate::fixtures::{
    ANA, BO, CY, GROUP, allowed, approval, at, evaluate, facts, guid, known, parameters, person, reasons, release,
    request, verdict_of,
};

/// What the rule is to say, written from the design and not from the rule.
fn model(parameters: &Parameters, release: &Release, build: &Build) -> bool {
    let stage = &release.stage;
    let pinned = parameters.release_definition == Some(release.definition)
        && parameters.stage.as_deref() == Some(stage.name.as_str())
        && release.build.is_some_and(|of| of.get() == 48213)
        && parameters.build_definition.is_none_or(|ours| release.build_definition == Some(ours))
        && !stage.creator_can_approve;
    let in_time = |given: jiff::Timestamp| {
        let queued = stage.attempt_queued_at.is_some_and(|queued| queued <= given);
        let source = !parameters.source_has_stage || release.source_succeeded_at.is_some_and(|then| then <= given);
        let age = release.as_of.as_second() - given.as_second();
        queued && source && age >= 0 && age as u64 <= parameters.approval.max_age.as_secs()
    };
    let lower = |actor: &Actor| match &actor.id {
        ActorId::AzureDevOps(guid) => Some(guid.to_lowercase()),
        _ => None,
    };
    let asked: Vec<_> = release.requesters.iter().chain(&build.requesters).map(lower).collect();
    let told_apart =
        !release.requesters.is_empty() && !build.requesters.is_empty() && asked.iter().all(Option::is_some);
    let mut people = Vec::new();
    for a in &stage.approvals {
        let by = a.approver.as_ref().and_then(lower);
        let counts = a.approved
            && !a.automated
            && stage.attempt == Some(a.attempt)
            && parameters.approval.group.as_deref() == Some(a.asked.as_str())
            && a.given_at.is_some_and(in_time)
            && by.is_some()
            && !asked.contains(&by)
            && !people.contains(&by);
        if counts {
            people.push(by);
        }
    }
    pinned && told_apart && people.len() as u64 >= u64::from(parameters.approval.required)
}

fn somebody(rng: &mut Rng) -> Actor {
    let mut actor = person(rng.u64(ANA..=6));
    match rng.u8(0..40) {
        0 => actor.id = ActorId::Claimed(actor.name.clone()),
        1 => actor.id = ActorId::Aws("arn:aws:iam::1:user/x".into()),
        2..=9 => actor.id = ActorId::AzureDevOps(guid(1).to_uppercase()),
        _ => {}
    }
    actor
}

/// Facts near the allowed ones: so many things changed.
fn mutate(rng: &mut Rng, parameters: &mut Parameters, release: &mut Release, build: &mut Build) {
    let approvals = release.stage.approvals.len();
    let one = rng.usize(0..approvals.max(1));
    let moment = at(rng.i64(0..9) * 100);
    match rng.u8(0..30) {
        0 => release.definition = rng.u64(11..14),
        1 => release.build = [None, Some("48213".parse().unwrap()), Some("48214".parse().unwrap())][rng.usize(0..3)],
        2 => release.build_definition = [None, Some(57), Some(58)][rng.usize(0..3)],
        3 => release.stage.name = ["Prod-Wealth", "prod-wealth", "QA"][rng.usize(0..3)].into(),
        4 => release.stage.attempt = [None, Some(1), Some(2)][rng.usize(0..3)],
        5 => release.stage.attempt_queued_at = [None, Some(moment)][rng.usize(0..2)],
        6 => release.stage.creator_can_approve = rng.bool(),
        7 => release.source_succeeded_at = [None, Some(moment)][rng.usize(0..2)],
        8 => release.as_of = moment,
        9 => release.requesters = (0..rng.usize(0..4)).map(|_| somebody(rng)).collect(),
        10 => build.requesters = (0..rng.usize(0..4)).map(|_| somebody(rng)).collect(),
        11 => parameters.approval.required = rng.u32(1..4),
        12 => parameters.approval.group = [None, Some(GROUP.into()), Some(guid(9))][rng.usize(0..3)].clone(),
        13 => parameters.approval.max_age = Duration::from_secs(rng.u64(0..8) * 100),
        14 => parameters.source_has_stage = rng.bool(),
        15 => parameters.release_definition = [None, Some(12), Some(13)][rng.usize(0..3)],
        16 => parameters.stage = [None, Some("Prod-Wealth".into())][rng.usize(0..2)].clone(),
        17 => parameters.build_definition = [None, Some(57)][rng.usize(0..2)],
        18..=21 => release.stage.approvals.push(approval(rng.u64(1..9), rng.u64(ANA..=6))),
        _ if approvals == 0 => {}
        22 => release.stage.approvals[one].approved = false,
        23 => release.stage.approvals[one].automated = true,
        24 => release.stage.approvals[one].attempt = rng.u32(1..4),
        25 => release.stage.approvals[one].asked = guid(rng.u64(2..5)),
        26 => release.stage.approvals[one].approver = None,
        27 => release.stage.approvals[one].approver = Some(somebody(rng)),
        28 => release.stage.approvals[one].given_at = [None, Some(moment)][rng.usize(0..2)],
        _ => {
            release.stage.approvals.remove(one);
        }
    }
}

#[test]
fn it_agrees_with_the_model() {
    const SETS: usize = 240_000;
    let mut rng = Rng::with_seed(0x4EE5);
    let mut held = 0;
    for set in 0..SETS {
        let (mut parameters, mut release) = (parameters(), release());
        let mut facts = facts();
        for _ in 0..rng.u8(0..6) {
            mutate(&mut rng, &mut parameters, &mut release, known(&mut facts.build));
        }
        let expected = model(&parameters, &release, known(&mut facts.build));
        facts.release = Fact::Known(release);
        let decision = evaluate(&parameters, &request(), &facts);
        let holds = verdict_of(&decision, "four-eyes") == Verdict::Holds;
        assert_eq!(holds, expected, "set {set}: {parameters:?} {facts:?} {:?}", reasons(&decision));
        held += usize::from(holds);
    }
    // Else the sets are all on one side, and the comparison says little.
    assert!((SETS / 5..SETS * 4 / 5).contains(&held), "{held} of {SETS} hold");
}

#[test]
fn whoever_asked_is_denied_wherever_he_stands_among_the_requesters() {
    let people = [ANA, BO, CY, 4];
    for order in permutations(&people) {
        for split in 1..order.len() {
            let (release_by, build_by) = order.split_at(split);
            for upper in [false, true] {
                let decision = decide(|release, build| {
                    release.requesters = release_by.iter().map(|n| person(*n)).collect();
                    build.requesters = build_by.iter().map(|n| person(*n)).collect();
                    if upper {
                        release.stage.approvals[0].approver =
                            Some(Actor { id: ActorId::AzureDevOps(guid(BO).to_uppercase()), name: "Not Bo".into() });
                    }
                });
                assert_eq!(verdict_of(&decision, "four-eyes"), Verdict::Violated, "{order:?} split at {split}");
                assert!(reasons(&decision)[0].1.contains("who asked for it"), "{:?}", reasons(&decision));
            }
        }
    }
}

#[test]
fn one_person_counts_once() {
    let two = |second: u64| {
        let mut parameters = parameters();
        parameters.approval.required = 2;
        let mut facts = facts();
        known(&mut facts.release).stage.approvals.push(approval(9022, second));
        allowed(&evaluate(&parameters, &request(), &facts))
    };
    assert!(!two(BO));
    assert!(!two(ANA));
    assert!(two(CY));
}

#[test]
fn the_approvals_that_count_are_named_and_no_others() {
    let (mut parameters, mut facts) = (parameters(), facts());
    let approvals = &mut known(&mut facts.release).stage.approvals;
    approvals.extend([approval(9022, ANA), approval(9023, CY), approval(9024, BO)]);
    approvals[2].attempt = 1;
    let ids = |parameters: &Parameters, request: &Request, facts: &Facts| -> Vec<u64> {
        approvals_that_count(parameters, request, facts).iter().map(|approval| approval.id).collect()
    };
    assert_eq!(ids(&parameters, &request(), &facts), [9021, 9024]);
    let publish = Request { intent: Intent::Publish, ..request() };
    assert_eq!(ids(&parameters, &publish, &facts), [0; 0]);
    let unknown = Facts { build: Fact::missing("gone", ""), ..facts.clone() };
    assert_eq!(ids(&parameters, &request(), &unknown), [0; 0]);
    parameters.approval.required = 0;
    assert_eq!(ids(&parameters, &request(), &facts), [0; 0]);
}

#[test]
fn a_release_asks_for_what_it_is_configured_for_and_nothing_else() {
    let asks = |parameters: &Parameters, facts: &Facts| {
        release_that_asks(parameters, &request(), facts).map(|release| release.requesters.clone())
    };
    let (right, configured) = (facts(), parameters());
    assert_eq!(asks(&configured, &right), Some(release().requesters));
    let strangers: [fn(&mut Release); 8] = [
        |release| release.definition = 13,
        |release| release.stage.name = "QA".into(),
        |release| release.build = None,
        |release| release.build = Some("1".parse().unwrap()),
        |release| release.build_definition = Some(58),
        |release| release.build_definition = None,
        |release| release.stage.attempt = None,
        |release| release.stage.name.clear(),
    ];
    for (number, change) in strangers.iter().enumerate() {
        let mut facts = right.clone();
        change(known(&mut facts.release));
        assert_eq!(asks(&configured, &facts), None, "{number}");
    }
    for unbound in [Parameters { release_definition: None, ..parameters() }, Parameters { stage: None, ..parameters() }]
    {
        assert_eq!(asks(&unbound, &right), None, "{unbound:?}");
    }
    assert_eq!(asks(&configured, &Facts { release: Fact::missing("gone", ""), ..right.clone() }), None);
    // Nobody has approved yet, and nobody must: it asks all the same.
    let mut facts = right;
    known(&mut facts.release).stage.approvals.clear();
    let unprotected = Parameters {
        approval: policy::ApprovalParameters { required: 0, ..configured.approval.clone() },
        ..configured
    };
    assert_eq!(asks(&unprotected, &facts), Some(release().requesters));
}

#[test]
fn the_edges_of_time_are_inside() {
    let given = |seconds: i64| {
        allowed(&decide(|release, _| {
            release.as_of = at(700);
            release.stage.approvals[0].given_at = Some(at(seconds));
        }))
    };
    // Queued at 200, asked at 700, 500 seconds old at most.
    assert!(!given(199));
    assert!(given(200));
    assert!(given(700));
    assert!(!given(701));
    let aged = |as_of: i64| allowed(&decide(|release, _| release.as_of = at(as_of)));
    assert!(aged(800));
    assert!(!aged(801));
    let source = |seconds: i64| allowed(&decide(|release, _| release.source_succeeded_at = Some(at(seconds))));
    assert!(source(300));
    assert!(!source(301));
}

type Change = fn(&mut Release, &mut Build);

#[test]
fn each_reason_is_its_own() {
    let cases: [(&str, Change); 19] = [
        ("definition 13", |release, _| release.definition = 13),
        ("the stage QA", |release, _| release.stage.name = "QA".into()),
        ("of no build", |release, _| release.build = None),
        ("of build 1,", |release, _| release.build = Some("1".parse().unwrap())),
        ("build definition 58", |release, _| release.build_definition = Some(58)),
        ("names no build definition", |release, _| release.build_definition = None),
        ("lets who created", |release, _| release.stage.creator_can_approve = true),
        ("not being deployed", |release, _| release.stage.attempt = None),
        ("when the attempt was queued", |release, _| release.stage.attempt_queued_at = None),
        ("environment before", |release, _| release.source_succeeded_at = None),
        ("who asked for the release", |release, _| release.requesters.clear()),
        ("who asked for the build", |_, build| build.requesters.clear()),
        ("0 of 1 approvals of attempt 2 count", |release, _| release.stage.approvals.clear()),
        ("was not given", |release, _| release.stage.approvals[0].approved = false),
        ("by the server itself", |release, _| release.stage.approvals[0].automated = true),
        ("is of attempt 1", |release, _| release.stage.approvals[0].attempt = 1),
        ("configured group", |release, _| release.stage.approvals[0].asked = guid(BO)),
        ("does not name who", |release, _| release.stage.approvals[0].approver = None),
        ("does not say when", |release, _| release.stage.approvals[0].given_at = None),
    ];
    for (because, change) in cases {
        let decision = decide(change);
        let reasons = reasons(&decision);
        assert_eq!(reasons.len(), 1, "{because}: {reasons:?}");
        assert!(reasons[0].1.contains(because), "{because}: {reasons:?}");
    }
}

fn decide(change: impl FnOnce(&mut Release, &mut Build)) -> Decision {
    let mut facts: Facts = facts();
    change(known(&mut facts.release), known(&mut facts.build));
    evaluate(&parameters(), &request(), &facts)
}

fn permutations(items: &[u64]) -> Vec<Vec<u64>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (place, first) in items.iter().enumerate() {
        let rest: Vec<u64> = [&items[..place], &items[place + 1..]].concat();
        all.extend(permutations(&rest).into_iter().map(|rest| [&[*first][..], &rest].concat()));
    }
    all
}
