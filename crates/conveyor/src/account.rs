use std::collections::BTreeMap;

use policy::RuleVerdict;
use registry_copy::{ToMove, Transfer};
use release::{App, Authority, BuildId, CommitId, Digest, Environment, Reference};

/// What happened so far. A sequence fills it as it goes, so that it is true after a failure too.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// Where people get help, once conveyor.yaml is read.
    pub support: Option<String>,
    /// The environment that was to change.
    pub environment: Option<Environment>,
    /// Each app, by name.
    pub apps: BTreeMap<App, AppAccount>,
    /// A copy between two references.
    pub copy: Option<CopyAccount>,
    /// What a dry run would write to the Ledger.
    pub planned: Vec<ChangeAccount>,
    /// The difference that a dry run would make in the Ledger's files, as `diff -u` writes it.
    pub diff: Option<String>,
    /// What was written to the Ledger.
    pub ledger: Option<LedgerAccount>,
    /// How many pushes were tried, whatever became of them.
    pub pushes: u32,
    /// Whether the branch takes changes through pull requests only, and the Ledger's server can be asked for one.
    pub proposable: bool,
    /// Whether the push was refused and a pull request was asked for, and the server has none that can be opened.
    pub cannot_propose: bool,
    /// Which of the stages were reached.
    pub happened: Happened,
    /// What deserves a look but stopped nothing.
    pub warnings: Vec<String>,
    /// Whether a registry did not answer that was only asked in order to tell.
    pub(crate) unseen: bool,
}

impl Account {
    /// Warns of what stays behind: what the source lists and does not have, such as a signature that was deleted, what
    /// its licence keeps where it is, and what may refer to the image where the source cannot tell.
    pub(crate) fn warn_of_what_stays(&mut self, copy: &CopyAccount) {
        let (foreign, dangling, referrers_unknown): (&[Digest], &[Digest], _) = match &copy.moved {
            Moved::Done(transfer) => (&transfer.foreign, &transfer.dangling, transfer.referrers_unknown),
            Moved::Planned(to_move) => (&to_move.foreign, &[], to_move.referrers_unknown),
        };
        let source = &copy.source;
        if referrers_unknown {
            self.warn(format!(
                "{source}: its registry has no referrers API, and tags that list referrers are not trusted under a \
                 policy, so signatures and SBOMs, if there are any, were left out"
            ));
        }
        if !dangling.is_empty() {
            let gone = list(dangling);
            self.warn(format!("{source}: referrers are listed there and gone, so they were left out: {gone}"));
        }
        if !foreign.is_empty() {
            let layers = list(foreign);
            self.warn(format!("{source}: non-distributable layers stay where they are: {layers}"));
        }
    }

    /// Adds a warning, once.
    pub fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

/// Which of the stages of a promotion were reached. `None`: it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Happened {
    /// Every image is in the target's registry: its tag was read there.
    pub copied: bool,
    /// The Ledger asks for the builds. Not known while a push has no answer.
    pub ledger: Option<bool>,
    /// The cluster has applied it.
    pub synced: Option<bool>,
    /// The cluster reports it healthy.
    pub healthy: Option<bool>,
}

impl Default for Happened {
    /// Nothing was done, and nobody looked at the cluster.
    fn default() -> Self {
        Self { copied: false, ledger: Some(false), synced: None, healthy: None }
    }
}

/// One app's part.
#[derive(Debug, Clone)]
pub struct AppAccount {
    /// The build that was asked for.
    pub build: BuildId,
    /// Its digest, once known.
    pub digest: Option<Digest>,
    /// What the Ledger asks for now, as last read or written.
    pub running: Option<String>,
    /// The copy.
    pub copy: Option<CopyAccount>,
    /// Each rule and what it said, from the last decision.
    pub verdicts: Vec<RuleVerdict>,
    /// Who approved, from the last decision.
    pub approvers: Vec<String>,
}

/// A copy: finished, or planned by a dry run.
#[derive(Debug, Clone)]
pub struct CopyAccount {
    /// From where.
    pub source: String,
    /// The registry of that, where it is one.
    pub source_registry: Option<Authority>,
    /// To where.
    pub destination: Reference,
    /// What the destination's tag names, or would.
    pub digest: Digest,
    /// Whether the tag named it before.
    pub already_present: bool,
    /// What moved, or would.
    pub moved: Moved,
}

/// What a copy moves.
#[derive(Debug, Clone)]
pub enum Moved {
    /// It moved this.
    Done(Transfer),
    /// A dry run: it would move this.
    Planned(ToMove),
}

/// A commit in the Ledger.
#[derive(Debug, Clone)]
pub struct LedgerAccount {
    /// The commit.
    pub commit: CommitId,
    /// The commit that it was decided on.
    pub parent: CommitId,
    /// Each scalar that changed.
    pub changes: Vec<ChangeAccount>,
}

/// One scalar that changed.
#[derive(Debug, Clone)]
pub struct ChangeAccount {
    /// The app; none in a raw change.
    pub app: Option<App>,
    /// The manifest.
    pub file: String,
    /// The scalar's place.
    pub key: String,
    /// What it held.
    pub from: String,
    /// What it holds.
    pub to: String,
}

impl ChangeAccount {
    pub(crate) fn new(app: Option<App>, applied: &ledger::AppliedEdit) -> Self {
        Self {
            app,
            file: applied.file.to_string(),
            key: applied.key.to_string(),
            from: applied.from.to_string(),
            to: applied.to.to_string(),
        }
    }
}

fn list(digests: &[Digest]) -> String {
    digests.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
