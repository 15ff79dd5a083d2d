//! Promotions, copies and updates at once, with faults, drops and people who edit by hand; then all of it again.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use bytes::Bytes;
use conveyor::Outcome;
use fastrand::Rng;
use ledger::{Draft, Remote};
use proptest::{collection::vec, option, prelude::*, sample::select};
use registry_copy::faults::Fault as RegistryFault;
use tokio::{task::yield_now, time::timeout};

use super::{
    judge::{Judge, RULE},
    model::{End, Op},
    on_paused_time,
    schedule::{Task, interleave},
};
use crate::{
    image::Image,
    world::{
        ANA, APPS, AzureFault, BO, Client, Done, ENVIRONMENTS, Faults, Forge, GROUP, Sequence, config, main_branch,
        word,
    },
};

/// Two apps; their builds are numbered so that no number is of both.
const TWO: &[&str] = &[APPS[0], APPS[1]];

fn number(app: usize, build: u64) -> u64 {
    48_200 + 100 * app as u64 + build
}

const BUILDS: std::ops::RangeInclusive<u64> = 1..=5;

#[derive(Debug, Clone)]
struct Case {
    seed: u64,
    /// Builds of each app that have come to dev and to qa before: so many.
    before: [(u64, u64); 2],
    /// Who has approved each build: nobody, who asked for it, somebody else.
    approvals: [[Approval; 5]; 2],
    runs: Vec<Run>,
    people: Vec<(usize, Person)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Approval {
    Nobody,
    Requester,
    Other,
}

#[derive(Debug, Clone)]
struct Run {
    op: Op,
    faults: Vec<Fault>,
    /// After how many polls it is dropped.
    drop_at: Option<usize>,
    /// How many turns it lets pass before it begins.
    late: usize,
    /// Whether what it left on its way arrives as soon as it ends.
    prompt: bool,
}

#[derive(Debug, Clone)]
enum Fault {
    Ledger(usize, ledger::faults::Fault),
    Registry(usize, usize, RegistryFault),
    Azure(usize, AzureFault),
}

/// What people do meanwhile.
#[derive(Debug, Clone)]
enum Person {
    Touches,
    Reconfigures,
    WritesRules,
    Edits(&'static str, &'static str, &'static str),
    /// The value that some run is to write, if there are so many runs.
    Anticipates(usize),
    Approves(usize, u64),
}

fn wanted() -> impl Strategy<Value = Vec<(&'static str, u64)>> {
    let one = (prop_oneof![3 => Just(0_usize), 1 => Just(1)], BUILDS)
        .prop_map(|(app, build)| vec![(TWO[app], number(app, build))]);
    let both = (BUILDS, BUILDS).prop_map(|(a, b)| vec![(TWO[0], number(0, a)), (TWO[1], number(1, b))]);
    prop_oneof![4 => one, 1 => both]
}

fn op() -> impl Strategy<Value = Op> {
    let sequence = prop_oneof![5 => Just(Sequence::Promote), 1 => Just(Sequence::Copy), 2 => Just(Sequence::Update)];
    (select(&ENVIRONMENTS), sequence, wanted()).prop_map(|(environment, sequence, wanted)| {
        // CI publishes to the first environment; nothing is copied there.
        let sequence = if environment == "dev" && sequence == Sequence::Copy { Sequence::Promote } else { sequence };
        Op { environment, sequence, wanted }
    })
}

fn fault() -> impl Strategy<Value = Fault> {
    use ledger::faults::Fault as L;
    let readme = vec![(word("README.md"), Bytes::from_static(b"Hello\n"))];
    let ledger = select(vec![
        L::NotSent,
        L::RequestLost,
        L::AnswerLost,
        L::AnswerLost,
        L::Delayed,
        L::Delayed,
        L::Hangs,
        L::Race(readme),
    ]);
    let registry = select(vec![
        RegistryFault::Before { status: 503 },
        RegistryFault::Before { status: 403 },
        RegistryFault::After { status: 503 },
        RegistryFault::Cut,
        RegistryFault::Flip,
        RegistryFault::Hang,
    ]);
    let azure = select(vec![AzureFault::Away, AzureFault::Strange, AzureFault::Hangs]);
    prop_oneof![
        4 => (0..14_usize, ledger).prop_map(|(call, fault)| Fault::Ledger(call, fault)),
        3 => (0..3_usize, 1..20_usize, registry).prop_map(|(at, call, fault)| Fault::Registry(at, call, fault)),
        1 => (0..4_usize, azure).prop_map(|(call, fault)| Fault::Azure(call, fault)),
    ]
}

fn run() -> impl Strategy<Value = Run> {
    let drop_at = option::weighted(0.2, 1..90_usize);
    let faults = prop_oneof![2 => Just(Vec::new()), 3 => vec(fault(), 1..3)];
    (op(), faults, drop_at, 0..15_usize, any::<bool>()).prop_map(|(op, faults, drop_at, late, prompt)| Run {
        op,
        faults,
        drop_at,
        late,
        prompt,
    })
}

fn person() -> impl Strategy<Value = (usize, Person)> {
    let value = select(vec!["\"\"", "v2", "48201", "48302", "99999"]);
    let person = prop_oneof![
        4 => Just(Person::Touches),
        3 => Just(Person::Reconfigures),
        1 => Just(Person::WritesRules),
        4 => (select(&ENVIRONMENTS), select(TWO), value).prop_map(|(at, app, value)| Person::Edits(at, app, value)),
        6 => (0..6_usize).prop_map(Person::Anticipates),
        4 => (0..2_usize, BUILDS).prop_map(|(app, build)| Person::Approves(app, build)),
    ];
    (0..60_usize, person)
}

fn case() -> impl Strategy<Value = Case> {
    let approval =
        || prop_oneof![1 => Just(Approval::Nobody), 1 => Just(Approval::Requester), 4 => Just(Approval::Other)];
    let approvals = || [approval(), approval(), approval(), approval(), approval()];
    let before = || (1..=4_u64).prop_flat_map(|dev| (Just(dev), dev / 2..=dev));
    (any::<u64>(), [before(), before()], [approvals(), approvals()], vec(run(), 2..8), vec(person(), 0..5))
        .prop_map(|(seed, before, approvals, runs, people)| Case { seed, before, approvals, runs, people })
}

impl Run {
    fn faults(&self) -> Faults {
        let mut faults = Faults::default();
        for fault in &self.faults {
            match fault.clone() {
                Fault::Ledger(call, fault) => drop(faults.ledger.insert(call, fault)),
                Fault::Registry(at, call, fault) => drop(faults.registries[at].insert(call, fault)),
                Fault::Azure(call, fault) => drop(faults.azure.insert(call, fault)),
            }
        }
        faults
    }

