use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::StatusCode;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until},
};

/// How many requests may be in flight to a server that never said that they are too many.
const MOST: usize = 64;

/// How many requests are in flight to one server: fewer after each 429, one more after as many good answers as there
/// may be requests (AIMD, RFC 5681 does the same for a network).
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
    /// What was sent in an earlier round says nothing about the limit of now.
    round: Round,
    closed_until: Option<Instant>,
}

/// A request's place among those in flight; it ends with this value.
pub(crate) struct Place {
    gate: Arc<Gate>,
    slot: Option<OwnedSemaphorePermit>,
    pub(crate) round: Round,
}

/// How often a gate was narrowed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Round(u64);

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        let state = State { limit: MOST, surplus: 0, good: 0, round: Round(0), closed_until: None };
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

    /// What came of a request that was sent in `round`: a status, and with a 429 how long nothing is to be sent.
    pub(crate) fn heard(&self, round: Round, status: StatusCode, closed: Option<Duration>) {
        let mut state = self.state();
        if status == StatusCode::TOO_MANY_REQUESTS {
            let end = closed.and_then(|pause| Instant::now().checked_add(pause));
            state.closed_until = state.closed_until.max(end);
        }
        if round != state.round {
            return;
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            let lowered = (state.limit / 2).max(1);
            let gone = state.limit - lowered;
            state.surplus += gone - self.slots.forget_permits(gone);
            (state.limit, state.good, state.round) = (lowered, 0, Round(state.round.0 + 1));
        } else if !status.is_server_error() && state.limit < MOST {
            state.good += 1;
            if state.good >= state.limit {
                (state.limit, state.good) = (state.limit + 1, 0);
                if state.surplus == 0 { self.slots.add_permits(1) } else { state.surplus -= 1 }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
