use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::StatusCode;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until},
};

/// How many requests may be in flight to a server that has refused none.
const MOST: usize = 64;

/// How many requests are in flight to one server, from the first byte of each to the head of its answer. A 429 makes
/// them half as many, and those that were sent together and refused too leave no more than were not refused: one burst
/// tells what the server takes. From then on they are one more after as many good answers as there may be requests (RFC
/// 5681 does the same for a network).
pub(crate) struct Gate {
    slots: Arc<Semaphore>,
    state: Mutex<State>,
}

struct State {
    limit: usize,
    /// Slots that are taken and not to be given back.
    surplus: usize,
    /// Good answers since the limit changed.
    good: usize,
    /// The limit before this round.
    before: usize,
    /// How many of the last round were refused.
    refused: usize,
    /// What was sent in an earlier round says nothing about the limit of now.
    round: Round,
    closed_until: Option<Instant>,
}

/// A request's place among those in flight; it ends with this value.
pub(crate) struct Place {
    gate: Arc<Gate>,
    slot: Option<OwnedSemaphorePermit>,
    round: Round,
}

/// How often a gate was narrowed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Round(u64);

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        let state =
            State { limit: MOST, surplus: 0, good: 0, before: MOST, refused: 0, round: Round(0), closed_until: None };
        Arc::new(Self { slots: Arc::new(Semaphore::new(MOST)), state: Mutex::new(state) })
    }

    /// Waits, first come first served, until one more request may be in flight.
    pub(crate) async fn enter(self: &Arc<Self>) -> Place {
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok();
        let mut place = Place { gate: Arc::clone(self), slot, round: Round(0) };
        loop {
            let closed_until = {
                let state = self.state();
                place.round = state.round;
                state.closed_until
            };
            match closed_until {
                Some(end) if end > Instant::now() => sleep_until(end).await,
                _ => return place,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// What came of the request: a status, and with a 429 how long nothing is to be sent.
    pub(crate) fn answered(self, status: StatusCode, closed: Option<Duration>) {
        let mut state = self.gate.state();
        if status == StatusCode::TOO_MANY_REQUESTS {
            let end = closed.and_then(|pause| Instant::now().checked_add(pause));
            state.closed_until = state.closed_until.max(end);
        }
        let slots = &self.gate.slots;
        if status == StatusCode::TOO_MANY_REQUESTS && self.round.0 + 1 >= state.round.0 {
            if self.round == state.round {
                (state.before, state.refused, state.round) = (state.limit, 0, Round(state.round.0 + 1));
            }
            state.refused += 1;
            let most = if state.refused == 1 { state.before / 2 } else { state.before.saturating_sub(state.refused) };
            let lowered = state.limit.min(most.max(1));
            let gone = state.limit - lowered;
            state.surplus += gone - slots.forget_permits(gone);
            (state.limit, state.good) = (lowered, 0);
        } else if self.round == state.round && !status.is_server_error() && state.limit < MOST {
            state.good += 1;
            if state.good >= state.limit {
                (state.limit, state.good) = (state.limit + 1, 0);
                if state.surplus == 0 { slots.add_permits(1) } else { state.surplus -= 1 }
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        if state.surplus > 0 {
            state.surplus -= 1;
            if let Some(slot) = self.slot.take() {
                slot.forget();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;
    use tokio::{sync::mpsc, task::yield_now, time::advance};

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Ask(usize),
        Answer { which: usize, status: u16, closed: Option<u64> },
        GiveUp(usize),
        Pass(u64),
    }

    /// `good` answers to five others.
    fn steps(good: u32) -> impl Strategy<Value = Vec<Step>> {
        let answer =
            (any::<usize>(), prop_oneof![good => Just(200u16), 1 => Just(404), 1 => Just(503), 3 => Just(429)]);
        let answer = (answer, proptest::option::of(0..3_000u64)).prop_map(|((which, status), closed)| Step::Answer {
            which,
            status,
            closed,
        });
        let step = prop_oneof![
            3 => (1..40usize).prop_map(Step::Ask),
            12 => answer,
            1 => any::<usize>().prop_map(Step::GiveUp),
            2 => (0..2_000u64).prop_map(Step::Pass),
        ];
        proptest::collection::vec(step, 1..200)
    }

    /// What the gate is to do, in terms of who asked when: no slots, no surplus.
    struct Model {
        limit: usize,
        good: usize,
        /// For each round, what the limit was before it and how many of the round before were refused.
        rounds: Vec<(usize, usize)>,
        now: u64,
        opens: u64,
        waiting: VecDeque<usize>,
        next: Vec<usize>,
        sent: Vec<(usize, usize)>,
    }

    impl Model {
        fn new() -> Self {
            let (waiting, next, sent) = (VecDeque::new(), Vec::new(), Vec::new());
            Self { limit: 64, good: 0, rounds: Vec::new(), now: 0, opens: 0, waiting, next, sent }
        }

        fn settle(&mut self) {
            while self.next.len() + self.sent.len() < self.limit && !self.waiting.is_empty() {
                self.next.extend(self.waiting.pop_front());
            }
            if self.opens <= self.now {
                let round = self.rounds.len();
                self.sent.extend(self.next.drain(..).map(|id| (id, round)));
            }
        }

        fn answer(&mut self, which: usize, status: u16, closed: Option<u64>) {
            let (_, round) = self.sent.remove(which);
            if status == 429 {
                self.opens = self.opens.max(self.now + closed.unwrap_or(0));
            }
            let current = self.rounds.len();
            match status {
                429 if round == current => {
                    self.rounds.push((self.limit, 1));
                    (self.limit, self.good) = ((self.limit / 2).max(1), 0);
                }
                429 if round + 1 == current => {
                    let (before, refused) = self.rounds.last_mut().unwrap();
                    *refused += 1;
                    let passed = before.saturating_sub(*refused);
                    (self.limit, self.good) = (self.limit.min(passed.max(1)), 0);
                }
                200 | 404 if round == current && self.limit < 64 => {
                    self.good += 1;
                    if self.good == self.limit {
                        (self.limit, self.good) = (self.limit + 1, 0);
                    }
                }
                _ => {}
            }
        }
    }

    async fn runs_as_modelled(steps: Vec<Step>) -> Result<(), TestCaseError> {
        let (gate, mut model) = (Gate::new(), Model::new());
        let (entered, mut entries) = mpsc::unbounded_channel();
        let mut places: Vec<(usize, Place)> = Vec::new();
        let mut asked = 0;
        for step in steps {
            match step {
                Step::Ask(count) => {
                    for id in asked..asked + count {
                        let (gate, entered) = (Arc::clone(&gate), entered.clone());
                        tokio::spawn(async move { entered.send((id, gate.enter().await)) });
                        model.waiting.push_back(id);
                    }
                    asked += count;
                }
                Step::Answer { which, status, closed } if !places.is_empty() => {
                    let which = which % places.len();
                    let (_, place) = places.remove(which);
                    let closed_for = closed.map(Duration::from_millis);
                    place.answered(StatusCode::from_u16(status).unwrap(), closed_for);
                    model.answer(which, status, closed);
                }
                Step::GiveUp(which) if !places.is_empty() => {
                    let which = which % places.len();
                    drop(places.remove(which));
                    model.sent.remove(which);
                }
                Step::Pass(millis) => {
                    advance(Duration::from_millis(millis)).await;
                    model.now += millis;
                }
                Step::Answer { .. } | Step::GiveUp(_) => {}
            }
            model.settle();
            for _ in 0..4 {
                yield_now().await;
            }
            while let Ok(entry) = entries.try_recv() {
                places.push(entry);
            }
            // In what order those go on that waited for the same moment is nobody's promise.
            places.sort_by_key(|(id, _)| *id);
            model.sent.sort_unstable();
            let ids: Vec<usize> = places.iter().map(|(id, _)| *id).collect();
            prop_assert_eq!(ids, model.sent.iter().map(|(id, _)| *id).collect::<Vec<_>>());
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn it_lets_through_what_a_model_does(steps in prop_oneof![steps(4), steps(1_000)]) {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_time().start_paused(true).build().unwrap();
            runtime.block_on(runs_as_modelled(steps))?;
        }
    }
}
