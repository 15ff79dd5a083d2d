//! What the server has, as far as a decision needs it: what the documents are parsed into and what
//! [`memory::Server`](crate::memory::Server) holds.

use jiff::Timestamp;
pub use policy::{Build, BuildStatus};
use release::{Actor, BuildId};

use crate::AzureError;

/// A release with all of its stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its id.
    pub id: u64,
    /// The definition that it is a release of.
    pub definition: u64,
    /// The build that its primary artifact names, where that is a build.
    pub build: Option<BuildId>,
    /// The build definition of that artifact.
    pub build_definition: Option<u64>,
    /// Who created it.
    pub created_by: Actor,
    /// For whom.
    pub created_for: Actor,
    /// Its stages, which the server calls environments.
    pub stages: Vec<Stage>,
}

/// One stage of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its id in this release: what approvals refer to.
    pub id: u64,
    /// Its id in the release definition.
    pub definition: u64,
    /// Its name.
    pub name: String,
    /// Whether the server lets who created the release approve it. Where the stage has no approval options, nothing
    /// keeps him from it: `true`.
    pub creator_can_approve: bool,
    /// Its deployments so far.
    pub attempts: Vec<Attempt>,
    /// Its approvals before the deployment, of every attempt and status.
    pub approvals: Vec<Approval>,
}

/// One deployment of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
    /// How far it is.
    pub status: AttemptStatus,
    /// Who started it.
    pub requested_by: Actor,
    /// For whom.
    pub requested_for: Actor,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// When it changed last; for one that ended, its end.
    pub modified_at: Timestamp,
}

/// How far a deployment is (`DeploymentStatus` in the REST reference).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptStatus {
    /// It waits, for an approval say.
    NotDeployed,
    /// It runs.
    InProgress,
    /// It ended well.
    Succeeded,
    /// It ended well in part.
    PartiallySucceeded,
    /// It did not end well.
    Failed,
}

/// One approval, asked for or given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Its id.
    pub id: u64,
    /// The attempt that it is for.
    pub attempt: u32,
    /// A person's or a group's GUID, in lower case; none where the server asked nobody.
    pub asked: Option<String>,
    /// What became of it.
    pub status: ApprovalStatus,
    /// Who answered.
    pub answered_by: Option<Actor>,
    /// Whether the server answered it by itself.
    pub automated: bool,
    /// When it changed last; for one that was answered, when that was.
    pub modified_at: Timestamp,
}

/// What became of an approval (`ApprovalStatus` in the REST reference).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalStatus {
    /// Nobody has answered.
    Pending,
    /// Given.
    Approved,
    /// Refused.
    Rejected,
    /// Somebody else is asked instead.
    Reassigned,
    /// The deployment was given up.
    Canceled,
    /// The server did not insist.
    Skipped,
}

impl Release {
    /// The release as the rules see it: one stage of it, and when `source_stage` last succeeded.
    ///
    /// # Errors
    /// A stage that the release has not, or has twice; more than one attempt in progress or one that is there twice.
    pub fn at_stage(
        &self,
        stage: &str,
        source_stage: Option<&str>,
        as_of: Timestamp,
    ) -> Result<policy::Release, AzureError> {
        let source_succeeded_at = source_stage.map(|name| self.stage(name)).transpose()?.and_then(Stage::succeeded_at);
        let stage = self.stage(stage)?;
        let attempt = stage.attempt_in_progress(self.id)?;

        let mut requesters = vec![self.created_by.clone()];
        let of_attempt = attempt.into_iter().flat_map(|attempt| [&attempt.requested_by, &attempt.requested_for]);
        for actor in std::iter::once(&self.created_for).chain(of_attempt) {
            if requesters.iter().all(|known| known.id != actor.id) {
                requesters.push(actor.clone());
            }
        }
        Ok(policy::Release {
            id: self.id,
            definition: self.definition,
            build: self.build,
            build_definition: self.build_definition,
            requesters,
            stage: policy::Stage {
                definition: stage.definition,
                name: stage.name.clone(),
                attempt: attempt.map(|attempt| attempt.number),
                attempt_queued_at: attempt.map(|attempt| attempt.queued_at),
                creator_can_approve: stage.creator_can_approve,
                approvals: stage.approvals.iter().map(Approval::fact).collect(),
            },
            source_succeeded_at,
            as_of,
        })
    }

    fn stage(&self, name: &str) -> Result<&Stage, AzureError> {
        let mut named = self.stages.iter().filter(|stage| stage.name == name);
        match (named.next(), named.next()) {
            (Some(stage), None) => Ok(stage),
            (None, _) => Err(AzureError::NoStage { release: self.id, stage: name.to_owned() }),
            (Some(_), Some(_)) => Err(AzureError::StageTwice { release: self.id, stage: name.to_owned() }),
        }
    }
}

impl Stage {
    /// A rule binds approvals to an attempt by its number, so a number must mean one attempt.
    fn attempt_in_progress(&self, release: u64) -> Result<Option<&Attempt>, AzureError> {
        let ambiguous = || AzureError::AttemptsAmbiguous { release, stage: self.name.clone() };
        let mut numbers: Vec<u32> = self.attempts.iter().map(|attempt| attempt.number).collect();
        numbers.sort_unstable();
        if numbers.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(ambiguous());
        }
        let mut running = self.attempts.iter().filter(|attempt| attempt.status == AttemptStatus::InProgress);
        match (running.next(), running.next()) {
            (attempt, None) => Ok(attempt),
            (_, Some(_)) => Err(ambiguous()),
        }
    }

    fn succeeded_at(&self) -> Option<Timestamp> {
        let ended_well = self.attempts.iter().filter(|attempt| attempt.status == AttemptStatus::Succeeded);
        ended_well.map(|attempt| attempt.modified_at).max()
    }
}

impl Approval {
    fn fact(&self) -> policy::Approval {
        let approved = self.status == ApprovalStatus::Approved;
        policy::Approval {
            id: self.id,
            asked: self.asked.clone().unwrap_or_default(),
            approver: self.answered_by.clone().filter(|_| approved),
            approved,
            automated: self.automated,
            attempt: self.attempt,
            given_at: approved.then_some(self.modified_at),
        }
    }
}