    /// Whether all that goes wrong for it passes by itself.
    fn only_passing_faults(&self) -> bool {
        self.faults
            .iter()
            .all(|fault| matches!(fault, Fault::Ledger(_, fault) if !matches!(fault, ledger::faults::Fault::Hangs)))
    }
}

/// The Ledger, registries and releases as a case begins with them.
async fn begin<'f>(case: &Case, forge: &'f Forge) -> Judge<'f> {
    let mut judge = Judge::new(forge, TWO);
    for (app, name) in TWO.iter().enumerate() {
        for build in BUILDS {
            let number = number(app, build);
            forge.built(name, number).await;
            judge.published(name, number, &Image::of(&format!("{name}:{number}")));
            forge.add_release(name, number);
            match case.approvals[app][build as usize - 1] {
                Approval::Nobody => {}
                Approval::Requester => drop(forge.approve(number, GROUP, ANA)),
                Approval::Other => {
                    forge.approve(number, GROUP, BO);
                    judge.approve(name, number);
                }
            }
        }
        let (dev, qa) = case.before[app];
        for (environment, builds) in [("dev", dev), ("qa", qa)] {
            for build in 1..=builds {
                let done = forge.client().promote(&[(name, number(app, build))], environment).await;
                assert!(matches!(done.outcome, Ok(Outcome::Updated)), "{done:?}");
            }
        }
    }
    judge.look();
    judge
}

/// A client with a run's faults, and of the release that asks.
fn client<'f>(forge: &'f Forge, op: &Op, faults: Faults) -> Client<'f> {
    Client { release: op.release(), ..forge.client_with(faults) }
}

/// Lets a push that was on its way all along arrive.
async fn deliver(client: &Client<'_>) {
    let nothing = Draft { files: Vec::new(), message: String::new(), run: client.run };
    let nowhere = release::ObjectId::from([0; 20]).into();
    // A fault may hit this call too, once what was on its way is there.
    let _ = timeout(Duration::from_secs(1), client.ledger.push(&main_branch(), &nowhere, &nothing)).await;
}

fn act(person: &Person, case: &Case, forge: &Forge, judge: &RefCell<Judge<'_>>) {
    match person {
        Person::WritesRules => drop(forge.commit(&[(word(RULE), "package conveyor\n".into())])),
        Person::Anticipates(run) => {
            let Some(Run { op, .. }) = case.runs.get(*run) else { return };
            for ((environment, app), build) in op.places() {
                forge.edit(environment, app, &build.to_string());
            }
        }
        Person::Touches => drop(forge.commit(&[(word("README.md"), "By hand\n".into())])),
        Person::Reconfigures => drop(forge.configure(&format!("{}# Still true.\n", config()))),
        Person::Edits(environment, app, value) => drop(forge.edit(environment, app, value)),
        Person::Approves(app, build) => {
            judge.borrow_mut().approve(TWO[*app], number(*app, *build));
            forge.approve(number(*app, *build), GROUP, BO);
        }
    }
}

