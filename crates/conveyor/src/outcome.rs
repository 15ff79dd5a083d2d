use ledger::{PullRequest, Refusal};
use policy::{RuleVerdict, Violation};
use release::{App, Digest, Reference};

/// How a sequence ended without an error. A refusal and a lost race are outcomes. Exhaustive on purpose: who calls must
/// say what each means.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The images are in the target's registry; at least one had to be copied.
    Copied,
    /// The images were there already.
    AlreadyPresent,
    /// The Ledger asks for the builds, and the cluster follows by itself.
    Updated,
    /// The Ledger asks for the builds; nothing runs until a person presses Sync.
    AwaitingSync,
    /// The Ledger asked for the builds already, and they are on record.
    Unchanged,
    /// A dry run: this would be done.
    Planned,
    /// Every rule holds (`check-policy`).
    Allowed,
    /// Policy forbids it.
    Denied(Vec<Denied>),
    /// The tag is held by another digest; it was not touched.
    TagHeld {
        /// The tag, as a reference.
        place: Reference,
        /// The digest that holds it.
        by: Digest,
        /// The digest that was to be put there.
        wanted: Digest,
    },
    /// The place holds a newer build, or something that is no build.
    Superseded {
        /// Whose place; none in a raw change.
        app: Option<App>,
        /// The raw edit that was not made; none in a promotion.
        edit: Option<Box<ledger::Edit>>,
        /// What it holds.
        found: String,
        /// What was to be written.
        wanted: String,
    },
    /// What the decision read kept changing until the deadline.
    ReadsMoved {
        /// The path that moved last.
        path: String,
    },
    /// Others kept winning the race for the branch until the deadline.
    NeverWon {
        /// How many pushes were tried.
        attempts: u32,
    },
    /// The Ledger's branch takes changes through pull requests only, and this one is open: the Ledger asks for the builds
    /// once people have completed it.
    PullRequest(PullRequest),
    /// The Ledger's server does not want the commit.
    Refused(Refusal),
}

/// Why one app may not move.
#[derive(Debug, Clone)]
pub struct Denied {
    /// The app.
    pub app: App,
    /// What forbids it.
    pub violations: Vec<Violation>,
    /// Every rule and what it said.
    pub verdicts: Vec<RuleVerdict>,
}

impl Denied {
    /// Whether only servers that did not answer forbid it, so that running it again may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.violations.iter().all(|violation| violation.transient)
    }
}
