//! `fold` against a model that walks a history forwards, as it happened.

use proptest::{collection::vec, prelude::*};
use record::{Act, ActKind, ActResult, Close, Entry, FILE_ENTRIES, Predicate, ResultOutcome, Seen, State, fold};
use release::{Actor, ActorId, Digest, RunId};

use crate::fixtures::{act, actor, build, digest, file, read, replaced, run, subject, time};

/// What happened, one after the other. Builds are 1 to 5; an act's number is its run.
#[derive(Debug, Clone)]
enum Event {
    Promote { build: u64, lifts: bool },
    Back { build: u64, replaces: u64, how: u8 },
    Result { of: usize, outcome: ResultOutcome },
    Close { of: usize, by: u8 },
    Moved { build: u64 },
}

fn event() -> impl Strategy<Value = Event> {
    let builds = || 1_u64..=5;
    prop_oneof![
        4 => (builds(), any::<bool>()).prop_map(|(build, lifts)| Event::Promote { build, lifts }),
        3 => (builds(), builds(), 0_u8..3).prop_map(|(build, replaces, how)| Event::Back { build, replaces, how }),
        4 => (0_usize..12, prop_oneof![
            3 => Just(ResultOutcome::Healthy),
            1 => Just(ResultOutcome::Failed),
            1 => Just(ResultOutcome::Unknown),
        ]).prop_map(|(of, outcome)| Event::Result { of, outcome }),
        2 => (0_usize..12, 0_u8..3).prop_map(|(of, by)| Event::Close { of, by }),
        1 => builds().prop_map(|build| Event::Moved { build }),
    ]
}

fn predicate(number: usize, event: &Event) -> Predicate {
    let number = number as u64;
    match *event {
        Event::Promote { build, lifts } => {
            Act { kind: ActKind::Promote { lifts: lifts.then(|| "fixed".into()) }, ..act(build, number) }.into()
        }
        Event::Back { build, replaces, how } => {
            let replaces = replaced(replaces);
            let kind = match how {
                0 => ActKind::Rollback { replaces },
                1 => ActKind::Redeploy { replaces },
                _ => ActKind::Emergency { replaces, incident: "I".into(), reason: "R".into(), waived: Vec::new() },
            };
            Act { kind, ..act(build, number) }.into()
        }
        Event::Result { of, outcome } => {
            let (of, run) = (run(of as u64), run(number));
            ActResult { subject: subject(1), of, outcome, seen: Seen::ArgoCd, run, time: time() }.into()
        }
        Event::Close { of, by } => {
            let by = match by {
                0 => actor(1, "Ana, who called the emergency"),
                1 => actor(2, "Bo"),
                _ => Actor { id: ActorId::Claimed("bo".into()), name: "Bo, he says".into() },
            };
            Close { subject: subject(1), of: run(of as u64), by, run: run(number), time: time() }.into()
        }
        Event::Moved { build } => {
            let mut moved = act(build, number);
            moved.subject.artifact.digest = Digest::of(b"other bytes");
            moved.into()
        }
    }
}

#[derive(Default)]
struct Model {
    /// Run, build, whether a later act put it aside, whether it is an emergency; oldest first.
    acts: Vec<(u64, u64, bool, bool)>,
    digests: [Vec<Digest>; 6],
    quarantined: [bool; 6],
    results: [Option<ResultOutcome>; 20],
    closed: [bool; 20],
}

impl Model {
    fn of(events: &[Event]) -> Self {
        let mut model = Self::default();
        for (number, event) in events.iter().enumerate() {
            match *event {
                Event::Promote { build, lifts } => {
                    model.act(number, build, digest(build), false);
                    model.quarantined[build as usize] &= !lifts;
                }
                Event::Back { build, replaces, how } => {
                    for act in &mut model.acts {
                        act.2 |= act.1 == replaces;
                    }
                    model.act(number, build, digest(build), how == 2);
                    model.quarantined[replaces as usize] |= build < replaces;
                }
                Event::Result { of, outcome } => model.results[of] = Some(outcome),
                Event::Close { of, by } => model.closed[of] |= by == 1,
                Event::Moved { build } => model.act(number, build, Digest::of(b"other bytes"), false),
            }
        }
        model
    }

    fn act(&mut self, run: usize, build: u64, digest: Digest, emergency: bool) {
        self.acts.push((run as u64, build, false, emergency));
        self.digests[build as usize].push(digest);
    }

    fn healthy(&self, run: u64) -> bool {
        self.results[run as usize] == Some(ResultOutcome::Healthy)
    }

