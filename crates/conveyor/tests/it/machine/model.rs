//! What running one sequence by itself comes to, in a few lines: the model that the real ones are held against.

use conveyor::Outcome;

use super::judge::{Judge, Place, State, before_it};
use crate::world::{ENVIRONMENTS, Sequence};

/// One sequence for one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Op {
    pub(crate) environment: &'static str,
    pub(crate) sequence: Sequence,
    pub(crate) wanted: Vec<(&'static str, u64)>,
}

/// The kinds of ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Written,
    Unchanged,
    Superseded,
    Denied,
    Copied,
    Present,
    /// It says of itself that it was not able to.
    Other,
}

impl From<&Outcome> for End {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Updated | Outcome::AwaitingSync => Self::Written,
            Outcome::Unchanged => Self::Unchanged,
            Outcome::Superseded { .. } => Self::Superseded,
            Outcome::Denied(_) => Self::Denied,
            Outcome::Copied => Self::Copied,
            Outcome::AlreadyPresent => Self::Present,
            _ => Self::Other,
        }
    }
}

impl Op {
    pub(crate) fn places(&self) -> impl Iterator<Item = (Place, u64)> {
        self.wanted.iter().map(|(app, build)| ((self.environment, *app), *build))
    }

    /// The order in which everything is run again: environment by environment, copies before what needs them, older
    /// builds before newer ones.
    pub(crate) fn order(&self) -> impl Ord + use<> {
        let place = ENVIRONMENTS.iter().position(|known| *known == self.environment);
        let builds: Vec<u64> = self.wanted.iter().map(|(_, build)| *build).collect();
        (place, self.sequence, builds)
    }

    /// The release that asks: the first app's.
    pub(crate) fn release(&self) -> Option<u64> {
        (self.environment == "prod-wealth").then(|| self.wanted[0].1)
    }

    /// Whether the environment before has it all.
    fn is_recorded(&self, state: &State) -> bool {
        let Some(before) = before_it(self.environment) else { return true };
        self.wanted.iter().all(|(app, build)| state.has((before, app), *build))
    }

    /// Whether policy allows it for those apps that are not settled.
    fn is_allowed(&self, judge: &Judge<'_>, state: &State, open: &[(Place, u64)]) -> bool {
        let approved = |((_, app), build): &(Place, u64)| {
            self.environment != "prod-wealth" || (judge.is_approved(app, *build) && self.release() == Some(*build))
        };
        let there = |(place, build): &(Place, u64)| self.sequence != Sequence::Update || judge.has_tag(*place, *build);
        !state.has_rules && open.iter().all(|case| approved(case) && there(case))
    }

    /// How it ends if nothing else happens.
    pub(crate) fn end(&self, judge: &Judge<'_>, state: &State) -> End {
        if !self.is_recorded(state) {
            return End::Denied;
        }
        if self.sequence == Sequence::Copy {
            let all: Vec<_> = self.places().collect();
            let present = all.iter().all(|(place, build)| judge.has_tag(*place, *build));
            return match self.is_allowed(judge, state, &all) {
                false => End::Denied,
                true if present => End::Present,
                true => End::Copied,
            };
        }
        if self.places().any(|(place, build)| state.build(place).is_none_or(|found| found > build)) {
            return End::Superseded;
        }
        let open: Vec<_> = self.places().filter(|(place, build)| !state.is_settled(*place, *build)).collect();
        match open.is_empty() {
            true => End::Unchanged,
            false if self.is_allowed(judge, state, &open) => End::Written,
            false => End::Denied,
        }
    }

    /// Whether an end that a run reports could be true of some moment between its first and its last.
    pub(crate) fn could_end(&self, end: End, judge: &Judge<'_>, moments: &[State]) -> bool {
        moments.iter().any(|state| match end {
            // What it wrote or copied is judged by itself; what it could have written it might have been denied before
            // the tag or the approval was there.
            End::Written | End::Copied | End::Present => true,
            End::Denied if self.environment == "prod-wealth" || self.sequence == Sequence::Update => true,
            End::Unchanged | End::Superseded | End::Denied => self.end(judge, state) == end,
            End::Other => false,
        })
    }
}
