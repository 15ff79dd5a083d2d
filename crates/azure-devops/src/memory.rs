//! A server that is all in memory: for tests, and for the sandbox, which turns it as people would turn the real one.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use jiff::Timestamp;
use release::{Actor, ActorId, BuildId};

use crate::{
    AzureDevOps, AzureError, Resource,
    model::{Approval, ApprovalStatus, Attempt, AttemptStatus, Release, Stage},
};

/// Builds, releases and their approvals. It keeps what a real server keeps: ids are unique, attempts count from 1,
/// only an attempt that runs ends, and an approval is answered once.
pub struct Server {
    state: Mutex<State>,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

#[derive(Default)]
struct State {
    builds: BTreeMap<BuildId, policy::Build>,
    releases: BTreeMap<u64, Release>,
    approvals_asked: u64,
}

/// What a real server would not have let happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// An id that is taken, or a name or id that stands twice in one release.
    #[error("the {0} is there already")]
    Taken(&'static str),
    /// A thing that is not there.
    #[error("there is no such {0}")]
    Unknown(&'static str),
    /// A build is asked for by one person, or by one for another.
    #[error("a build has one or two requesters, not {0}")]
    Requesters(usize),
    /// A stage runs one attempt at a time.
    #[error("an attempt is in progress")]
    InProgress,
    /// There is no attempt that could end or be approved.
    #[error("no attempt is in progress")]
    NotInProgress,
    /// An approval is answered once.
    #[error("the approval was answered before")]
    Answered,
    /// Only identities of Azure DevOps act in it.
    #[error("{0} is no identity of Azure DevOps")]
    Stranger(ActorId),
}

/// How an attempt ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Well.
    Succeeded,
    /// Not well.
    Failed,
}

/// What somebody answers to an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Approve,
    /// No.
    Reject,
}

impl Server {
    /// A server without builds and releases, whose clock is `clock`.
    pub fn new(clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { state: Mutex::default(), clock: Box::new(clock) }
    }

    /// The server's time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Adds a build, asked for by one person, or by the first for the second.
    ///
    /// # Errors
    /// [`Refused::Taken`], [`Refused::Requesters`], [`Refused::Stranger`].
    pub fn add_build(&self, build: policy::Build) -> Result<(), Refused> {
        if !(1..=2).contains(&build.requesters.len()) {
            return Err(Refused::Requesters(build.requesters.len()));
        }
        build.requesters.iter().try_for_each(known)?;
        let mut state = self.state();
        if state.builds.contains_key(&build.id) {
            return Err(Refused::Taken("build"));
        }
        state.builds.insert(build.id, build);
        Ok(())
    }

    /// Says how far a build is.
    ///
    /// # Errors
    /// [`Refused::Unknown`].
    pub fn set_build_status(&self, id: BuildId, status: policy::BuildStatus) -> Result<(), Refused> {
        self.state().builds.get_mut(&id).ok_or(Refused::Unknown("build"))?.status = status;
        Ok(())
    }

    /// Adds a release, with whatever has happened in it so far.
    ///
    /// # Errors
    /// [`Refused::Taken`] for the release's id, or a stage's id or name that stands twice; [`Refused::Stranger`].
    pub fn add_release(&self, release: Release) -> Result<(), Refused> {
        [&release.created_by, &release.created_for].into_iter().try_for_each(known)?;
        let twice = |stage: &Stage| {
            release.stages.iter().filter(|other| other.name == stage.name || other.id == stage.id).count() > 1
        };
        if release.stages.iter().any(twice) {
            return Err(Refused::Taken("stage"));
        }
        let mut state = self.state();
        if state.releases.contains_key(&release.id) {
            return Err(Refused::Taken("release"));
        }
        let ids = release.stages.iter().flat_map(|stage| &stage.approvals).map(|approval| approval.id);
        state.approvals_asked = ids.fold(state.approvals_asked, u64::max);
        state.releases.insert(release.id, release);
        Ok(())
    }

    /// Starts the next attempt at a stage and returns its number.
    ///
    /// # Errors
    /// [`Refused::Unknown`], [`Refused::InProgress`], [`Refused::Stranger`].
    pub fn begin(&self, release: u64, stage: &str, by: &Actor) -> Result<u32, Refused> {
        known(by)?;
        let now = self.now();
        self.at_stage(release, stage, |stage, _| {
            if running(stage).is_some() {
                return Err(Refused::InProgress);
            }
            let number = stage.attempts.iter().map(|attempt| attempt.number).max().unwrap_or(0) + 1;
            stage.attempts.push(Attempt {
                number,
                status: AttemptStatus::InProgress,
                requested_by: by.clone(),
                requested_for: by.clone(),
                queued_at: now,
                modified_at: now,
            });
            Ok(number)
        })
    }

