//! The JSON documents of the REST reference, with the fields that somebody could ask for.

use azure_devops::model::{Approval, ApprovalStatus, Attempt, AttemptStatus, Build, BuildStatus, Release, Stage};
use release::{Actor, ActorId};
use serde_json::{Value, json};

pub(super) fn build(build: &Build) -> Value {
    let (status, result) = match build.status {
        BuildStatus::InProgress => ("inProgress", Value::Null),
        BuildStatus::Succeeded => ("completed", json!("succeeded")),
        BuildStatus::Other => ("completed", json!("failed")),
    };
    json!({
        "id": build.id.get(),
        "buildNumber": build.id,
        "status": status,
        "result": result,
        "reason": "individualCI",
        "requestedBy": build.requesters.first().map(identity),
        "requestedFor": build.requesters.last().map(identity),
        "sourceBranch": build.branch,
        "definition": { "id": build.definition },
    })
}

pub(super) fn release(release: &Release) -> Value {
    let artifacts = match (release.build, release.build_definition) {
        (Some(build), Some(definition)) => json!([{
            "type": "Build",
            "alias": "image",
            "isPrimary": true,
            "definitionReference": {
                "version": { "id": build, "name": build },
                "definition": { "id": definition.to_string() },
            },
        }]),
        _ => json!([]),
    };
    json!({
        "id": release.id,
        "name": format!("Release-{}", release.id),
        "releaseDefinition": { "id": release.definition },
        "createdBy": identity(&release.created_by),
        "createdFor": identity(&release.created_for),
        "artifacts": artifacts,
        "environments": release.stages.iter().map(stage).collect::<Vec<_>>(),
    })
}

pub(super) fn approval(release: &Release, stage: &Stage, approval: &Approval) -> Value {
    let group = |guid: &String| json!({ "id": guid, "displayName": "Approvers", "isContainer": true });
    json!({
        "id": approval.id,
        "approvalType": "preDeploy",
        "status": status(approval),
        "isAutomated": approval.automated,
        "attempt": approval.attempt,
        "approver": approval.asked.as_ref().map(group),
        "approvedBy": approval.answered_by.as_ref().map(identity),
        "modifiedOn": approval.modified_at.to_string(),
        "release": { "id": release.id },
        "releaseDefinition": { "id": release.definition },
        "releaseEnvironment": { "id": stage.id, "name": stage.name },
    })
}

pub(super) fn status(approval: &Approval) -> &'static str {
    match approval.status {
        ApprovalStatus::Pending => "pending",
        ApprovalStatus::Approved => "approved",
        ApprovalStatus::Rejected => "rejected",
        ApprovalStatus::Reassigned => "reassigned",
        ApprovalStatus::Canceled => "canceled",
        ApprovalStatus::Skipped => "skipped",
    }
}

fn stage(stage: &Stage) -> Value {
    json!({
        "id": stage.id,
        "definitionEnvironmentId": stage.definition,
        "name": stage.name,
        "preApprovalsSnapshot": { "approvalOptions": { "releaseCreatorCanBeApprover": stage.creator_can_approve } },
        "deploySteps": stage.attempts.iter().map(attempt).collect::<Vec<_>>(),
    })
}

fn attempt(attempt: &Attempt) -> Value {
    let status = match attempt.status {
        AttemptStatus::NotDeployed => "notDeployed",
        AttemptStatus::InProgress => "inProgress",
        AttemptStatus::Succeeded => "succeeded",
        AttemptStatus::PartiallySucceeded => "partiallySucceeded",
        AttemptStatus::Failed => "failed",
    };
    json!({
        "attempt": attempt.number,
        "reason": "manual",
        "status": status,
        "requestedBy": identity(&attempt.requested_by),
        "requestedFor": identity(&attempt.requested_for),
        "queuedOn": attempt.queued_at.to_string(),
        "lastModifiedOn": attempt.modified_at.to_string(),
    })
}

fn identity(actor: &Actor) -> Value {
    // The in-memory server knows no other identities than its own.
    let guid = match &actor.id {
        ActorId::AzureDevOps(guid) | ActorId::Aws(guid) | ActorId::Claimed(guid) => guid,
    };
    json!({ "id": guid, "displayName": actor.name })
}
