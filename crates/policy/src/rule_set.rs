use std::{any::Any, fmt, panic};

use jiff::Timestamp;

use crate::{
    Decision, Denial, Facts, Finding, Grade, Intent, Parameters, Permit, Request, Rule, RuleId, RuleVerdict, Verdict,
    Violation, rules,
};

/// The rules that a request is held against. There is no set without the safety rules.
pub struct RuleSet {
    rules: Vec<Member>,
}

struct Member {
    id: RuleId,
    grade: Grade,
    rule: Box<dyn Rule>,
}

/// Two rules have one id, so that a record could not tell them apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is a rule {rule} already")]
pub struct DuplicateRule {
    /// Their id.
    pub rule: RuleId,
}

/// A rule that must be in the set is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rule {rule} is required, and there is none of that name")]
pub struct MissingRule {
    /// Its id.
    pub rule: RuleId,
}

impl RuleSet {
    /// The safety rules, with what conveyor.yaml says about one app in one environment.
    #[must_use]
    pub fn safety(parameters: &Parameters) -> Self {
        Self { rules: rules::safety(parameters).into_iter().map(Member::from).collect() }
    }

    /// Adds a rule. It can only forbid more.
    ///
    /// # Errors
    /// [`DuplicateRule`] when a rule of the set has its id.
    pub fn with(mut self, rule: Box<dyn Rule>) -> Result<Self, DuplicateRule> {
        let member = Member::from(rule);
        if self.has(&member.id) {
            return Err(DuplicateRule { rule: member.id });
        }
        self.rules.push(member);
        Ok(self)
    }

    /// Makes sure that rules are in the set.
    ///
    /// # Errors
    /// [`MissingRule`] for the first of `ids` that is not.
    pub fn requiring(self, ids: &[RuleId]) -> Result<Self, MissingRule> {
        match ids.iter().find(|id| !self.has(id)) {
            Some(id) => Err(MissingRule { rule: id.clone() }),
            None => Ok(self),
        }
    }

    /// Holds a request against every rule. `now` is where a permit's validity begins.
    pub fn evaluate(&self, request: Request, facts: &Facts, now: Timestamp) -> Decision {
        let emergency = matches!(request.intent, Intent::Emergency { .. });
        let mut verdicts = Vec::with_capacity(self.rules.len());
        let mut violations = Vec::new();
        for member in &self.rules {
            let verdict = match member.judge(&request, facts, now) {
                Judgement::NotApplicable => Verdict::NotApplicable,
                Judgement::Found(Finding::Holds) => Verdict::Holds,
                Judgement::Found(Finding::Accepted) => Verdict::Accepted,
                Judgement::Violated(_) if emergency && member.grade == Grade::Waivable => Verdict::Waived,
                Judgement::Violated(violation) => {
                    let verdict = if violation.transient { Verdict::Unknown } else { Verdict::Violated };
                    violations.push(violation);
                    verdict
                }
            };
            verdicts.push(RuleVerdict { rule: member.id.clone(), verdict });
        }
        if violations.is_empty() {
            Decision::Allowed(Permit::new(request, verdicts, now))
        } else {
            Decision::Denied(Denial::new(request, verdicts, violations))
        }
    }

    fn has(&self, id: &RuleId) -> bool {
        self.rules.iter().any(|member| member.id == *id)
    }
}

impl fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rules.iter().map(|member| &member.id)).finish()
    }
}

enum Judgement {
    NotApplicable,
    Found(Finding),
    Violated(Violation),
}

impl Member {
    fn judge(&self, request: &Request, facts: &Facts, now: Timestamp) -> Judgement {
        let rule = self.rule.as_ref();
        // The compiler proves that this may be caught: all that the closure holds is unwind-safe.
        let judged = panic::catch_unwind(|| rule.applies(request).then(|| rule.check(request, facts, now)));
        match judged {
            Ok(None) => Judgement::NotApplicable,
            Ok(Some(Ok(finding))) => Judgement::Found(finding),
            Ok(Some(Err(violation))) => Judgement::Violated(Violation { rule: self.id.clone(), ..violation }),
            Err(payload) => Judgement::Violated(self.panicked(payload.as_ref())),
        }
    }

    fn panicked(&self, payload: &(dyn Any + Send)) -> Violation {
        let said = payload.downcast_ref::<&str>().copied();
        let said = said.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
        Violation::new(self.id.clone(), format!("the rule panicked: {said}"), "report it: this is a defect of the rule")
    }
}

impl From<Box<dyn Rule>> for Member {
    fn from(rule: Box<dyn Rule>) -> Self {
        Self { id: rule.id(), grade: rule.grade(), rule }
    }
}
