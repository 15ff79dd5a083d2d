use super::{
    DocumentError, Problem,
    node::{Node, parse},
};
use crate::model::{Approval, ApprovalStatus};

/// An approval as it stands in a list: with what it belongs to, since a list's filters are not to be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedApproval {
    /// The release that it is for.
    pub release: u64,
    /// The stage, by its id in the release.
    pub stage: u64,
    /// The approval itself.
    pub approval: Approval,
}

/// How many approvals a page may have: so many are asked for.
pub(crate) const PAGE: usize = 100;

/// Parses one page of the answer to `GET _apis/release/approvals`: the approvals before a deployment.
///
/// # Errors
/// What is missing or not as promised.
pub fn approvals(bytes: &[u8]) -> Result<Vec<ListedApproval>, DocumentError> {
    let document = parse(bytes)?;
    let document = Node::root(&document);

    let list = document.field("value")?;
    let items = list.items()?;
    if document.field("count")?.number()? != items.len() as u64 {
        return Err(list.error(Problem::NotComplete));
    }
    if items.len() > PAGE {
        return Err(list.error(Problem::TooLong));
    }
    let mut found = Vec::new();
    for item in &items {
        if item.field("approvalType")?.one_of(&[("preDeploy", true), ("postDeploy", false)])? {
            found.push(listed(item)?);
        }
    }
    Ok(found)
}

fn listed(item: &Node<'_>) -> Result<ListedApproval, DocumentError> {
    let automated = item.field("isAutomated")?.flag()?;
    let status = item.field("status")?.one_of(&[
        ("pending", ApprovalStatus::Pending),
        ("approved", ApprovalStatus::Approved),
        ("rejected", ApprovalStatus::Rejected),
        ("reassigned", ApprovalStatus::Reassigned),
        ("canceled", ApprovalStatus::Canceled),
        ("skipped", ApprovalStatus::Skipped),
    ])?;
    // The server asks nobody for what it approves by itself, and nobody has answered what is pending.
    let asked = if automated { item.optional("approver")? } else { Some(item.field("approver")?) };
    let must_be_answered = !automated && status == ApprovalStatus::Approved;
    let answered_by = if must_be_answered { Some(item.field("approvedBy")?) } else { item.optional("approvedBy")? };
    let attempt = item.field("attempt")?;
    Ok(ListedApproval {
        release: item.field("release")?.field("id")?.number()?,
        stage: item.field("releaseEnvironment")?.field("id")?.number()?,
        approval: Approval {
            id: item.field("id")?.number()?,
            attempt: attempt.number()?.try_into().map_err(|_| attempt.error(Problem::Not("an attempt's number")))?,
            asked: asked.map(|identity| identity.guid()).transpose()?,
            status,
            answered_by: answered_by.map(|identity| identity.actor()).transpose()?,
            automated,
            modified_at: item.field("modifiedOn")?.time()?,
        },
    })
}
