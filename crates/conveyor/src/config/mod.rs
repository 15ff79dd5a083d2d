//! conveyor.yaml: read from the Ledger's head, checked once, then data.

mod aws;
mod check;
mod conflicts;
mod error;
mod raw;
mod unreadable;

use std::{collections::BTreeMap, time::Duration};

use ::aws::{AccountId, Endpoints, Region, RoleArn};
use guarded_http::Origin;
use ledger::{Branch, Document, KeyPath, LedgerUrl, RepoPath};
use policy::RuleId;
use release::{App, Authority, Environment, Repository};
use url::Url;

pub use error::ConfigError;
pub use raw::Sync;

/// The file's name at the Ledger's root.
pub const FILE: &str = "conveyor.yaml";

/// What conveyor.yaml says, with every reference in it resolved: a stage names its source, an app's environments
/// exist, an approval that is asked for can be given.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where people get help.
    pub support: String,
    /// The repository that this file must be in.
    pub ledger: LedgerPlace,
    /// Whose builds and approvals count.
    pub azure_devops: Option<AzureDevOps>,
    /// The environments by name.
    pub environments: BTreeMap<Environment, EnvironmentConfig>,
    /// The apps by name.
    pub apps: BTreeMap<App, AppConfig>,
    /// Rules beyond the safety rules.
    pub policy: PolicyConfig,
    /// Keys that this version does not know, as paths: shown as warnings.
    pub unknown_keys: Vec<String>,
}

/// A repository and a branch of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerPlace {
    /// The repository's URL.
    pub url: LedgerUrl,
    /// The branch.
    pub branch: Branch,
}

/// An Azure DevOps project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AzureDevOps {
    /// The organisation.
    pub organization: String,
    /// The project.
    pub project: String,
    /// Another server than dev.azure.com.
    pub url: Option<Url>,
}

/// One environment.
#[derive(Debug, Clone)]
pub struct EnvironmentConfig {
    /// Its name.
    pub name: Environment,
    /// The environment before it; none for the first.
    pub promotes_from: Option<Environment>,
    /// Its registry.
    pub registry: Authority,
    /// The account whose ECR that is; none where it is another registry.
    pub aws: Option<Aws>,
    /// Servers beside the registry that may be sent its credentials, to give a token for them.
    pub token_hosts: Vec<Origin>,
    /// Whether a registry that cannot promise immutable tags is accepted.
    pub mutable_tags_accepted: bool,
    /// Whether the cluster follows by itself.
    pub sync: Sync,
    /// The release's stage for it.
    pub stage: Option<String>,
    /// Who must approve.
    pub approval: policy::ApprovalParameters,
}

/// The AWS account whose ECR an environment's registry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aws {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// The role that is assumed to change something, one of the account; none: the credentials are the account's own.
    pub role: Option<RoleArn>,
    /// The role that is assumed to read from here, one of the account; none: whoever reads does so under its own.
    pub pull_role: Option<RoleArn>,
    /// Other servers than AWS's own.
    pub endpoints: Endpoints,
}

/// One app.
#[derive(Debug, Clone)]
pub struct AppConfig {
    /// Its name.
    pub name: App,
    /// The image's repository in every registry.
    pub repository: Repository,
    /// The build definition that its images come from.
    pub build_definition: Option<u64>,
    /// The release definition that may ask.
    pub release_definition: Option<u64>,
    /// The branches whose builds are moved.
    pub branches: Vec<String>,
    /// Where the Ledger holds its tag; none for an app that does not live in the cluster.
    pub place: Option<Place>,
}

/// Where the Ledger holds an app's tag.
#[derive(Debug, Clone)]
pub struct Place {
    manifests: BTreeMap<Environment, RepoPath>,
    /// Which of the manifest's documents it is in; without it, exactly one must have the key.
    pub document: Option<Document>,
    /// The scalar's place in the manifest.
    pub key: KeyPath,
}

/// Rules beyond the safety rules.
#[derive(Debug, Clone)]
pub struct PolicyConfig {
    /// The folder of rules.
    pub rules: RepoPath,
    /// Whether the file names that folder: then it must be there. Else it is the usual one, which may be absent.
    pub explicit: bool,
    /// Rules that must be among those evaluated.
    pub require: Vec<RuleId>,
}

impl Config {
    /// Reads and checks a conveyor.yaml.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line, a picture of it and what to write instead.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigError> {
        check::parse(bytes)
    }

    /// The JSON Schema of the file, for editors.
    #[must_use]
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(raw::Raw)
    }
}

impl Place {
    /// The app's manifest in an environment.
    #[must_use]
    pub fn manifest(&self, environment: &Environment) -> Option<&RepoPath> {
        self.manifests.get(environment)
    }
}

/// How old an approval may be where the file does not say.
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);
