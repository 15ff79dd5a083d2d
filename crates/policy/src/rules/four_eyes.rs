use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use release::{Actor, ActorId, BuildId};

use super::asks_ci;
use crate::{
    Approval, ApprovalParameters, Fact, Facts, Finding, Grade, Intent, Parameters, Release, Request, Rule, RuleId,
    Violation,
};

const ID: RuleId = RuleId::of("four-eyes");

/// Enough people of the configured group approved the attempt in progress, and none of them asked for the release or
/// the build.
pub(super) struct FourEyes {
    build_definition: Option<u64>,
    release_definition: Option<u64>,
    stage: Option<String>,
    source_has_stage: bool,
    approval: ApprovalParameters,
}

impl FourEyes {
    pub(super) fn new(parameters: &Parameters) -> Self {
        Self {
            build_definition: parameters.build_definition,
            release_definition: parameters.release_definition,
            stage: parameters.stage.clone(),
            source_has_stage: parameters.source_has_stage,
            approval: parameters.approval.clone(),
        }
    }
}

impl Rule for FourEyes {
    fn id(&self) -> RuleId {
        ID
    }

    fn grade(&self) -> Grade {
        Grade::Waivable
    }

    /// A publish is exempt: one more immutable tag in a registry changes no environment.
    fn applies(&self, request: &Request) -> bool {
        self.approval.required > 0 && asks_ci(request) && request.intent != Intent::Publish
    }

    fn check(&self, request: &Request, facts: &Facts, _: Timestamp) -> Result<Finding, Violation> {
        let (vote, approvals) = self.vote(request, facts)?;
        vote.count(approvals, self.approval.required)
    }
}

/// The approvals that `four-eyes` counts for a request: none where it does not apply, or where no approval could count.
#[must_use]
pub fn approvals_that_count<'f>(parameters: &Parameters, request: &Request, facts: &'f Facts) -> Vec<&'f Approval> {
    let rule = FourEyes::new(parameters);
    match rule.vote(request, facts) {
        Ok((vote, approvals)) if rule.applies(request) => {
            approvals.iter().filter(|approval| vote.approver(approval).is_ok()).collect()
        }
        _ => Vec::new(),
    }
}

/// The release that asks for a request: of the configured definition and stage, for the request's build, with an attempt
/// in progress. These are the checks that `four-eyes` makes; who runs a step can name any release, and only of one that
/// passes them may it be said that its requesters asked for this.
#[must_use]
pub fn release_that_asks<'f>(parameters: &Parameters, request: &Request, facts: &'f Facts) -> Option<&'f Release> {
    let Fact::Known(release) = &facts.release else { return None };
    FourEyes::new(parameters).attempt(release, request.artifact.build).is_ok().then_some(release)
}

impl FourEyes {
    /// What an approval of this request must be, and the approvals that there are.
    fn vote<'s, 'f>(&'s self, request: &Request, facts: &'f Facts) -> Result<(Vote<'s>, &'f [Approval]), Violation> {
        let release = facts.release.require(&ID, "the release with its approvals")?;
        let build = facts.build.require(&ID, "who asked for the build")?;
        let attempt = self.attempt(release, request.artifact.build)?;
        if release.stage.creator_can_approve {
            return Err(violation(
                format!("the stage {} lets who created the release approve it", release.stage.name),
                "tick \"The user requesting a release or deployment should not approve it\" on the stage",
            ));
        }
        let vote = Vote {
            group: self.approval.group.as_deref().ok_or_else(|| {
                violation("conveyor.yaml names no group that must approve", "set approval.group for this environment")
            })?,
            max_age: self.approval.max_age,
            attempt,
            opened_at: self.opened_at(release)?,
            as_of: release.as_of,
            requesters: people(&release.requesters, "the release")?
                .union(&people(&build.requesters, "the build")?)
                .cloned()
                .collect(),
        };
        Ok((vote, &release.stage.approvals))
    }

    /// The attempt in progress of a release that is the configured one, for this build.
    fn attempt(&self, release: &Release, build: BuildId) -> Result<u32, Violation> {
        let Release { id, definition, stage, .. } = release;
        if self.release_definition != Some(*definition) {
            return Err(violation(
                format!("release {id} is of definition {definition}, which is not the app's"),
                "use the app's own release definition, or correct release_definition in conveyor.yaml",
            ));
        }
        if self.stage.as_ref() != Some(&stage.name) {
            return Err(violation(
                format!("the stage {} of release {id} is not this environment's", stage.name),
                "run this from the environment's own stage, or correct stage in conveyor.yaml",
            ));
        }
        if release.build != Some(build) {
            let of = release.build.map_or_else(|| "no build".to_owned(), |other| format!("build {other}"));
            return Err(violation(
                format!("release {id} is of {of}, not of build {build}"),
                format!("create a release of build {build}"),
            ));
        }
        if let Some(ours) = self.build_definition
            && release.build_definition != Some(ours)
        {
            let of = release.build_definition.map_or_else(
                || "names no build definition".to_owned(),
                |theirs| format!("is of build definition {theirs}, not of {ours}"),
            );
            return Err(violation(
                format!("the artifact of release {id} {of}"),
                "use a release of the app's own builds",
            ));
        }
        stage.attempt.ok_or_else(|| {
            violation(
                format!("the stage {} of release {id} is not being deployed", stage.name),
                "run this from the stage's own deployment",
            )
        })
    }

