use std::{io, path::PathBuf};

use aws::AwsError;
use azure_devops::{AzureError, git::GitError};
use ledger::{LedgerError, RepoPath, RevertError};
use record::{DigestConflict, EntryError, RecordError};
use registry_copy::{CopyError, LayoutError, RegistryError};
use release::{App, Authority, BuildId, Digest, Environment, ParseError, Reference};

use crate::{HelperError, config::ConfigError, ecr};

/// Why a sequence could not come to an outcome.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// conveyor.yaml is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The Ledger has no conveyor.yaml.
    #[error("the Ledger has no conveyor.yaml at its root: name the right repository with --ledger, or add the file")]
    NoConfig,
    /// conveyor.yaml is another Ledger's.
    #[error(
        "conveyor.yaml says that its Ledger is {said}, but {named} was named: correct --ledger, --branch or the file"
    )]
    OtherLedger {
        /// What the file says.
        said: String,
        /// What was named.
        named: String,
    },
    /// An app that conveyor.yaml does not name.
    #[error("there is no app {app} in conveyor.yaml; it has {known}")]
    UnknownApp {
        /// The app.
        app: App,
        /// Those that it names.
        known: String,
    },
    /// An environment that conveyor.yaml does not name.
    #[error("there is no environment {environment} in conveyor.yaml; it has {known}")]
    UnknownEnvironment {
        /// The environment.
        environment: Environment,
        /// Those that it names.
        known: String,
    },
    /// One app was asked for twice.
    #[error("{app} is named twice: name each app once")]
    AppTwice {
        /// The app.
        app: App,
    },
    /// The app has no manifest in the Ledger.
    #[error("{app} does not live in the Ledger: conveyor.yaml gives it no `ledger`")]
    NotInLedger {
        /// The app.
        app: App,
    },
    /// Copying into the first environment means publishing.
    #[error("{environment} promotes from nowhere: publish what CI built with --from oci:DIRECTORY")]
    NothingBefore {
        /// The environment.
        environment: Environment,
    },
    /// Publishing into an environment that promotes from another.
    #[error("{environment} promotes from {source_environment}: only the first environment is published to")]
    NotFirst {
        /// The environment.
        environment: Environment,
        /// The one before it.
        source_environment: Environment,
    },
    /// The manifest is not in the Ledger.
    #[error("the Ledger has no {path}: add the app's manifest first")]
    NoManifest {
        /// Its path.
        path: RepoPath,
    },
    /// A record file that cannot be trusted.
    #[error("{path} is not a record file")]
    Record {
        /// Its path.
        path: RepoPath,
        /// What is wrong.
        source: RecordError,
    },
    /// No Ledger was named.
    #[error("no Ledger is named: add --ledger URL, or off an agent set CONVEYOR_LEDGER")]
    NoLedger,
    /// A local conveyor.yaml for something that acts.
    #[error("a local conveyor.yaml decides nothing: use --config with --dry-run")]
    LocalConfig,
    /// A local conveyor.yaml that names a server which the Ledger's own does not.
    #[error(
        "the local conveyor.yaml names {server}, which the Ledger's own does not: credentials go only where the Ledger says"
    )]
    UnreviewedServer {
        /// The server.
        server: String,
    },
    /// A raw copy into a registry that conveyor.yaml names.
    #[error(
        "{destination} is in the registry of {environment}: copy with APP=BUILD --to {environment}, so that policy is asked"
    )]
    GuardedRegistry {
        /// Where it was to go.
        destination: Reference,
        /// Whose registry that is.
        environment: Environment,
    },
    /// A raw copy into an ECR without a Ledger to ask.
    #[error(
        "{destination} may be in an environment's registry: name the Ledger with --ledger so that this can be told"
    )]
    UnknownEcr {
        /// Where it was to go.
        destination: Reference,
    },
    /// A raw update of a Ledger.
    #[error("this repository is a Ledger (it holds a conveyor.yaml): use APP=BUILD --env ENV, so that policy is asked")]
    GuardedLedger,
    /// No destination.
    #[error("it is not said where {what:?} goes: write the reference to copy to after it, or APP=BUILD --to ENV")]
    NoDestination {
        /// What was to be copied.
        what: String,
    },
    /// A destination without a tag.
    #[error("{destination} has no tag to copy to: write REGISTRY/REPOSITORY:TAG")]
    NoTag {
        /// The destination.
        destination: Reference,
    },
    /// A source that is not there.
    #[error("{reference} is not there: correct the reference")]
    NoSource {
        /// The source.
        reference: Reference,
    },
    /// A word that is none.
    #[error(transparent)]
    Word(#[from] ParseError),
    /// An argument that is none.
    #[error("{argument:?} is not right: {rule}")]
    Argument {
        /// The argument.
        argument: String,
        /// What it must be.
        rule: String,
    },
    /// A digest that is to be expected of several builds.
    #[error("--expect-digest is for one build: promote them one by one")]
    SeveralExpected,
    /// Something of the process's environment that is not what it must be.
    #[error("{variable} is {value:?}: it must be {rule}")]
    Variable {
        /// The variable.
        variable: &'static str,
        /// What it holds.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
    /// A local file that cannot be read.
    #[error("{} cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A local file that cannot be written.
    #[error("{} could not be written", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The runtime could not be started.
    #[error("the process cannot be set up")]
    Setup(#[source] io::Error),
    /// Credentials that cannot be read.
    #[error("the credentials in {path} cannot be read: {what}")]
    Credentials {
        /// The file or variable.
        path: String,
        /// Why.
        what: String,
    },
    /// A credential helper that gives no answer.
    #[error("docker-credential-{helper} gives no credentials for {registry}")]
    Helper {
        /// Whose credentials it keeps.
        registry: Authority,
        /// Its name, as the docker configuration has it.
        helper: String,
        /// Why.
        source: HelperError,
    },
    /// An ECR that cannot be opened.
    #[error("{registry} cannot be opened")]
    Aws {
        /// Its host.
        registry: Authority,
        /// Why.
        source: AwsError,
    },
    /// An entry that no record file can hold.
    #[error("the record of this act cannot be written")]
    Entry(#[from] EntryError),
    /// One build with two digests on record.
    #[error("the record contradicts itself")]
    Conflict(#[from] DigestConflict),
    /// The digest on record is not the one that was expected or that the registry holds.
    #[error("{app} {build} is {found} in {place}, but {expected} was expected: nothing was moved")]
    OtherDigest {
        /// The app.
        app: App,
        /// The build.
        build: BuildId,
        /// Where the digest was found.
        place: String,
        /// What it should be.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
    /// A digest that was written with a reference is not that of what would be copied.
    #[error("{reference} is {found}, but {written} was written: nothing was copied")]
    OtherThanWritten {
        /// What would be copied.
        reference: Reference,
        /// The digest that was written.
        written: Digest,
        /// The digest that was found.
        found: Digest,
    },
    /// Time ran out.
    #[error("it was not done by the deadline: run it again, or give it longer with --timeout")]
    Deadline,
    /// A permit that is not for what is about to be done, or not any more.
    #[error("the permit expired before the step began: run it again")]
    PermitExpired,
    /// A permit for something else. A defect of Conveyor.
    #[error("the permit is not for this step: report it")]
    WrongPermit,
    /// A registry failed.
    #[error("the registry of {environment} failed")]
    Registry {
        /// Whose registry.
        environment: Environment,
        /// How.
        source: RegistryError,
    },
    /// A registry that is named by itself failed.
    #[error("the registry {registry} failed")]
    RawRegistry {
        /// Which.
        registry: String,
        /// How.
        source: RegistryError,
    },
    /// The published layout is not one.
    #[error("the OCI layout cannot be published")]
    Layout(#[from] LayoutError),
    /// A copy failed.
    #[error("{what} was not copied")]
    Copy {
        /// What.
        what: String,
        /// How.
        source: CopyError,
    },
    /// The Ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A commit that cannot be taken back.
    #[error(transparent)]
    Revert(RevertError),
    /// Azure DevOps cannot be asked.
    #[error("Azure DevOps cannot be asked")]
    Azure(#[from] AzureError),
}

impl From<RevertError> for Error {
    /// What the Ledger failed at is no matter of the commit.
    fn from(error: RevertError) -> Self {
        match error {
            RevertError::Ledger { source } => Self::Ledger(source),
            error => Self::Revert(error),
        }
    }
}

/// What kind of failure an error is: what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing that fits the others.
    Failed,
    /// Something that was written wrong: correct it.
    Usage,
    /// A fault that passes: run it again.
    Temporary,
    /// Bytes that do not match their digest: look closely.
    Integrity,
}

impl Error {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        let registry = |retryable: bool, integrity: bool| match (integrity, retryable) {
            (true, _) => Kind::Integrity,
            (_, true) => Kind::Temporary,
            _ => Kind::Failed,
        };
        match self {
            Self::Config(_)
            | Self::NoConfig
            | Self::OtherLedger { .. }
            | Self::UnknownApp { .. }
            | Self::UnknownEnvironment { .. }
            | Self::AppTwice { .. }
            | Self::NotInLedger { .. }
            | Self::NothingBefore { .. }
            | Self::NotFirst { .. }
            | Self::NoManifest { .. }
            | Self::Layout(_)
            | Self::NoLedger
            | Self::LocalConfig
            | Self::UnreviewedServer { .. }
            | Self::GuardedRegistry { .. }
            | Self::UnknownEcr { .. }
            | Self::GuardedLedger
            | Self::NoDestination { .. }
            | Self::NoTag { .. }
            | Self::NoSource { .. }
            | Self::Word(_)
            | Self::Argument { .. }
            | Self::SeveralExpected
            | Self::Variable { .. }
            | Self::File { .. }
            | Self::Credentials { .. }
            | Self::Aws { .. } => Kind::Usage,
            Self::Helper { source: HelperError::TimedOut, .. } => Kind::Temporary,
            Self::Helper { .. } => Kind::Usage,
            Self::Record { .. } | Self::Entry(_) | Self::WrongPermit | Self::Unwritable { .. } | Self::Setup(_) => {
                Kind::Failed
            }
            Self::OtherDigest { .. } | Self::OtherThanWritten { .. } | Self::Conflict(_) => Kind::Integrity,
            Self::PermitExpired | Self::Deadline => Kind::Temporary,
            // Run again it would be the same: either the credentials or what conveyor.yaml says must be corrected.
            Self::Registry { .. } | Self::RawRegistry { .. } | Self::Copy { .. } if ecr::is_wrong_account(self) => {
                Kind::Usage
            }
            Self::Registry { source, .. } | Self::RawRegistry { source, .. } => {
                registry(source.is_retryable(), source.is_integrity())
            }
            Self::Copy { source, .. } => registry(source.is_retryable(), source.is_integrity()),
            Self::Ledger(
                LedgerError::Edit { .. }
                | LedgerError::NoFile { .. }
                | LedgerError::Signer { .. }
                | LedgerError::Touched { .. },
            ) => Kind::Usage,
            Self::Ledger(LedgerError::Backend { source, .. })
                if matches!(source.downcast_ref(), Some(GitError::Address { .. })) =>
            {
                Kind::Usage
            }
            Self::Revert(_) => Kind::Usage,
            Self::Ledger(source) => registry(source.is_retryable(), false),
            Self::Azure(source) => registry(source.is_retryable(), false),
        }
    }

    /// Whether running it again may help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.kind() == Kind::Temporary
    }
}

/// An error and its sources on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
