//! Documents as the REST reference shows them, cut to the fields that are read.

use release::{Actor, ActorId};
use serde_json::{Value, json};

pub(crate) const ANA: &str = "3c000000-0000-4000-8000-00000000000a";
pub(crate) const BO: &str = "0b000000-0000-4000-8000-00000000000b";
pub(crate) const GROUP: &str = "6f1c0000-0000-4000-8000-0000000000ff";

pub(crate) fn actor(guid: &str, name: &str) -> Actor {
    Actor { id: ActorId::AzureDevOps(guid.to_owned()), name: name.to_owned() }
}

pub(crate) fn identity(guid: &str, name: &str) -> Value {
    json!({ "displayName": name, "id": guid.to_uppercase() })
}

pub(crate) fn build() -> Value {
    json!({
        "id": 48213,
        "status": "completed",
        "result": "succeeded",
        "requestedBy": identity(ANA, "Ana"),
        "requestedFor": identity(BO, "Bo"),
        "sourceBranch": "refs/heads/main",
        "definition": { "id": 57 },
    })
}

pub(crate) fn release() -> Value {
    json!({
        "id": 880,
        "releaseDefinition": { "id": 12 },
        "createdBy": identity(ANA, "Ana"),
        "createdFor": identity(ANA, "Ana"),
        "artifacts": [{
            "type": "Build",
            "isPrimary": true,
            "definitionReference": { "version": { "id": "48213" }, "definition": { "id": "57" } },
        }],
        "environments": [stage(301, 3, "QA", &json!([step(1, "succeeded")])), stage(302, 4, "Prod", &json!([step(1, "inProgress")]))],
    })
}

pub(crate) fn stage(id: u64, definition: u64, name: &str, steps: &Value) -> Value {
    json!({
        "id": id,
        "definitionEnvironmentId": definition,
        "name": name,
        "preApprovalsSnapshot": { "approvalOptions": { "releaseCreatorCanBeApprover": false } },
        "deploySteps": steps,
    })
}

pub(crate) fn step(attempt: u32, status: &str) -> Value {
    json!({
        "attempt": attempt,
        "status": status,
        "requestedBy": identity(ANA, "Ana"),
        "requestedFor": identity(ANA, "Ana"),
        "queuedOn": "2026-11-24T02:00:00.5Z",
        "lastModifiedOn": "2026-11-24T02:30:00Z",
    })
}

pub(crate) fn approval(id: u64) -> Value {
    json!({
        "id": id,
        "approvalType": "preDeploy",
        "status": "approved",
        "isAutomated": false,
        "attempt": 1,
        "approver": identity(GROUP, "Release approvers"),
        "approvedBy": identity(BO, "Bo"),
        "modifiedOn": "2026-11-24T03:10:00Z",
        "release": { "id": 880 },
        "releaseEnvironment": { "id": 302 },
    })
}

pub(crate) fn approvals(list: &[Value]) -> Value {
    json!({ "count": list.len(), "value": list })
}
