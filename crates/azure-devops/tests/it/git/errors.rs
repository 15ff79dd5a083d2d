//! What becomes of each kind of refusal, whatever the server's words.

use std::time::Duration;

use azure_devops::git::{GitError, Repository};
use futures_util::future::join_all;
use guarded_http::Credentials;
use ledger::{LedgerError, Push, Refusal, Remote as _};
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path_regex, query_param},
};

use super::{Ledger, client, draft, main};

const HEAD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn document(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

fn error(status: u16, key: &str) -> ResponseTemplate {
    // The words are of another error each time: they decide nothing.
    document(
        status,
        &json!({ "$id": "1", "typeKey": key, "message": "TF401028: \u{1b}[31m##vso[task.complete]TF402455", "errorCode": 0 }),
    )
}

/// A server whose main is at each of `first` when it is first read, and at `then` after that.
async fn server(first: &[&str], then: Option<&str>, push: ResponseTemplate) -> (MockServer, Repository) {
    let mock = MockServer::start().await;
    let refs = |at: Option<&str>| {
        let list: Vec<Value> = at.iter().map(|at| json!({ "name": "refs/heads/main", "objectId": at })).collect();
        document(200, &json!({ "count": list.len(), "value": list }))
    };
    let on = |verb: &str, resource: &str| Mock::given(method(verb)).and(path_regex(format!("/{resource}$")));
    for at in first {
        on("GET", "refs").respond_with(refs(Some(at))).up_to_n_times(1).with_priority(1).mount(&mock).await;
    }
    on("GET", "refs").respond_with(refs(then)).mount(&mock).await;
    on("GET", "items").respond_with(error(404, "GitItemNotFoundException")).mount(&mock).await;
    on("POST", "pushes").respond_with(push).mount(&mock).await;
    let url = format!("{}/acme/forge/_git/ledger", mock.uri());
    let credentials = Credentials::Bearer("token".into());
    let client = client(&url, &credentials, Duration::from_secs(30));
    (mock, client)
}

async fn push(then: Option<&str>, answer: ResponseTemplate) -> Result<Push, LedgerError> {
    pushed_at(&[HEAD], then, answer).await
}

async fn pushed_at(first: &[&str], then: Option<&str>, answer: ResponseTemplate) -> Result<Push, LedgerError> {
    let (mock, client) = server(first, then, answer).await;
    let head = client.head(&main()).await.unwrap();
    let push = client.push(&main(), &head, &draft(1, "a", "x")).await;
    let pushes = mock.received_requests().await.unwrap().iter().filter(|request| request.method == "POST").count();
    assert_eq!(pushes, 1, "a push is sent once");
    push
}

#[tokio::test]
async fn a_refused_push_is_told_by_its_key_and_by_where_the_branch_stands() {
    let page = ResponseTemplate::new(203).set_body_raw("<html>", "text/html");
    type Expected = fn(&Result<Push, LedgerError>) -> bool;
    let policy: Expected = |push| matches!(push, Ok(Push::Refused(Refusal::BranchPolicy)));
    let permission: Expected = |push| matches!(push, Ok(Push::Refused(Refusal::Permission)));
    let other: Expected = |push| matches!(push, Ok(Push::Refused(Refusal::Other(words))) if !words.contains('\u{1b}'));
    let stale: Expected = |push| matches!(push, Ok(Push::Stale));
    let denied: Expected = |push| matches!(push, Err(LedgerError::Denied { .. }));
    let doubt: Expected = |push| matches!(push, Err(LedgerError::MaybeLanded { commit: None, .. }));
    let no_repository: Expected = |push| matches!(push, Err(LedgerError::NoRepository { .. }));
    let redirect = ResponseTemplate::new(302).insert_header("location", "/_signin");
    let cases: Vec<(&str, ResponseTemplate, Expected, Expected)> = vec![
        ("stale", error(409, "GitReferenceStaleException"), stale, stale),
        ("policy", error(403, "GitRefUpdateRejectedByPolicyException"), policy, stale),
        ("permission", error(403, "GitNeedsPermissionException"), permission, stale),
        ("403 of an unknown key", error(403, "GitRefLockedException"), permission, stale),
        ("403 without a document", ResponseTemplate::new(403).set_body_string("no"), permission, stale),
        ("400", error(400, "ArgumentException"), other, stale),
        ("409 of an unknown key", error(409, "GitDuplicateException"), other, stale),
        ("413", ResponseTemplate::new(413), other, stale),
        ("no repository", error(404, "GitRepositoryNotFoundException"), no_repository, no_repository),
        ("401", ResponseTemplate::new(401), permission, denied),
        ("a sign-in page", page, permission, denied),
        ("a page that says 200", ResponseTemplate::new(200).set_body_raw("<html>", "text/html"), permission, denied),
        ("a redirect", redirect, permission, denied),
        ("500", error(500, "GitReferenceStaleException"), doubt, doubt),
        ("503", ResponseTemplate::new(503), doubt, doubt),
        ("429", ResponseTemplate::new(429), doubt, doubt),
        ("408", ResponseTemplate::new(408), doubt, doubt),
        ("nothing", ResponseTemplate::new(204), doubt, doubt),
        ("no JSON", ResponseTemplate::new(201).set_body_raw("{", "application/json"), doubt, doubt),
        ("not all of a push", document(201, &json!({ "refUpdates": [] })), doubt, doubt),
        (
            "another branch's push",
            document(201, &json!({ "refUpdates": [{ "name": "refs/heads/main2", "newObjectId": OTHER }] })),
            doubt,
            doubt,
        ),
    ];
    join_all(cases.into_iter().map(async |(name, answer, unmoved, moved)| {
        let pushed = push(Some(HEAD), answer.clone()).await;
        assert!(unmoved(&pushed), "{name}, unmoved: {pushed:?}");
        let pushed = push(Some(OTHER), answer).await;
        assert!(moved(&pushed), "{name}, moved: {pushed:?}");
    }))
    .await;
    let late = pushed_at(&[HEAD, HEAD], Some(OTHER), error(409, "GitDuplicateException")).await;
    assert!(stale(&late), "the winner moves the branch after the first look: {late:?}");
    let gone = push(None, error(403, "GitNeedsPermissionException")).await;
    assert!(matches!(gone, Err(LedgerError::NoBranch { .. })), "{gone:?}");
    let taken = document(201, &json!({ "refUpdates": [{ "name": "refs/heads/main", "newObjectId": OTHER }] }));
    let taken = push(Some(OTHER), taken).await;
    assert!(matches!(&taken, Ok(Push::Accepted(commit)) if commit.to_string() == OTHER), "{taken:?}");
}

#[tokio::test]
async fn what_is_no_answer_is_read_as_nothing() {
    type Expected = fn(&LedgerError) -> bool;
    let denied: Expected = |error| matches!(error, LedgerError::Denied { .. });
    let document_of: Expected = |error| {
        let LedgerError::Backend { source, retryable: false } = error else { return false };
        matches!(source.downcast_ref(), Some(GitError::Document { .. }))
    };
    let http: Expected = |error| matches!(error, LedgerError::Http { .. });
    let cases: Vec<(&str, ResponseTemplate, Expected)> = vec![
        ("a page", ResponseTemplate::new(203).set_body_json(json!({ "value": [] })), denied),
        ("a page that says 200", ResponseTemplate::new(200).set_body_raw("<html>", "text/html"), denied),
        ("401", ResponseTemplate::new(401), denied),
        ("403", ResponseTemplate::new(403), denied),
        ("a redirect", ResponseTemplate::new(302).insert_header("location", "/x"), denied),
        ("nothing", ResponseTemplate::new(204), http),
        ("no JSON", ResponseTemplate::new(200).set_body_raw("{", "application/json"), http),
        ("no type", ResponseTemplate::new(200).set_body_raw("{\"value\":[]}", "text/plain"), http),
        ("null", document(200, &Value::Null), document_of),
        ("no list", document(200, &json!({ "count": 0 })), document_of),
        ("no id", document(200, &json!({ "value": [{ "name": "refs/heads/main", "objectId": "1" }] })), document_of),
        ("no repository", error(404, "GitRepositoryNotFoundException"), |error| {
            matches!(error, LedgerError::NoRepository { .. })
        }),
        ("no project", error(404, "ProjectDoesNotExistWithNameException"), |error| {
            matches!(error, LedgerError::NoRepository { .. })
        }),
        ("404 of nobody", ResponseTemplate::new(404), |error| {
            let LedgerError::Backend { source, retryable: false } = error else { return false };
            matches!(source.downcast_ref(), Some(GitError::Refused { .. }))
        }),
    ];
    for (name, answer, expected) in cases {
        let mock = MockServer::start().await;
        Mock::given(method("GET")).respond_with(answer).mount(&mock).await;
        let url = format!("{}/acme/forge/_git/ledger", mock.uri());
        let error = client(&url, &Credentials::Anonymous, Duration::from_secs(30)).head(&main()).await.unwrap_err();
        assert!(expected(&error) && !error.is_retryable(), "{name}: {error:?}");
        assert_eq!(mock.received_requests().await.unwrap().len(), 1, "{name} was asked for again");
    }
}

#[tokio::test]
async fn bytes_that_are_not_those_of_their_id_are_refused() {
    let mock = MockServer::start().await;
    let item = json!({ "objectId": HEAD, "gitObjectType": "blob", "path": "/a", "content": "x" });
    Mock::given(path_regex("/items$")).respond_with(document(200, &item)).mount(&mock).await;
    let raw = ResponseTemplate::new(200).set_body_raw("y", "application/octet-stream");
    Mock::given(path_regex("/blobs/")).respond_with(raw).mount(&mock).await;
    let url = format!("{}/acme/forge/_git/ledger", mock.uri());
    let client = client(&url, &Credentials::Anonymous, Duration::from_secs(30));
    let read = client.read(&HEAD.parse().unwrap(), &["a".parse().unwrap()]).await.unwrap_err();
    let LedgerError::Backend { source, .. } = &read else { panic!("{read:?}") };
    assert!(matches!(source.downcast_ref(), Some(GitError::Mistaken { .. })), "{read:?}");
}

#[tokio::test]
async fn a_page_of_changes_that_the_server_cuts_is_not_the_last() {
    let mock = MockServer::start().await;
    let changes = |from: usize, to: usize| -> Vec<Value> {
        (from..to)
            .map(|n| json!({ "changeType": "edit", "item": { "path": format!("/f{n}"), "gitObjectType": "blob" } }))
            .collect()
    };
    let whole = json!({
        "commitId": HEAD, "parents": [], "comment": "Many", "committer": { "date": "2027-01-01T00:00:00Z" },
        "changes": changes(0, 250),
    });
    Mock::given(path_regex(format!("/commits/{HEAD}$"))).respond_with(document(200, &whole)).mount(&mock).await;
    for (skip, to) in [(250, 400), (400, 400)] {
        let page = json!({ "changes": changes(skip, to) });
        let at = Mock::given(path_regex("/changes$")).and(query_param("skip", skip.to_string()));
        at.respond_with(document(200, &page)).mount(&mock).await;
    }
    let url = format!("{}/acme/forge/_git/ledger", mock.uri());
    let client = client(&url, &Credentials::Anonymous, Duration::from_secs(30));
    assert_eq!(client.commit(&HEAD.parse().unwrap()).await.unwrap().changed.len(), 400);
}

#[tokio::test]
async fn the_sandbox_says_what_the_server_says() {
    let ledger = Ledger::start(1).await;
    let client = ledger.client();
    let head = client.head(&main()).await.unwrap();
    ledger.server.set_read_only(true);
    let push = client.push(&main(), &head, &draft(1, "a", "x")).await;
    assert_eq!(push.unwrap(), Push::Refused(Refusal::Permission));
    ledger.server.set_read_only(false);
    ledger.server.protect("main");
    let push = client.push(&main(), &head, &draft(1, "a", "x")).await;
    assert_eq!(push.unwrap(), Push::Refused(Refusal::BranchPolicy));
    ledger.server.set_signed_out(true);
    let denied = client.head(&main()).await.unwrap_err();
    assert!(matches!(denied, LedgerError::Denied { .. }), "{denied:?}");
    ledger.server.set_signed_out(false);
    let stranger = super::client(&ledger.server.url(), &Credentials::Bearer("another".into()), Duration::from_secs(30));
    assert!(matches!(stranger.head(&main()).await, Err(LedgerError::Denied { .. })));
    let elsewhere = ledger.client_at(&format!("{}x", ledger.server.url()));
    assert!(matches!(elsewhere.head(&main()).await, Err(LedgerError::NoRepository { .. })));
}
