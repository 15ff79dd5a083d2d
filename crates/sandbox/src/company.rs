use azure_devops::model::{Build, BuildStatus, Release, Stage};
use release::{Actor, BuildId};

/// The environments, in the order of promotion.
pub const ENVIRONMENTS: [&str; 3] = ["dev", "qa", "prod-wealth"];

/// The group that must approve what goes to production, by its GUID.
pub const APPROVERS: &str = "6f1c2b9e-7a54-4d0b-9c3f-2f8e5d1a7b60";

/// The Azure DevOps organisation.
pub const ORGANIZATION: &str = "acme";

/// The project in it.
pub const PROJECT: &str = "forge";

/// The services that the company runs.
pub const APPS: [ForgeApp; 2] = [
    ForgeApp {
        name: "payments-api",
        repository: "forge/payments-api",
        build_definition: 57,
        release_definition: 12,
        port: 8080,
    },
    ForgeApp {
        name: "orders-api",
        repository: "forge/orders-api",
        build_definition: 58,
        release_definition: 13,
        port: 8081,
    },
];

/// A service as conveyor.yaml has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForgeApp {
    /// Its name.
    pub name: &'static str,
    /// Its images' repository in every registry.
    pub repository: &'static str,
    /// Its build definition.
    pub build_definition: u64,
    /// Its release definition.
    pub release_definition: u64,
    pub(crate) port: u16,
}

impl ForgeApp {
    /// A build of main that is in progress.
    #[must_use]
    pub fn build(&self, id: BuildId, by: &Actor) -> Build {
        Build {
            id,
            definition: self.build_definition,
            branch: "refs/heads/main".to_owned(),
            status: BuildStatus::InProgress,
            requesters: vec![by.clone()],
        }
    }

    /// A release of a build, with stages for QA and production in which nothing has happened yet.
    #[must_use]
    pub fn release(&self, id: u64, build: BuildId, by: &Actor) -> Release {
        let stage = |number: u64, name: &str| Stage {
            id: id * 10 + number,
            definition: number,
            name: name.to_owned(),
            creator_can_approve: false,
            attempts: Vec::new(),
            approvals: Vec::new(),
        };
        Release {
            id,
            definition: self.release_definition,
            build: Some(build),
            build_definition: Some(self.build_definition),
            created_by: by.clone(),
            created_for: by.clone(),
            stages: vec![stage(1, "QA"), stage(2, "Prod-Wealth")],
        }
    }
}