    /// The earliest moment at which anybody can have approved this attempt knowing what it is.
    fn opened_at(&self, release: &Release) -> Result<Timestamp, Violation> {
        let queued = release.stage.attempt_queued_at.ok_or_else(|| {
            violation("the server does not say when the attempt was queued", "deploy the stage again")
        })?;
        if !self.source_has_stage {
            return Ok(queued);
        }
        let succeeded = release.source_succeeded_at.ok_or_else(|| {
            violation(
                format!("release {} has not succeeded in the environment before", release.id),
                "deploy the stage before, then ask for approval",
            )
        })?;
        Ok(queued.max(succeeded))
    }
}

/// What an approval must be to count.
struct Vote<'a> {
    group: &'a str,
    max_age: Duration,
    attempt: u32,
    opened_at: Timestamp,
    as_of: Timestamp,
    requesters: BTreeSet<ActorId>,
}

impl Vote<'_> {
    fn count(&self, approvals: &[Approval], required: u32) -> Result<Finding, Violation> {
        let mut approvers = BTreeSet::new();
        let mut refused = Vec::new();
        for approval in approvals {
            match self.approver(approval) {
                Ok(id) => {
                    approvers.insert(id);
                }
                Err(because) => refused.push(format!("approval {} {because}", approval.id)),
            }
        }
        if u32::try_from(approvers.len()).unwrap_or(u32::MAX) >= required {
            return Ok(Finding::Holds);
        }
        let refused = if refused.is_empty() { String::new() } else { format!(" ({})", refused.join("; ")) };
        Err(violation(
            format!("{} of {required} approvals of attempt {} count{refused}", approvers.len(), self.attempt),
            "ask somebody of the group who asked for neither the release nor the build to approve this attempt",
        ))
    }

    /// Who approved, or why it does not count.
    fn approver(&self, approval: &Approval) -> Result<ActorId, String> {
        if !approval.approved {
            return Err("was not given".to_owned());
        }
        if approval.automated {
            return Err("was given by the server itself".to_owned());
        }
        if approval.attempt != self.attempt {
            return Err(format!("is of attempt {}", approval.attempt));
        }
        if approval.asked != self.group {
            return Err("was not asked of the configured group".to_owned());
        }
        let approver = approval.approver.as_ref().ok_or("does not name who gave it")?;
        let id = person(approver).ok_or_else(|| format!("is by {}, who is nobody in Azure DevOps", approver.id))?;
        if self.requesters.contains(&id) {
            return Err(format!("is by {} ({id}), who asked for it", approver.name));
        }
        let given_at = approval.given_at.ok_or("does not say when it was given")?;
        if given_at < self.opened_at {
            return Err(format!("was given at {given_at}, before {}, when it could be", self.opened_at));
        }
        match Duration::try_from(self.as_of.duration_since(given_at)) {
            Err(_) => Err(format!("was given at {given_at}, in the future")),
            Ok(age) if age > self.max_age => {
                Err(format!("is {} s old, above the limit of {} s", age.as_secs(), self.max_age.as_secs()))
            }
            Ok(_) => Ok(id),
        }
    }
}

/// Who asked for `what`. It denies that nobody is named, or somebody who cannot be told from an approver.
fn people(requesters: &[Actor], what: &str) -> Result<BTreeSet<ActorId>, Violation> {
    let remedy = "let the server name who asked, by an Azure DevOps identity";
    if requesters.is_empty() {
        return Err(violation(format!("it is not known who asked for {what}"), remedy));
    }
    let known = |actor: &Actor| {
        person(actor).ok_or_else(|| {
            violation(format!("{}, who asked for {what}, cannot be told from an approver", actor.id), remedy)
        })
    };
    requesters.iter().map(known).collect()
}

/// The actor's id in the form that can be compared (a GUID has two cases), if Azure DevOps vouches for it.
fn person(actor: &Actor) -> Option<ActorId> {
    let id = actor.id.to_string().parse().ok()?;
    matches!(id, ActorId::AzureDevOps(_)).then_some(id)
}

fn violation(because: impl Into<String>, remedy: impl Into<String>) -> Violation {
    Violation::new(ID, because, remedy)
}