/// What the judge says of the end that a run reports.
fn judge_end(run: &Run, client: &Client<'_>, done: &Done, judge: &Judge<'_>, since: usize) {
    let op = &run.op;
    let outcome = match &done.outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            assert!(!run.only_passing_faults(), "{op:?} failed without a reason: {error:?}");
            return;
        }
    };
    let end = End::from(outcome);
    if run.only_passing_faults() || !matches!(end, End::Denied | End::Other) {
        assert!(op.could_end(end, judge, &judge.states[since..]), "{op:?} says {outcome:?}, which was never so");
    }
    match end {
        End::Written => {
            let commit = done.account.ledger.as_ref().unwrap().commit;
            assert_eq!(judge.commit_of(client.run), Some(commit), "{op:?} is acknowledged and not in the history");
        }
        End::Copied | End::Present => {
            assert!(op.places().all(|(place, build)| judge.has_tag(place, build)), "{op:?} has left no tag");
        }
        _ => {}
    }
}

/// Runs every operation once more without faults, in order, against the model. Says how each ended.
async fn again(forge: &Forge, judge: &RefCell<Judge<'_>>, ops: &[Op]) -> Vec<End> {
    let mut ends = Vec::new();
    for op in ops {
        let expected = op.end(&judge.borrow(), judge.borrow().now());
        let client = client(forge, op, Faults::default());
        let (commits, runs) = (forge.commits(), client.run);
        let done = client.run(op.sequence, &op.wanted, op.environment).await;
        judge.borrow_mut().look();
        let end = done.outcome.as_ref().map_or(End::Other, End::from);
        assert_eq!(end, expected, "{op:?}: {done:?}");
        let wrote = usize::from(end == End::Written);
        assert_eq!(forge.commits(), commits + wrote, "{op:?}: {done:?}");
        assert_eq!(judge.borrow().commit_of(runs).is_some(), end == End::Written, "{op:?}");
        if !matches!(end, End::Written | End::Copied) {
            assert_eq!(client.servers.writes(), 0, "{op:?} has put something for nothing");
        }
        ends.push(end);
    }
    ends
}

async fn weather(case: &Case) {
    fastrand::seed(case.seed);
    let forge = Forge::new();
    let judge = RefCell::new(begin(case, &forge).await);
    let clients: Vec<Client<'_>> = case.runs.iter().map(|run| client(&forge, &run.op, run.faults())).collect();
    let ended = Cell::new(0);

    let running = case.runs.iter().zip(&clients).map(|(run, client)| {
        let (judge, ended) = (&judge, &ended);
        let future = async move {
            for _ in 0..run.late {
                yield_now().await;
            }
            let since = judge.borrow().states.len() - 1;
            let done = client.run(run.op.sequence, &run.op.wanted, run.op.environment).await;
            judge.borrow_mut().look();
            judge_end(run, client, &done, &judge.borrow(), since);
            ended.set(ended.get() + 1);
            if run.prompt {
                deliver(client).await;
            }
        };
        Task::new(future, run.drop_at)
    });
    let people = case.people.iter().map(|(late, person)| {
        let (judge, forge) = (&judge, &forge);
        let future = async move {
            for _ in 0..*late {
                yield_now().await;
            }
            act(person, case, forge, judge);
        };
        Task::new(future, None)
    });
    let tasks = running.chain(people).collect();
    interleave(tasks, &mut Rng::with_seed(case.seed), || judge.borrow_mut().look()).await;
    let undisturbed = case.runs.iter().filter(|run| run.drop_at.is_none()).count();
    assert!(ended.get() >= undisturbed, "a run never ended");
    for client in &clients {
        deliver(client).await;
        judge.borrow_mut().look();
    }

    let mut ops: Vec<Op> = case.runs.iter().map(|run| run.op.clone()).collect();
    ops.sort_by_key(Op::order);
    again(&forge, &judge, &ops).await;
    let commits = forge.commits();
    let ends = again(&forge, &judge, &ops).await;
    assert_eq!(forge.commits(), commits, "running it a second time wrote something");

    // Whatever was asked for one app alone and not denied: the greatest of them, or what came later, is there.
    let judge = judge.borrow();
    for (op, end) in ops.iter().zip(ends) {
        if op.sequence == Sequence::Copy || op.wanted.len() > 1 || end == End::Denied {
            continue;
        }
        for (place, build) in op.places() {
            assert!(judge.now().build(place).is_none_or(|found| found >= build), "{op:?} was lost");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn runs_at_once_with_faults_and_drops_keep_every_promise_and_converge(case in case()) {
        on_paused_time(weather(&case));
    }
}
