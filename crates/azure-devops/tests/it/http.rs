use std::time::Duration;

use azure_devops::{AzureDevOps as _, AzureError, fact, http::Server};
use guarded_http::{Credentials, Limits};
use policy::Fact;
use serde_json::{Value, json};
use tokio::time::Instant;
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{header, method, path, query_param},
};

use crate::samples::{self, ANA, BO, GROUP, actor};

const BUILD: &str = "/acme/big%20forge/_apis/build/builds/48213";
const RELEASE: &str = "/acme/big%20forge/_apis/release/releases/880";
const APPROVALS: &str = "/acme/big%20forge/_apis/release/approvals";

fn server(mock: &MockServer, patience: Duration) -> Server {
    let limits = Limits { connect: patience, stall: patience, deadline: Instant::now() + patience };
    let credentials = Credentials::Basic { user: String::new(), password: "pat".to_owned().into() };
    Server::new("acme", "big forge", Some(&mock.uri().parse().unwrap()), &credentials, limits).unwrap()
}

async fn answers(mock: &MockServer, at: &str, response: ResponseTemplate) {
    Mock::given(method("GET")).and(path(at)).respond_with(response).mount(mock).await;
}

fn document(document: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(document)
}

/// A server that lists `approved` for that status and nothing for the others.
async fn with_approvals(approved: &[Value]) -> MockServer {
    let mock = MockServer::start().await;
    answers(&mock, RELEASE, document(&samples::release())).await;
    Mock::given(path(APPROVALS))
        .and(query_param("statusFilter", "approved"))
        .respond_with(document(&samples::approvals(approved)))
        .with_priority(1)
        .mount(&mock)
        .await;
    answers(&mock, APPROVALS, document(&samples::approvals(&[]))).await;
    mock
}

async fn release(mock: &MockServer) -> Result<policy::Release, AzureError> {
    server(mock, Duration::from_secs(30)).release(880, "Prod", Some("QA")).await
}

