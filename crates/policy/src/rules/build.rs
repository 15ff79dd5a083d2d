use jiff::Timestamp;

use super::asks_ci;
use crate::{BuildStatus, Facts, Finding, Grade, Intent, Request, Rule, RuleId, Violation};

const ID: RuleId = RuleId::of("build-of-definition");

/// CI made the build, from the configured definition and one of the configured branches, and it ended well; a publish
/// comes from inside the build, so there it is still running.
///
/// Waivable, because an emergency goes only to what was promoted here before, and so was held against this rule then.
pub(super) struct BuildOfDefinition {
    pub(super) definition: Option<u64>,
    pub(super) branches: Vec<String>,
}

impl Rule for BuildOfDefinition {
    fn id(&self) -> RuleId {
        ID
    }

    fn grade(&self) -> Grade {
        Grade::Waivable
    }

    fn applies(&self, request: &Request) -> bool {
        self.definition.is_some() && asks_ci(request)
    }

    fn check(&self, request: &Request, facts: &Facts, _: Timestamp) -> Result<Finding, Violation> {
        let asked = request.artifact.build;
        let build = facts.build.require(&ID, &format!("the account of build {asked}"))?;
        let violation = |because: String, remedy: &str| Err(Violation::new(ID, because, remedy));
        if build.id != asked {
            return violation(format!("the account is of build {}, not of {asked}", build.id), "name the build itself");
        }
        if self.definition != Some(build.definition) {
            return violation(
                format!("build {asked} is of definition {}, which is not the app's", build.definition),
                "name a build of the app's own definition, or correct build_definition in conveyor.yaml",
            );
        }
        if !self.branches.contains(&build.branch) {
            return violation(
                format!("build {asked} is of {}, and only {} may be moved", build.branch, self.branches.join(", ")),
                "merge the change, then move the build of the branch that it was merged to",
            );
        }
        let publish = request.intent == Intent::Publish;
        match build.status {
            BuildStatus::InProgress if publish => Ok(Finding::Holds),
            BuildStatus::Succeeded if !publish => Ok(Finding::Holds),
            _ if publish => violation(format!("build {asked} is not in progress"), "publish from within the build"),
            BuildStatus::InProgress => violation(format!("build {asked} has not ended"), "wait for it to succeed"),
            _ => violation(format!("build {asked} did not succeed"), "queue a new build"),
        }
    }
}
