use release::{Actor, Artifact, Environment};

/// What somebody wants to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What for.
    pub intent: Intent,
    /// Which of the intent's steps: a permit is for one.
    pub step: Step,
    /// What is moved, pinned.
    pub artifact: Artifact,
    /// The environment that the build was in before; none for the first environment.
    pub from: Option<Environment>,
    /// The environment that changes.
    pub to: Environment,
}

/// Why something moves.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Intent {
    /// CI puts what it just built into the first environment's registry.
    Publish,
    /// A newer build goes to the next environment.
    Promote,
    /// The server says that a person asked for an older build again.
    Redeploy,
    /// An environment goes back to a build that it ran before.
    Rollback,
    /// As a rollback, with the waivable rules waived.
    Emergency {
        /// The incident's id.
        incident: String,
        /// Why it cannot wait.
        reason: String,
        /// Who says so.
        by: Actor,
    },
}

/// The two steps that need a permit. Copying harms nothing by itself, so it asks for less of the target's tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Copy the image into the target's registry: its tag may still be absent.
    Copy,
    /// Change the environment: its tag must hold the digest by now.
    Change,
}
