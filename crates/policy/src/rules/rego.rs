use jiff::Timestamp;

use crate::{Facts, Finding, Grade, Request, Rule, RuleId, Violation};

const ID: RuleId = RuleId::of("rules-evaluated");

/// No rule was left out: the Ledger has no rules that this version cannot evaluate.
pub(super) struct RulesEvaluated;

impl Rule for RulesEvaluated {
    fn id(&self) -> RuleId {
        ID
    }

    fn grade(&self) -> Grade {
        Grade::Integrity
    }

    fn applies(&self, _: &Request) -> bool {
        true
    }

    fn check(&self, _: &Request, facts: &Facts, _: Timestamp) -> Result<Finding, Violation> {
        let from = facts.rules_from.require(&ID, "where the rules were read")?;
        match from.rules {
            None => Ok(Finding::Holds),
            Some(tree) => Err(Violation::new(
                ID,
                format!("the rules in Rego (tree {tree} of commit {}) are not evaluated by this version", from.commit),
                "use a version that evaluates them, or remove the rules' files from the Ledger",
            )),
        }
    }
}