    /// Ends the attempt in progress.
    ///
    /// # Errors
    /// [`Refused::Unknown`], [`Refused::NotInProgress`].
    pub fn end(&self, release: u64, stage: &str, end: End) -> Result<(), Refused> {
        let now = self.now();
        self.at_stage(release, stage, |stage, _| {
            let attempt = running(stage).ok_or(Refused::NotInProgress)?;
            attempt.modified_at = now;
            attempt.status = match end {
                End::Succeeded => AttemptStatus::Succeeded,
                End::Failed => AttemptStatus::Failed,
            };
            Ok(())
        })
    }

    /// Asks a person or a group, by GUID, to approve the attempt in progress, and returns the approval's id.
    ///
    /// # Errors
    /// [`Refused::Unknown`], [`Refused::NotInProgress`].
    pub fn ask(&self, release: u64, stage: &str, whom: &str) -> Result<u64, Refused> {
        let now = self.now();
        self.at_stage(release, stage, |stage, approvals_asked| {
            let attempt = running(stage).ok_or(Refused::NotInProgress)?.number;
            *approvals_asked += 1;
            stage.approvals.push(Approval {
                id: *approvals_asked,
                attempt,
                asked: Some(whom.to_ascii_lowercase()),
                status: ApprovalStatus::Pending,
                answered_by: None,
                automated: false,
                modified_at: now,
            });
            Ok(*approvals_asked)
        })
    }

    /// Answers an approval.
    ///
    /// # Errors
    /// [`Refused::Unknown`], [`Refused::Answered`], [`Refused::Stranger`].
    pub fn answer(&self, approval: u64, by: &Actor, answer: Answer) -> Result<(), Refused> {
        known(by)?;
        let now = self.now();
        let mut state = self.state();
        let mut approvals =
            state.releases.values_mut().flat_map(|release| &mut release.stages).flat_map(|stage| &mut stage.approvals);
        let approval = approvals.find(|known| known.id == approval).ok_or(Refused::Unknown("approval"))?;
        if approval.status != ApprovalStatus::Pending {
            return Err(Refused::Answered);
        }
        approval.status = match answer {
            Answer::Approve => ApprovalStatus::Approved,
            Answer::Reject => ApprovalStatus::Rejected,
        };
        approval.answered_by = Some(by.clone());
        approval.modified_at = now;
        Ok(())
    }

    /// A build as it is.
    #[must_use]
    pub fn find_build(&self, id: BuildId) -> Option<policy::Build> {
        self.state().builds.get(&id).cloned()
    }

    /// A release as it is.
    #[must_use]
    pub fn find_release(&self, id: u64) -> Option<Release> {
        self.state().releases.get(&id).cloned()
    }

    fn at_stage<T>(
        &self,
        release: u64,
        stage: &str,
        act: impl FnOnce(&mut Stage, &mut u64) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let mut state = self.state();
        let State { releases, approvals_asked, .. } = &mut *state;
        let release = releases.get_mut(&release).ok_or(Refused::Unknown("release"))?;
        let stage = release.stages.iter_mut().find(|known| known.name == stage).ok_or(Refused::Unknown("stage"))?;
        act(stage, approvals_asked)
    }

    /// No call leaves the state half changed, so a panic elsewhere does not spoil it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn running(stage: &mut Stage) -> Option<&mut Attempt> {
    stage.attempts.iter_mut().find(|attempt| attempt.status == AttemptStatus::InProgress)
}

fn known(actor: &Actor) -> Result<(), Refused> {
    match actor.id {
        ActorId::AzureDevOps(_) => Ok(()),
        _ => Err(Refused::Stranger(actor.id.clone())),
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("memory::Server").finish_non_exhaustive()
    }
}

#[async_trait]
impl AzureDevOps for Server {
    async fn build(&self, id: BuildId) -> Result<Option<policy::Build>, AzureError> {
        Ok(self.find_build(id))
    }

    async fn release(&self, id: u64, stage: &str, source_stage: Option<&str>) -> Result<policy::Release, AzureError> {
        let release = self.find_release(id).ok_or(AzureError::NotFound { what: Resource::Release(id) })?;
        release.at_stage(stage, source_stage, self.now())
    }
}
