use jiff::Timestamp;
use policy::{RuleId, RuleVerdict};
use release::{
    Actor, Artifact, Authority, BuildId, CommitId, Digest, Environment, ObjectId, Reference, Repository, RunId,
};
use serde::{Deserialize, Serialize};

// In this file and in `outcome.rs` a serialised struct's fields stand in the order of their names: a statement's keys
// are sorted, whatever features serde_json is built with.

/// One change of an environment for one app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// What the environment runs from now on.
    pub subject: Subject,
    /// What kind of change it is.
    pub kind: ActKind,
    /// The environment that the build was in before; none for the first environment.
    pub from: Option<Environment>,
    /// Who approved it.
    pub approvals: Approvals,
    /// The copy that brought the image here; none where it was there already.
    pub copy: Option<Copied>,
    /// What it was decided on.
    pub decided: Decided,
    /// The release that asked; none where there was none.
    pub release: Option<ReleaseStage>,
    /// Who asked.
    pub requester: Actor,
    /// What each rule said.
    pub rules: Vec<RuleVerdict>,
    /// The run that did it.
    pub run: RunId,
    /// When, for display: no rule trusts it.
    pub time: Timestamp,
}

/// What an entry is about: one build of an app, by its bytes, in one environment's registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The build and its digest.
    pub artifact: Artifact,
    /// The environment.
    pub environment: Environment,
    /// The environment's registry.
    pub registry: Authority,
    /// The app's repository in it.
    pub repository: Repository,
}

/// The kinds of acts, each with what only it says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ActKind {
    /// A newer build came from the environment before, or into the first one.
    Promote {
        /// Why a build that was in quarantine may come back.
        lifts: Option<String>,
    },
    /// A person asked the release server for an older build again.
    Redeploy {
        /// What ran before.
        replaces: Replaced,
    },
    /// The environment went back to a build that it ran before.
    Rollback {
        /// What ran before.
        replaces: Replaced,
    },
    /// As a rollback, with waivable rules waived. Open until a second person closes it.
    Emergency {
        /// What ran before.
        replaces: Replaced,
        /// The incident's id.
        incident: String,
        /// Why it could not wait.
        reason: String,
        /// The rules that did not hold.
        waived: Vec<RuleId>,
    },
    /// What ran on the first day was put on record.
    Adopt,
}

impl ActKind {
    /// What the act put aside, where its kind says so.
    #[must_use]
    pub fn replaces(&self) -> Option<&Replaced> {
        match self {
            Self::Redeploy { replaces } | Self::Rollback { replaces } | Self::Emergency { replaces, .. } => {
                Some(replaces)
            }
            Self::Promote { .. } | Self::Adopt => None,
        }
    }
}

/// A build that an act put aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// The build.
    pub build: BuildId,
    /// Its digest.
    pub digest: Digest,
}

/// Who approved an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approvals {
    /// These did; nobody, where nobody needed to.
    Given(Vec<Approval>),
    /// A rollback's: those who approved the earlier act that it goes back to.
    TargetsOwn,
}

/// One approval that counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who gave it.
    pub approver: Actor,
    /// When, by the server's clock.
    pub at: Timestamp,
    /// The group that had been asked, by its GUID; none where the person had been.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The approval's id on the server.
    pub id: u64,
}

/// How the image came into the target's registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// Whether anything had to be copied.
    pub outcome: CopyOutcome,
    /// What the target's tag held afterwards, by its bytes.
    pub read_back: Digest,
    /// Where it came from, by digest.
    pub source: Reference,
}

/// What a copy came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CopyOutcome {
    /// The image was copied.
    Copied,
    /// It was there already.
    AlreadyPresent,
}

/// What an act was decided on. An entry cannot name its own commit; it names the one that it was decided at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// The Ledger's head.
    pub commit: CommitId,
    /// The blob of conveyor.yaml.
    pub config: ObjectId,
    /// The value in the manifest, empty where it had none; none where the app has no manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// The tree of the rules' folder; none where there are no rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<ObjectId>,
}

/// An attempt of a stage of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseStage {
    /// The attempt, from 1.
    pub attempt: u32,
    /// The release definition.
    pub definition: u64,
    /// The release.
    pub id: u64,
    /// The stage's id in the definition.
    pub stage: u64,
}

// The form `"approvals":"target's own"` next to an array is flow's, so both sides are written by hand.
const TARGETS_OWN: &str = "target's own";

impl Serialize for Approvals {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Given(approvals) => approvals.serialize(serializer),
            Self::TargetsOwn => serializer.serialize_str(TARGETS_OWN),
        }
    }
}

impl<'de> Deserialize<'de> for Approvals {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "approvals: an array, or \"target's own\"")]
        enum Either {
            Given(Vec<Approval>),
            Said(String),
        }
        match Either::deserialize(deserializer)? {
            Either::Given(approvals) => Ok(Self::Given(approvals)),
            Either::Said(said) if said == TARGETS_OWN => Ok(Self::TargetsOwn),
            Either::Said(_) => Err(serde::de::Error::custom("approvals: an array, or \"target's own\"")),
        }
    }
}
