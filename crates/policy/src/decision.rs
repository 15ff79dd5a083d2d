use serde::{Deserialize, Serialize};

use crate::{Permit, Request, RuleId, Violation};

/// What the rules say about a request.
#[derive(Debug)]
#[must_use]
pub enum Decision {
    /// Every rule that applies holds, or was waived.
    Allowed(Permit),
    /// At least one rule forbids it.
    Denied(Denial),
}

impl Decision {
    /// What each rule said, in the set's order.
    #[must_use]
    pub fn verdicts(&self) -> &[RuleVerdict] {
        match self {
            Self::Allowed(permit) => permit.verdicts(),
            Self::Denied(denial) => denial.verdicts(),
        }
    }
}

/// What one rule said: `{"id":"four-eyes","verdict":"holds"}` in a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleVerdict {
    /// The rule.
    #[serde(rename = "id")]
    pub rule: RuleId,
    /// What it said.
    pub verdict: Verdict,
}

/// What a rule can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It holds.
    Holds,
    /// It does not hold, and conveyor.yaml accepts that.
    Accepted,
    /// It has nothing to say about such a request.
    NotApplicable,
    /// It does not hold, and the emergency waived it.
    Waived,
    /// It does not hold.
    Violated,
    /// It cannot be said, because a fact could not be fetched. That denies, as if it did not hold.
    Unknown,
}

/// A request that was denied, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    request: Request,
    verdicts: Vec<RuleVerdict>,
    violations: Vec<Violation>,
}

impl Denial {
    pub(crate) fn new(request: Request, verdicts: Vec<RuleVerdict>, violations: Vec<Violation>) -> Self {
        Self { request, verdicts, violations }
    }

    /// What was asked.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// What each rule said, in the set's order.
    #[must_use]
    pub fn verdicts(&self) -> &[RuleVerdict] {
        &self.verdicts
    }

    /// Why: one for each rule that is violated or unknown, and at least one.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Whether nothing is known to be wrong: each violation is a fact that could not be fetched.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.violations.iter().all(|violation| violation.transient)
    }
}