    fn digest(&self, build: u64) -> Result<Option<Digest>, ()> {
        let digests = &self.digests[build as usize];
        if digests.windows(2).any(|two| two[0] != two[1]) { Err(()) } else { Ok(digests.last().copied()) }
    }

    fn newest_of(&self, build: u64) -> Option<u64> {
        self.acts.iter().filter(|act| act.1 == build).map(|act| act.0).next_back()
    }

    fn previous(&self) -> Option<(RunId, bool)> {
        let current = self.acts.last()?.1;
        let stands: Vec<u64> = self.acts.iter().filter(|act| act.1 != current && !act.2).map(|act| act.0).collect();
        let good = stands.iter().rev().find(|number| self.healthy(**number)).map(|number| (run(*number), true));
        let placed = stands.iter().rev().find(|number| self.results[**number as usize].is_none());
        good.or(placed.map(|number| (run(*number), false)))
    }
}

fn state(events: &[Event]) -> State {
    let entry = |(number, event)| Entry::new(predicate(number, event)).unwrap();
    let mut entries: Vec<Entry> = events.iter().enumerate().map(entry).collect();
    entries.reverse();
    if entries.is_empty() {
        return fold(&[]);
    }
    fold(&read(&file(&entries)).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn it_agrees_with_the_model(events in vec(event(), 0..14)) {
        let (model, state) = (Model::of(&events), state(&events));
        let newest = model.acts.last();
        prop_assert_eq!(state.newest_act().map(|act| act.run), newest.map(|act| run(act.0)));
        let open = newest.filter(|act| model.results[act.0 as usize].is_none());
        prop_assert_eq!(state.in_progress().map(|act| act.run), open.map(|act| run(act.0)));
        let previous = state.previous_good().map(|previous| (previous.act.run, previous.seen_healthy));
        prop_assert_eq!(previous, model.previous());
        let emergencies: Vec<RunId> = state.open_emergencies().map(|act| act.run).collect();
        let unclosed = model.acts.iter().rev().filter(|act| act.3 && !model.closed[act.0 as usize]);
        prop_assert_eq!(emergencies, unclosed.map(|act| run(act.0)).collect::<Vec<_>>());
        for number in 1..=5 {
            let (asked, quarantined) = (build(number), model.quarantined[number as usize]);
            prop_assert_eq!(state.is_quarantined(asked), quarantined);
            prop_assert_eq!(state.digest_of(asked).map_err(|_| ()), model.digest(number));
            let had = model.digest(number).map(|digest| digest.filter(|_| !quarantined));
            prop_assert_eq!(state.had_it(asked).map_err(|_| ()), had);
            let healthy = model.newest_of(number).is_some_and(|newest| model.healthy(newest));
            let had_healthy = had.map(|digest| digest.filter(|_| healthy));
            prop_assert_eq!(state.had_it_healthy(asked).map_err(|_| ()), had_healthy);
            for digest in [digest(number), Digest::of(b"other bytes")] {
                let artifact = release::Artifact { digest, ..subject(number).artifact };
                prop_assert_eq!(state.was_promoted(&artifact), model.digests[number as usize].contains(&digest));
            }
        }
        for of in 0..12 {
            let outcome = state.result_of(run(of)).map(|result| result.outcome);
            prop_assert_eq!(outcome, model.results[of as usize]);
        }
    }
}

#[test]
fn two_digests_for_one_build_are_named() {
    let events = [Event::Promote { build: 2, lifts: false }, Event::Moved { build: 2 }];
    let conflict = state(&events).digest_of(build(2)).unwrap_err();
    assert_eq!(conflict.build, build(2));
    assert_eq!(conflict.digests, [Digest::of(b"other bytes"), digest(2)]);
    assert!(conflict.to_string().starts_with("build 2 is on record with two digests, sha256:"), "{conflict}");
}

#[test]
fn a_build_below_a_full_file_is_too_old() {
    let promotions =
        |count: u64| -> Vec<Entry> { (0..count).rev().map(|n| Entry::new(act(100 + n, n)).unwrap()).collect() };
    let full = fold(&promotions(FILE_ENTRIES as u64));
    assert!(full.predates(build(99)));
    assert!(!full.predates(build(100)));
    assert!(!full.predates(build(500)));
    assert!(!fold(&promotions(FILE_ENTRIES as u64 - 1)).predates(build(99)), "nothing has left the file");
}

#[test]
fn nothing_is_known_of_an_empty_file() {
    let state = fold(&[]);
    assert!(state.newest_act().is_none() && state.previous_good().is_none() && state.in_progress().is_none());
    assert_eq!(state.open_emergencies().count(), 0);
    assert_eq!(state.had_it(build(1)), Ok(None));
    assert!(!state.predates(build(1)));
}
