use jiff::{SignedDuration, Timestamp};

use crate::{Request, RuleVerdict};

/// How long a permit is good for.
const VALIDITY: SignedDuration = SignedDuration::from_mins(5);

/// The word of [`RuleSet::evaluate`](crate::RuleSet::evaluate) that one step of one request may be done.
///
/// Who acts takes it by value. It cannot be made, copied, stored or read back, and it expires.
#[derive(Debug)]
#[must_use]
pub struct Permit {
    request: Request,
    verdicts: Vec<RuleVerdict>,
    evaluated_at: Timestamp,
}

impl Permit {
    pub(crate) fn new(request: Request, verdicts: Vec<RuleVerdict>, evaluated_at: Timestamp) -> Self {
        Self { request, verdicts, evaluated_at }
    }

    /// What is permitted: this and nothing else.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// What each rule said, in the set's order.
    #[must_use]
    pub fn verdicts(&self) -> &[RuleVerdict] {
        &self.verdicts
    }

    /// When it stops being valid: five minutes after the evaluation.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.evaluated_at.checked_add(VALIDITY).unwrap_or(Timestamp::MAX)
    }

    /// Whether it may be used at `now`, by the clock that `evaluate` was given: from the evaluation on, until it
    /// [expires](Self::expires). A clock that was turned back makes it invalid.
    #[must_use]
    pub fn valid(&self, now: Timestamp) -> bool {
        self.evaluated_at <= now && now < self.expires()
    }
}
