use policy::{Build, BuildStatus};
use serde_json::Value;

use super::{
    DocumentError, Problem,
    node::{Node, parse},
};

/// Parses the answer to `GET _apis/build/builds/{id}`.
///
/// # Errors
/// What is missing or not as promised.
pub fn build(bytes: &[u8]) -> Result<Build, DocumentError> {
    let document = parse(bytes)?;
    let document = Node::root(&document);

    let id = document.field("id")?;
    let requested_by = document.field("requestedBy")?.actor()?;
    let requested_for = document.field("requestedFor")?.actor()?;
    let mut requesters = vec![requested_by];
    requesters.extend((requesters.iter().all(|known| known.id != requested_for.id)).then_some(requested_for));
    Ok(Build {
        id: id.number()?.to_string().parse().map_err(|_| id.error(Problem::Not("a build id")))?,
        definition: document.field("definition")?.field("id")?.number()?,
        branch: document.field("sourceBranch")?.text()?.to_owned(),
        status: status(&document)?,
        requesters,
    })
}

/// Whether the body of a 404 says that this build is not there. Without these words a 404 tells nothing: a wrong
/// project and a missing right answer 404 too.
#[must_use]
pub fn is_build_not_found(bytes: &[u8]) -> bool {
    let document: Option<Value> = serde_json::from_slice(bytes).ok();
    document.is_some_and(|document| document.get("typeKey").and_then(Value::as_str) == Some("BuildNotFoundException"))
}

fn status(document: &Node<'_>) -> Result<BuildStatus, DocumentError> {
    #[derive(Clone, Copy)]
    enum Reached {
        Before,
        InProgress,
        Completed,
    }
    let reached = document.field("status")?.one_of(&[
        ("notStarted", Reached::Before),
        ("postponed", Reached::Before),
        ("inProgress", Reached::InProgress),
        ("cancelling", Reached::Before),
        ("completed", Reached::Completed),
    ])?;
    match reached {
        Reached::Before => Ok(BuildStatus::Other),
        Reached::InProgress => Ok(BuildStatus::InProgress),
        // "none" is a result too, so a completed build without one is a document that lost a field.
        Reached::Completed => document.field("result")?.one_of(&[
            ("succeeded", BuildStatus::Succeeded),
            ("partiallySucceeded", BuildStatus::Other),
            ("failed", BuildStatus::Other),
            ("canceled", BuildStatus::Other),
            ("none", BuildStatus::Other),
        ]),
    }
}
