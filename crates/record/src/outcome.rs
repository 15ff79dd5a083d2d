use jiff::Timestamp;
use release::{Actor, Digest, RunId};
use serde::{Deserialize, Serialize};

use crate::Subject;

/// What came of an act, written when somebody saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActResult {
    /// What the act was about.
    pub subject: Subject,
    /// The act's run.
    pub of: RunId,
    /// What came of it.
    pub outcome: ResultOutcome,
    /// Who saw it.
    pub seen: Seen,
    /// The run that wrote this.
    pub run: RunId,
    /// When, for display.
    pub time: Timestamp,
}

/// What can come of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResultOutcome {
    /// It runs, and is well.
    Healthy,
    /// It was not well, and what ran before runs again.
    Restored,
    /// It is not well, nor is what ran before.
    Failed,
    /// Nobody can tell.
    Unknown,
    /// A newer one had come by then.
    Superseded,
}

/// Who saw what came of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Seen {
    /// The hosts say so themselves; nobody else vouches for it.
    Hosts(Vec<HostResult>),
    /// Argo CD says so.
    ArgoCd,
}

/// What one host says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostResult {
    /// The id of the SSM command; none where none was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The instance's id.
    pub id: String,
    /// What happened on it.
    pub outcome: HostOutcome,
    /// The digest that runs now, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<Digest>,
    /// The digest that ran before, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<Digest>,
}

/// What can happen on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostOutcome {
    /// The image was put there.
    Deployed,
    /// It ran there already.
    AlreadyRunning,
    /// It was not well, and what ran before runs again.
    Restored,
    /// It was not well, and what ran before could not be started again.
    RestoreFailed,
    /// A newer one runs there.
    Superseded,
    /// Something runs there that nobody deployed.
    OutOfBand,
    /// It was not its turn.
    NotAttempted,
    /// Nobody can tell.
    Unknown,
}

/// The second person's word on an emergency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// What the emergency was about.
    pub subject: Subject,
    /// The emergency's run.
    pub of: RunId,
    /// Who closes it.
    pub by: Actor,
    /// The run that wrote this.
    pub run: RunId,
    /// When, for display.
    pub time: Timestamp,
}
