use jiff::Timestamp;
use release::{Actor, BuildId, CommitId, Digest, ObjectId};

/// Something that a decision rests on. There is no default, and a missing fact is no fact: each rule that needs it
/// denies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact<T> {
    /// Somebody who knows was asked and answered.
    Known(T),
    /// It is not known.
    Missing {
        /// Why, for a person to read.
        why: String,
        /// What somebody can do about it, likewise.
        remedy: String,
        /// Whether only the way to the one who knows failed (no answer, 5xx, 429), so that asking again may help.
        transient: bool,
    },
}

impl<T> Fact<T> {
    /// A fact that asking again will not bring, unless somebody does something.
    pub fn missing(why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Missing { why: why.into(), remedy: remedy.into(), transient: false }
    }

    /// A fact that asking again may bring.
    pub fn unanswered(why: impl Into<String>) -> Self {
        Self::Missing { why: why.into(), remedy: "run it again".to_owned(), transient: true }
    }

    /// What `change` makes of a known fact.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Fact<U> {
        self.and_then(|known| Fact::Known(change(known)))
    }

    /// What `next` makes of a known fact, which may be a missing one.
    pub fn and_then<U>(self, next: impl FnOnce(T) -> Fact<U>) -> Fact<U> {
        match self {
            Self::Known(known) => next(known),
            Self::Missing { why, remedy, transient } => Fact::Missing { why, remedy, transient },
        }
    }
}

/// All that the rules may look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// CI's account of the build.
    pub build: Fact<Build>,
    /// Where the digest comes from.
    pub source: Fact<Source>,
    /// What the target's tag holds.
    pub target: Fact<Target>,
    /// Whether the target's tag can move once written.
    pub tag_rule: Fact<TagRule>,
    /// The release that asks, and who approved it.
    pub release: Fact<Release>,
    /// Where configuration and rules were read.
    pub rules_from: Fact<RulesFrom>,
}

/// A build, as the CI server has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Its id.
    pub id: BuildId,
    /// The definition that it is a run of.
    pub definition: u64,
    /// The branch that it built, in full: `refs/heads/main`.
    pub branch: String,
    /// How far it is.
    pub status: BuildStatus,
    /// Who asked for it. Empty means that it is not known.
    pub requesters: Vec<Actor>,
}

/// How far a build is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildStatus {
    /// It runs.
    InProgress,
    /// It ended well.
    Succeeded,
    /// It ended otherwise, or was never started.
    Other,
}

/// Where a request's digest comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The environment before has this build on record with `recorded`, and its tag resolves, by its bytes, to `tag`.
    Record {
        /// The digest of the newest act for the build, where it may be promoted from.
        recorded: Option<Digest>,
        /// What the tag in that environment's registry holds now.
        tag: Option<Digest>,
    },
    /// The first environment's own registry: the digest that the tag holds, by its bytes.
    Registry {
        /// What the tag holds.
        tag: Option<Digest>,
    },
    /// What CI has just built, computed from its bytes.
    Built {
        /// The digest of the layout's image.
        digest: Digest,
    },
}

/// What the target's tag holds, by its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Nothing.
    Absent,
    /// This digest.
    Holds(Digest),
}

/// What the target's registry promises about the tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagRule {
    /// It refuses to move it.
    Immutable,
    /// It would move it.
    Mutable,
    /// It does not say.
    Unknown,
}

/// A release and the stage of it that is for the target environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its id.
    pub id: u64,
    /// The definition that it is a release of.
    pub definition: u64,
    /// The build that its artifact names.
    pub build: Option<BuildId>,
    /// The build definition of that artifact.
    pub build_definition: Option<u64>,
    /// Who created it, asked for it, asked for the deployment. Empty means that it is not known.
    pub requesters: Vec<Actor>,
    /// The stage for the target environment.
    pub stage: Stage,
    /// When the stage for the source environment last succeeded in this release, where there is such a stage.
    pub source_succeeded_at: Option<Timestamp>,
    /// The server's clock when it answered.
    pub as_of: Timestamp,
}

/// A release's stage, its attempt in progress and that stage's approvals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The stage's id in the release definition.
    pub definition: u64,
    /// Its name.
    pub name: String,
    /// The attempt in progress; none where the stage is not being deployed.
    pub attempt: Option<u32>,
    /// When that attempt was queued.
    pub attempt_queued_at: Option<Timestamp>,
    /// Whether the server lets who created the release approve it.
    pub creator_can_approve: bool,
    /// All approvals of this stage, of every attempt and status.
    pub approvals: Vec<Approval>,
}

/// One approval, given or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Its id.
    pub id: u64,
    /// Who was asked: a person's or a group's GUID, in lower case.
    pub asked: String,
    /// Who approved.
    pub approver: Option<Actor>,
    /// Whether it stands as approved: neither pending, rejected, skipped nor reassigned.
    pub approved: bool,
    /// Whether the server approved it by itself.
    pub automated: bool,
    /// The attempt that it is for.
    pub attempt: u32,
    /// When it was given.
    pub given_at: Option<Timestamp>,
}

/// Where configuration and rules were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesFrom {
    /// The Ledger's commit.
    pub commit: CommitId,
    /// The blob of conveyor.yaml.
    pub config: ObjectId,
    /// The tree of the rules' folder; none where it is absent or empty.
    pub rules: Option<ObjectId>,
}
