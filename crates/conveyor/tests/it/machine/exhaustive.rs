//! One promotion, and each thing that can go wrong with it, at each call and at each moment.

use std::collections::BTreeMap;

use ledger::faults::Fault as LedgerFault;
use registry_copy::faults::Fault as RegistryFault;

use super::{
    judge::Judge,
    model::{End, Op},
    on_paused_time,
    schedule::polls,
};
use crate::{
    image::Image,
    world::{APPS, AzureFault, BO, Client, ENVIRONMENTS, Faults, Forge, GROUP, Sequence},
};

const TWO: &[&str] = &[APPS[0], APPS[1]];

/// What is promoted; for production there is an approved release of the first.
fn promotions() -> [Op; 4] {
    let op = |environment, wanted: &[(&'static str, u64)]| {
        let sequence = Sequence::Promote;
        Op { environment, sequence, wanted: wanted.into() }
    };
    [
        op("dev", &[(APPS[0], 48201)]),
        op("qa", &[(APPS[0], 48201)]),
        op("qa", &[(APPS[0], 48201), (APPS[1], 48301)]),
        op("prod-wealth", &[(APPS[0], 48201)]),
    ]
}

/// A Ledger where all that the promotion needs has happened.
async fn ready<'f>(forge: &'f Forge, op: &Op) -> Judge<'f> {
    let mut judge = Judge::new(forge, TWO);
    for (app, number) in &op.wanted {
        forge.built(app, *number).await;
        judge.published(app, *number, &Image::of(&format!("{app}:{number}")));
        for environment in ENVIRONMENTS.iter().take_while(|environment| **environment != op.environment) {
            forge.client().promote(&[(app, *number)], environment).await.outcome.unwrap();
        }
        forge.add_release(app, *number);
        forge.approve(*number, GROUP, BO);
        judge.approve(app, *number);
    }
    judge.look();
    judge
}

fn client<'f>(forge: &'f Forge, op: &Op, faults: Faults) -> Client<'f> {
    Client { release: op.release(), ..forge.client_with(faults) }
}

/// How many calls of each backend, and how many polls, an undisturbed promotion takes.
struct Extent {
    ledger: usize,
    registries: [usize; 3],
    azure: usize,
    polls: usize,
}

async fn measure(op: &Op) -> Extent {
    let forge = Forge::new();
    ready(&forge, op).await;
    let client = client(&forge, op, Faults::default());
    let polls = polls(client.run(op.sequence, &op.wanted, op.environment), usize::MAX).await;
    Extent {
        ledger: client.ledger.calls(),
        registries: ENVIRONMENTS.map(|environment| client.servers.registry(environment).calls().len()),
        azure: client.servers.azure.calls(),
        polls,
    }
}

/// Runs it with faults, or only so far; then again without, twice. Says how the first run ended.
async fn survive(op: &Op, faults: &Faults, limit: usize) -> Option<End> {
    fastrand::seed(7);
    let forge = Forge::new();
    let mut judge = ready(&forge, op).await;
    let before = forge.commits();
    let broken = client(&forge, op, faults.clone());
    let mut ended = None;
    polls(async { ended = Some(broken.run(op.sequence, &op.wanted, op.environment).await) }, limit).await;
    judge.look();
    let first = ended.map(|done| {
        let end = done.outcome.as_ref().map_or(End::Other, End::from);
        assert_eq!(end == End::Written, judge.commit_of(broken.run).is_some(), "{op:?}, {faults:?}: {done:?}");
        assert!(!matches!(end, End::Superseded | End::Copied | End::Present), "{op:?}, {faults:?}: {done:?}");
        end
    });
    assert!(forge.commits() <= before + 1);

    let again = client(&forge, op, Faults::default());
    let done = again.run(op.sequence, &op.wanted, op.environment).await;
    judge.look();
    let end = done.outcome.as_ref().map_or(End::Other, End::from);
    let left = forge.commits() - before;
    assert!(matches!(end, End::Written | End::Unchanged) && left == 1, "{op:?}, {faults:?}, {limit}: {done:?}");
    assert!(op.places().all(|(place, build)| judge.now().is_settled(place, build)));

    let once_more = client(&forge, op, Faults::default());
    let done = once_more.run(op.sequence, &op.wanted, op.environment).await;
    assert_eq!(done.outcome.as_ref().map_or(End::Other, End::from), End::Unchanged, "{done:?}");
    assert_eq!((forge.commits() - before, once_more.servers.writes()), (1, 0));
    first
}

#[test]
fn a_fault_at_any_call_is_survived() {
    on_paused_time(async {
        for op in promotions() {
            let extent = measure(&op).await;
            for call in 0..extent.ledger {
                let passing = [LedgerFault::NotSent, LedgerFault::RequestLost, LedgerFault::AnswerLost];
                for fault in passing.into_iter().chain([LedgerFault::Hangs]) {
                    let hangs = matches!(fault, LedgerFault::Hangs);
                    let faults = Faults { ledger: [(call, fault)].into(), ..Faults::default() };
                    let end = survive(&op, &faults, usize::MAX).await;
                    // A lost answer is asked for again: the run knows what it has done.
                    assert!(hangs || end == Some(End::Written), "{op:?}, {faults:?}: {end:?}");
                }
            }
            for (registry, calls) in extent.registries.into_iter().enumerate() {
                for call in 1..=calls {
                    for fault in [
                        RegistryFault::Before { status: 503 },
                        RegistryFault::Before { status: 403 },
                        RegistryFault::After { status: 503 },
                        RegistryFault::After { status: 403 },
                        RegistryFault::Cut,
                        RegistryFault::Flip,
                        RegistryFault::Hang,
                    ] {
                        let mut registries: [BTreeMap<_, _>; 3] = Default::default();
                        registries[registry].insert(call, fault);
                        survive(&op, &Faults { registries, ..Faults::default() }, usize::MAX).await;
                    }
                }
            }
            for call in 0..extent.azure {
                for fault in [AzureFault::Away, AzureFault::Strange, AzureFault::Hangs] {
                    let faults = Faults { azure: [(call, fault)].into(), ..Faults::default() };
                    survive(&op, &faults, usize::MAX).await;
                }
            }
        }
    });
}

#[test]
fn a_run_that_is_killed_at_any_moment_is_run_again() {
    on_paused_time(async {
        for op in promotions() {
            for limit in 1..=measure(&op).await.polls {
                survive(&op, &Faults::default(), limit).await;
            }
        }
    });
}