#[tokio::test]
async fn a_build_is_asked_for_with_the_token() {
    let mock = MockServer::start().await;
    Mock::given(path(BUILD))
        .and(header("authorization", "Basic OnBhdA=="))
        .and(query_param("api-version", "7.1"))
        .respond_with(document(&samples::build()))
        .mount(&mock)
        .await;
    let server = server(&mock, Duration::from_secs(30));
    assert_eq!(server.build("48213".parse().unwrap()).await.unwrap().unwrap().definition, 57);
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn only_the_servers_own_words_say_that_there_is_no_build() {
    let not_found =
        json!({ "typeKey": "BuildNotFoundException", "message": "The requested build 48213 could not be found." });
    let no_project = json!({ "typeKey": "ProjectDoesNotExistWithNameException" });
    for (body, is_none) in [(not_found, true), (no_project, false)] {
        let mock = MockServer::start().await;
        answers(&mock, BUILD, ResponseTemplate::new(404).set_body_json(body)).await;
        let answer = server(&mock, Duration::from_secs(30)).build("48213".parse().unwrap()).await;
        if is_none { assert_eq!(answer.unwrap(), None) } else { assert!(!answer.unwrap_err().is_retryable()) }
    }
}

#[tokio::test]
async fn what_is_no_answer_is_no_fact() {
    let page = "<html>Sign in</html>";
    let mut other = samples::build();
    other["id"] = json!(48214);
    let cases = [
        ("a sign-in page", ResponseTemplate::new(200).set_body_raw(page, "text/html")),
        ("a sign-in page that says it is JSON", ResponseTemplate::new(200).set_body_raw(page, "application/json")),
        ("a document that is not authoritative", ResponseTemplate::new(203).set_body_json(samples::build())),
        ("nothing", ResponseTemplate::new(204)),
        ("a redirect", ResponseTemplate::new(302).insert_header("location", "/signin")),
        ("unauthorised", ResponseTemplate::new(401)),
        ("forbidden", ResponseTemplate::new(403).set_body_json(samples::build())),
        ("another build", document(&other)),
        ("null", document(&Value::Null)),
    ];
    for (name, response) in cases {
        let mock = MockServer::start().await;
        answers(&mock, BUILD, response).await;
        let answer = server(&mock, Duration::from_secs(30)).build("48213".parse().unwrap()).await;
        let Fact::Missing { transient, why, remedy } = fact(answer) else { panic!("{name} became a fact") };
        assert!(!transient, "{name}: {why}");
        let signed_out = ["that is not authoritative", "a redirect", "unauthorised", "forbidden"];
        assert_eq!(remedy.contains("token"), signed_out.iter().any(|end| name.ends_with(end)), "{name}: {remedy}");
        assert_eq!(mock.received_requests().await.unwrap().len(), 1, "{name} was asked for again");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_may_do_so_later() {
    for status in [429, 500, 503] {
        let mock = MockServer::start().await;
        answers(&mock, BUILD, ResponseTemplate::new(status)).await;
        let answer = server(&mock, Duration::from_millis(50)).build("48213".parse().unwrap()).await;
        assert!(matches!(fact(answer), Fact::Missing { transient: true, .. }), "{status}");
    }
}

#[tokio::test]
async fn a_release_is_what_its_documents_say() {
    let mut other_stage = samples::approval(8);
    other_stage["releaseEnvironment"]["id"] = json!(301);
    let mut other_release = samples::approval(7);
    other_release["release"]["id"] = json!(881);
    let mock = with_approvals(&[samples::approval(9), other_stage, other_release]).await;

    let release = release(&mock).await.unwrap();
    assert_eq!((release.id, release.definition, release.build_definition), (880, 12, Some(57)));
    assert_eq!(release.requesters, [actor(ANA, "Ana")]);
    assert_eq!(release.source_succeeded_at, Some("2026-11-24T02:30:00Z".parse().unwrap()));
    assert_eq!((release.stage.definition, release.stage.attempt), (4, Some(1)));
    assert_eq!(release.stage.attempt_queued_at, Some("2026-11-24T02:00:00.5Z".parse().unwrap()));
    let [approval] = release.stage.approvals.as_slice() else { panic!("{:?}", release.stage.approvals) };
    assert_eq!((approval.id, approval.asked.as_str(), approval.attempt), (9, GROUP, 1));
    assert_eq!(approval.approver, Some(actor(BO, "Bo")));
    assert!(approval.approved && !approval.automated);
}

#[tokio::test]
async fn the_servers_clock_counts() {
    let mock = with_approvals(&[]).await;
    for (header, expected) in
        [("Tue, 24 Nov 2099 03:12:09 GMT", Some("2099-11-24T03:12:10Z")), ("2099-11-24T03:12:09Z", None)]
    {
        let dated = document(&samples::release()).insert_header("date", header);
        Mock::given(path(RELEASE)).respond_with(dated).up_to_n_times(1).with_priority(1).mount(&mock).await;
        match expected {
            Some(time) => assert_eq!(release(&mock).await.unwrap().as_of, time.parse().unwrap()),
            None => assert!(matches!(release(&mock).await, Err(AzureError::NoDate { .. }))),
        }
    }
}

/// Answers with pages: each is a token that leads to it, its approvals and the token that it gives.
fn pages(pages: &'static [(&str, &[u64], Option<&str>)]) -> impl Fn(&Request) -> ResponseTemplate {
    move |request: &Request| {
        let query =
            |name: &str| request.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        if query("statusFilter").as_deref() != Some("approved") {
            return document(&samples::approvals(&[]));
        }
        let token = query("continuationToken").unwrap_or_default();
        let (_, ids, next) = pages.iter().find(|(known, ..)| *known == token).unwrap();
        let list: Vec<Value> = ids.iter().map(|id| samples::approval(*id)).collect();
        let page = document(&samples::approvals(&list));
        next.iter().fold(page, |page, next| page.insert_header("x-ms-continuationtoken", *next))
    }
}

async fn paged(list: &'static [(&str, &[u64], Option<&str>)]) -> Result<Vec<u64>, AzureError> {
    let mock = MockServer::start().await;
    answers(&mock, RELEASE, document(&samples::release())).await;
    Mock::given(path(APPROVALS)).respond_with(pages(list)).mount(&mock).await;
    Ok(release(&mock).await?.stage.approvals.iter().map(|approval| approval.id).collect())
}

#[tokio::test]
async fn every_page_is_read() {
    let found = paged(&[("", &[5, 4], Some("a b&c")), ("a b&c", &[], Some("2")), ("2", &[3], None)]).await;
    assert_eq!(found.unwrap(), [3, 4, 5]);
}

#[tokio::test]
async fn a_list_that_does_not_end_is_no_list() {
    let same_token = paged(&[("", &[5], Some("1")), ("1", &[4], Some("1"))]).await;
    assert!(matches!(same_token, Err(AzureError::Endless { .. })), "{same_token:?}");
    let empty_token = paged(&[("", &[5], Some(""))]).await;
    assert!(matches!(empty_token, Err(AzureError::Endless { .. })), "{empty_token:?}");
    let first_page_again = paged(&[("", &[5], Some("1")), ("1", &[5], Some("2")), ("2", &[5], None)]).await;
    assert!(matches!(first_page_again, Err(AzureError::Inconsistent { .. })), "{first_page_again:?}");
}

#[tokio::test]
async fn a_page_with_more_than_was_asked_for_is_no_answer() {
    for (length, is_good) in [(100, true), (101, false)] {
        let list: Vec<Value> = (0..length).map(samples::approval).collect();
        let found = release(&with_approvals(&list).await).await;
        assert_eq!(found.is_ok(), is_good, "{found:?}");
        assert!(is_good || matches!(found, Err(AzureError::Document { .. })), "{found:?}");
    }
}

#[tokio::test]
async fn pages_without_end_are_bounded() {
    let mock = MockServer::start().await;
    answers(&mock, RELEASE, document(&samples::release())).await;
    Mock::given(path(APPROVALS))
        .respond_with(|request: &Request| {
            let empty = document(&samples::approvals(&[]));
            let token = request
                .url
                .query_pairs()
                .find(|(key, _)| key == "continuationToken")
                .map_or(0, |(_, token)| token.parse().unwrap());
            empty.insert_header("x-ms-continuationtoken", (token + 1).to_string())
        })
        .mount(&mock)
        .await;
    assert!(matches!(release(&mock).await, Err(AzureError::Endless { .. })));
}

#[tokio::test]
async fn a_filter_that_is_ignored_changes_nothing() {
    let mock = MockServer::start().await;
    answers(&mock, RELEASE, document(&samples::release())).await;
    answers(&mock, APPROVALS, document(&samples::approvals(&[samples::approval(9)]))).await;
    assert_eq!(release(&mock).await.unwrap().stage.approvals.len(), 1);
}

#[tokio::test]
async fn lists_that_disagree_are_no_answer() {
    let mut rejected = samples::approval(9);
    rejected["status"] = json!("rejected");
    let mock = with_approvals(&[samples::approval(9)]).await;
    Mock::given(path(APPROVALS))
        .and(query_param("statusFilter", "rejected"))
        .respond_with(document(&samples::approvals(&[rejected])))
        .with_priority(1)
        .mount(&mock)
        .await;
    assert!(matches!(release(&mock).await, Err(AzureError::Inconsistent { approval: 9, .. })));
}

#[tokio::test]
async fn one_list_that_fails_leaves_no_release() {
    let mock = with_approvals(&[samples::approval(9)]).await;
    Mock::given(path(APPROVALS))
        .and(query_param("statusFilter", "skipped"))
        .respond_with(ResponseTemplate::new(400))
        .with_priority(1)
        .mount(&mock)
        .await;
    assert!(release(&mock).await.is_err());
}

#[test]
fn the_cloud_is_two_servers() {
    let limits = Limits { connect: Duration::ZERO, stall: Duration::ZERO, deadline: Instant::now() };
    let server = Server::new("acme", "forge", None, &Credentials::Anonymous, limits).unwrap();
    let shown = format!("{server:?}");
    assert!(shown.contains("\"dev.azure.com\"") && shown.contains("\"vsrm.dev.azure.com\""), "{shown}");
    assert!(shown.contains("\"/acme/forge/_apis\""), "{shown}");
}

#[test]
fn a_configured_server_may_have_a_path() {
    let limits = Limits { connect: Duration::ZERO, stall: Duration::ZERO, deadline: Instant::now() };
    for url in ["https://tfs.example/tfs", "https://tfs.example/tfs/"] {
        let url = url.parse().unwrap();
        let server = Server::new("acme", "forge", Some(&url), &Credentials::Anonymous, limits).unwrap();
        assert!(format!("{server:?}").contains("\"/tfs/acme/forge/_apis\""), "{server:?}");
    }
    let plain = "http://tfs.example".parse().unwrap();
    let refused = Server::new("acme", "forge", Some(&plain), &Credentials::Anonymous, limits);
    assert!(matches!(refused, Err(AzureError::Client(_))), "{refused:?}");
}
