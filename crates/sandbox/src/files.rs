//! The Ledger's files as it begins.

use crate::company::{APPROVERS, APPS, ENVIRONMENTS, ForgeApp, ORGANIZATION, PROJECT};

/// Paths and texts: conveyor.yaml, and each app's values in each environment.
pub(crate) fn all(ledger: &str, azure: &str, registries: &[String; 3]) -> Vec<(String, String)> {
    let values = APPS.iter().flat_map(|app| {
        ENVIRONMENTS.iter().zip(registries).map(move |(environment, registry)| {
            (format!("apps/{}/{environment}/values.yaml", app.name), values(app, environment, registry))
        })
    });
    std::iter::once(("conveyor.yaml".to_owned(), conveyor(ledger, azure, registries))).chain(values).collect()
}

fn conveyor(ledger: &str, azure: &str, [dev, qa, prod]: &[String; 3]) -> String {
    let apps: String = APPS.iter().map(app).collect();
    format!(
        r##"# How images reach Forge's environments. Reviewed like code: who may release is decided here.
version: 1
support: "#platform-support"
ledger: {{ url: "{ledger}", branch: main }}
azure_devops: {{ organization: {ORGANIZATION}, project: {PROJECT}, url: "{azure}" }}
environments:
  dev:
    registry: {{ url: "http://{dev}", mutable_tags: detect-only }}
    sync: auto
  qa:
    promotes_from: dev
    registry: {{ url: "http://{qa}", mutable_tags: detect-only }}
    sync: auto
    stage: QA
    approval: {{ required: 0 }}
  prod-wealth:
    promotes_from: qa
    registry: {{ url: "http://{prod}", mutable_tags: detect-only }}
    sync: manual
    stage: Prod-Wealth
    approval: {{ required: 1, group: "{APPROVERS}", max_age: 24h }}
apps:
{apps}"##
    )
}

fn app(app: &ForgeApp) -> String {
    let ForgeApp { name, repository, build_definition, release_definition, .. } = app;
    format!(
        r#"  {name}:
    repository: {repository}
    build_definition: {build_definition}
    release_definition: {release_definition}
    branches: [refs/heads/main]
    ledger: {{ manifest: "apps/{name}/{{env}}/values.yaml", key: image.tag }}
"#
    )
}

fn values(app: &ForgeApp, environment: &str, registry: &str) -> String {
    let replicas = if environment == "prod-wealth" { 3 } else { 1 };
    let ForgeApp { name, repository, port, .. } = app;
    format!(
        r#"# {name} in {environment}. The chart is in the service's own repository.
replicaCount: {replicas}

image:
  repository: {registry}/{repository}
  pullPolicy: IfNotPresent
  # Written by Conveyor. Changed by hand, it is a finding.
  tag: ""

service:
  type: ClusterIP
  port: {port}

resources:
  requests: {{ cpu: 100m, memory: 128Mi }}
  limits: {{ memory: 256Mi }} # no CPU limit: throttling hurts more than it helps

env:
  - name: FORGE_ENVIRONMENT
    value: {environment}
"#
    )
}
