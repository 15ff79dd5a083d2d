use std::time::Duration;

/// What conveyor.yaml says about one app in one environment: the safety rules' parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// The build definition that the app's images come from.
    pub build_definition: Option<u64>,
    /// The branches whose builds may be moved, in full.
    pub branches: Vec<String>,
    /// The release definition that may ask.
    pub release_definition: Option<u64>,
    /// The name of the release's stage for this environment.
    pub stage: Option<String>,
    /// Whether the source environment has a stage of its own, which must have succeeded before anybody approves.
    pub source_has_stage: bool,
    /// Who must approve.
    pub approval: ApprovalParameters,
    /// Whether the registry may be one that cannot promise immutable tags (`mutable_tags: detect-only`).
    pub mutable_tags_accepted: bool,
}

/// What conveyor.yaml asks of approvals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalParameters {
    /// How many different people.
    pub required: u32,
    /// The group that must have been asked, by its GUID in lower case. Without one no approval counts.
    pub group: Option<String>,
    /// How old an approval may be.
    pub max_age: Duration,
}
