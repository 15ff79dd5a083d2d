use azure_devops::document::{self, DocumentError, Problem};
use policy::BuildStatus;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::samples::{self, ANA, BO, GROUP, actor};

#[test]
fn a_whole_build_is_read() {
    let build = document::build(samples::build().to_string().as_bytes()).unwrap();
    assert_eq!(build.id.get(), 48213);
    assert_eq!(build.definition, 57);
    assert_eq!(build.branch, "refs/heads/main");
    assert_eq!(build.status, BuildStatus::Succeeded);
    assert_eq!(build.requesters, [actor(ANA, "Ana"), actor(BO, "Bo")]);
}

#[test]
fn how_far_a_build_is() {
    let cases = [
        ("inProgress", Value::Null, Ok(BuildStatus::InProgress)),
        ("notStarted", Value::Null, Ok(BuildStatus::Other)),
        ("cancelling", Value::Null, Ok(BuildStatus::Other)),
        ("completed", json!("failed"), Ok(BuildStatus::Other)),
        ("completed", json!("partiallySucceeded"), Ok(BuildStatus::Other)),
        ("completed", json!("Succeeded"), Err(Problem::UnknownValue)),
        ("completed", Value::Null, Err(Problem::Null)),
        ("none", json!("succeeded"), Err(Problem::UnknownValue)),
        ("all", json!("succeeded"), Err(Problem::UnknownValue)),
    ];
    for (status, result, expected) in cases {
        let mut document = samples::build();
        document["status"] = json!(status);
        document["result"] = result.clone();
        let found = document::build(document.to_string().as_bytes());
        assert_eq!(found.map(|build| build.status).map_err(|error| error.problem), expected, "{status} {result}");
    }
}

#[test]
fn no_field_is_made_up() {
    each_field_counts(&samples::build(), &[], |bytes| document::build(bytes).map(drop));
    // Where a stage has no approval options, nothing keeps the creator from approving: `may_the_creator_approve`.
    let optional = [
        "environments[0].preApprovalsSnapshot.approvalOptions",
        "environments[1].preApprovalsSnapshot.approvalOptions",
    ];
    each_field_counts(&samples::release(), &optional, |bytes| document::release(bytes).map(drop));
    let list = samples::approvals(&[samples::approval(1), samples::approval(2)]);
    each_field_counts(&list, &[], |bytes| document::approvals(bytes).map(drop));
}

#[test]
fn may_the_creator_approve() {
    let creator_can_approve = |options: Option<Value>| {
        let mut document = samples::release();
        let snapshot = document["environments"][1]["preApprovalsSnapshot"].as_object_mut().unwrap();
        snapshot.remove("approvalOptions");
        snapshot.extend(options.map(|options| ("approvalOptions".to_owned(), options)));
        document::release(document.to_string().as_bytes()).unwrap().stages[1].creator_can_approve
    };
    assert!(creator_can_approve(None));
    assert!(creator_can_approve(Some(Value::Null)));
    assert!(creator_can_approve(Some(json!({ "releaseCreatorCanBeApprover": true }))));
    assert!(!creator_can_approve(Some(json!({ "releaseCreatorCanBeApprover": false }))));
}

#[test]
fn only_a_primary_build_is_the_releases_build() {
    let artifact = samples::release()["artifacts"][0].clone();
    let other = |key: &str, value: Value| {
        let mut artifact = artifact.clone();
        artifact[key] = value;
        artifact
    };
    let read = |artifacts: Value| {
        let mut document = samples::release();
        document["artifacts"] = artifacts;
        document::release(document.to_string().as_bytes()).map(|release| release.build.map(release::BuildId::get))
    };
    assert_eq!(read(json!([other("isPrimary", json!(false)), artifact])), Ok(Some(48213)));
    assert_eq!(read(json!([other("isPrimary", json!(false))])), Ok(None));
    assert_eq!(read(json!([other("type", json!("Git"))])), Ok(None));
    assert_eq!(read(json!([])), Ok(None));
    assert_eq!(
        read(json!([artifact, artifact])),
        Err(DocumentError { path: "artifacts".to_owned(), problem: Problem::Ambiguous })
    );
}

#[test]
fn a_list_of_approvals_is_whole_and_of_one_kind() {
    let mut after = samples::approval(2);
    after["approvalType"] = json!("postDeploy");
    let mut automated = samples::approval(3);
    automated["isAutomated"] = json!(true);
    automated.as_object_mut().unwrap().remove("approver");
    automated.as_object_mut().unwrap().remove("approvedBy");
    let list = samples::approvals(&[samples::approval(1), after, automated]);

    let found = document::approvals(list.to_string().as_bytes()).unwrap();
    assert_eq!(found.iter().map(|listed| listed.approval.id).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(found[0].approval.asked.as_deref(), Some(GROUP));
    assert_eq!(found[0].approval.answered_by, Some(actor(BO, "Bo")));
    assert_eq!((found[1].approval.automated, found[1].approval.asked.as_deref()), (true, None));

    let mut short = list;
    short["count"] = json!(4);
    assert_eq!(document::approvals(short.to_string().as_bytes()).unwrap_err().problem, Problem::NotComplete);
}

#[test]
fn a_pending_approval_has_no_answer() {
    let mut pending = samples::approval(1);
    pending["status"] = json!("pending");
    pending["approvedBy"] = Value::Null;
    let found = document::approvals(samples::approvals(&[pending]).to_string().as_bytes()).unwrap();
    assert_eq!(found[0].approval.answered_by, None);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = (document::build(&bytes), document::release(&bytes), document::approvals(&bytes));
        prop_assert!(!document::is_build_not_found(&bytes));
    }

    #[test]
    fn a_document_that_breaks_off_is_none(at in 0_usize..10_000) {
        let whole = samples::release().to_string();
        let cut = &whole.as_bytes()[..at % whole.len()];
        prop_assert_eq!(document::release(cut).unwrap_err().problem, Problem::NotJson);
    }
}

/// Takes each field away, makes it null and gives it another type, one at a time: the parser must name it.
fn each_field_counts(document: &Value, optional: &[&str], parse: impl Fn(&[u8]) -> Result<(), DocumentError>) {
    parse(document.to_string().as_bytes()).unwrap();
    let mut pointers = Vec::new();
    pointers_of(document, "", "", &mut pointers);
    assert!(pointers.len() > 7, "{pointers:?}");
    for (pointer, path) in pointers {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let with = |value: Option<Value>| {
            let mut changed = document.clone();
            let object = changed.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            object.remove(key);
            object.extend(value.map(|value| (key.to_owned(), value)));
            parse(changed.to_string().as_bytes())
        };
        let names_it = |result: Result<(), DocumentError>, problem: &str| {
            let error = result.expect_err(&path);
            assert!(error.path == path && error.to_string().contains(problem), "{path}: {error}");
        };
        if !optional.contains(&path.as_str()) {
            names_it(with(None), "missing");
            names_it(with(Some(Value::Null)), "null");
        }
        let is_list = document.pointer(&pointer).unwrap().is_array();
        names_it(with(Some(if is_list { json!({}) } else { json!([]) })), "not ");
    }
}

fn pointers_of(value: &Value, pointer: &str, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let pointer = format!("{pointer}/{key}");
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                found.push((pointer.clone(), path.clone()));
                pointers_of(value, &pointer, &path, found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                pointers_of(value, &format!("{pointer}/{index}"), &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}
