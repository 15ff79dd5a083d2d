use release::BuildId;

use super::{
    DocumentError, Problem,
    node::{Node, parse},
};
use crate::model::{Attempt, AttemptStatus, Release, Stage};

/// Parses the answer to `GET _apis/release/releases/{id}`. The stages' approvals are not in it as they are needed: see
/// [`approvals`](super::approvals).
///
/// # Errors
/// What is missing or not as promised.
pub fn release(bytes: &[u8]) -> Result<Release, DocumentError> {
    let document = parse(bytes)?;
    let document = Node::root(&document);

    let (build, build_definition) = match primary_build(&document.field("artifacts")?)? {
        Some((build, definition)) => (Some(build), Some(definition)),
        None => (None, None),
    };
    Ok(Release {
        id: document.field("id")?.number()?,
        definition: document.field("releaseDefinition")?.field("id")?.number()?,
        build,
        build_definition,
        created_by: document.field("createdBy")?.actor()?,
        created_for: document.field("createdFor")?.actor()?,
        stages: document.field("environments")?.items()?.iter().map(stage).collect::<Result<_, _>>()?,
    })
}

/// The build of the primary artifact and its definition; none where that is no build. The ids in an artifact's
/// `definitionReference` are strings.
fn primary_build(artifacts: &Node<'_>) -> Result<Option<(BuildId, u64)>, DocumentError> {
    let mut primary = Vec::new();
    for artifact in artifacts.items()? {
        if artifact.field("isPrimary")?.flag()? {
            primary.push(artifact);
        }
    }
    let [artifact] = primary.as_slice() else {
        return if primary.is_empty() { Ok(None) } else { Err(artifacts.error(Problem::Ambiguous)) };
    };
    if artifact.field("type")?.text()? != "Build" {
        return Ok(None);
    }
    let reference = artifact.field("definitionReference")?;
    let version = reference.field("version")?.field("id")?;
    let definition = reference.field("definition")?.field("id")?;
    Ok(Some((
        version.text()?.parse().map_err(|_| version.error(Problem::Not("a build id")))?,
        definition.text()?.parse().map_err(|_| definition.error(Problem::Not("a whole number")))?,
    )))
}

fn stage(environment: &Node<'_>) -> Result<Stage, DocumentError> {
    // A stage whose approvals are automatic may have no options at all.
    let options = environment.field("preApprovalsSnapshot")?.optional("approvalOptions")?;
    let creator_can_approve = match options {
        Some(options) => options.field("releaseCreatorCanBeApprover")?.flag()?,
        None => true,
    };
    Ok(Stage {
        id: environment.field("id")?.number()?,
        definition: environment.field("definitionEnvironmentId")?.number()?,
        name: environment.field("name")?.text()?.to_owned(),
        creator_can_approve,
        attempts: environment.field("deploySteps")?.items()?.iter().map(attempt).collect::<Result<_, _>>()?,
        approvals: Vec::new(),
    })
}

fn attempt(step: &Node<'_>) -> Result<Attempt, DocumentError> {
    let number = step.field("attempt")?;
    Ok(Attempt {
        number: number.number()?.try_into().map_err(|_| number.error(Problem::Not("an attempt's number")))?,
        status: step.field("status")?.one_of(&[
            ("notDeployed", AttemptStatus::NotDeployed),
            ("inProgress", AttemptStatus::InProgress),
            ("succeeded", AttemptStatus::Succeeded),
            ("partiallySucceeded", AttemptStatus::PartiallySucceeded),
            ("failed", AttemptStatus::Failed),
        ])?,
        requested_by: step.field("requestedBy")?.actor()?,
        requested_for: step.field("requestedFor")?.actor()?,
        queued_at: step.field("queuedOn")?.time()?,
        modified_at: step.field("lastModifiedOn")?.time()?,
    })
}
