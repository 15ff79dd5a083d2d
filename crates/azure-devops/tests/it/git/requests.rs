//! What an update costs, and who hears of the credentials.

use std::time::Duration;

use guarded_http::Credentials;
use ledger::{LedgerError, Outcome, Refusal, Remote as _, update};
use tokio::time::Instant;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use super::{Ledger, client, draft, forward, main, proposal};

fn in_a_minute() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

#[tokio::test]
async fn an_update_is_three_requests() {
    let ledger = Ledger::start(2).await;
    let client = ledger.client();
    for build in [5, 6] {
        let before = client.requests();
        let outcome = update(&client, &main(), &forward(0, build), in_a_minute()).await.unwrap();
        assert!(matches!(outcome, Outcome::Updated { attempts: 1, .. }), "{outcome:?}");
        assert_eq!(client.requests() - before, 3);
    }
    let asked: Vec<String> =
        ledger.server.log().requests().iter().map(|logged| format!("{} {}", logged.method, logged.path)).collect();
    let root = "/acme/big%20forge/_apis/git/repositories/ledger";
    for (asked, resource) in asked.iter().zip(["GET {root}/refs?", "GET {root}/items?", "POST {root}/pushes?"]) {
        assert!(asked.starts_with(&resource.replace("{root}", root)) && asked.contains("api-version=7.1"), "{asked}");
    }

    let mut both = forward(0, 7);
    both.edits.extend(forward(1, 7).edits);
    let before = client.requests();
    update(&client, &main(), &both, in_a_minute()).await.unwrap();
    assert_eq!(client.requests() - before, 4, "one more for a second file");

    let mut recorded = forward(0, 8);
    recorded.prepends.push(ledger::Prepend {
        file: "records/dev/a0.json".parse().unwrap(),
        item: "{\"build\":\"8\"}".into(),
        keep: 9,
        of: None,
    });
    for requests in [6, 4] {
        let before = client.requests();
        update(&client, &main(), &recorded, in_a_minute()).await.unwrap();
        assert_eq!(client.requests() - before, requests, "two more folders are looked for where none of them is there");
        recorded = ledger::Change { run: super::run(9), edits: forward(0, 9).edits, ..recorded };
        recorded.prepends[0].item = "{\"build\":\"9\"}".into();
    }
}

#[tokio::test]
async fn a_proposal_that_stands_is_not_pushed_again() {
    let ledger = Ledger::start(1).await;
    ledger.server.protect("main");
    let client = ledger.client();
    let outcome = update(&client, &main(), &forward(0, 5), in_a_minute()).await.unwrap();
    assert_eq!(outcome, Outcome::Refused(Refusal::BranchPolicy));

    let head = client.head(&main()).await.unwrap();
    let topic = "conveyor/dev".parse().unwrap();
    let target = main();
    let pushes = || {
        ledger
            .server
            .log()
            .requests()
            .iter()
            .filter(|logged| logged.path.contains("/pushes?") && logged.status == 201)
            .count()
    };
    let mut seen = Vec::new();
    // Another run's trailer does not make another proposal of it; other bytes do, and so does another head.
    for (which, bytes, pushed) in [(1, "x", 1), (2, "x", 1), (3, "y", 2)] {
        let draft = draft(which, "proposed", bytes);
        let manifests = draft.files.iter().map(|(path, _)| path.clone()).collect();
        let proposal = proposal(&target, &head, &draft, &topic, &manifests);
        let requests = client.pull_requests().unwrap();
        let request = requests.propose(proposal).await.unwrap();
        assert_eq!(pushes(), pushed, "{which}");
        assert_eq!(request.adopted, which != 1);
        assert_eq!(request.url.as_str(), format!("{}/pullrequest/{}", ledger.server.url(), request.id));
        seen.push(request);
    }
    assert!(seen.iter().all(|request| request.id == seen[0].id));
    assert_eq!(seen[0].commit, seen[1].commit);
    assert_ne!(seen[0].commit, seen[2].commit);
    let parent = ledger.git(&["rev-parse", &format!("{}^", seen[2].commit)]).await;
    assert_eq!(parent, head.to_string(), "a topic has one commit");
}

#[tokio::test]
async fn credentials_go_to_the_servers_origin_only() {
    let (server, elsewhere) = (MockServer::start().await, MockServer::start().await);
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&elsewhere).await;
    for status in [301, 302, 307, 308] {
        server.reset().await;
        let to = format!("{}/signin", elsewhere.uri());
        Mock::given(any())
            .respond_with(ResponseTemplate::new(status).insert_header("location", to))
            .mount(&server)
            .await;
        let url = format!("{}/acme/forge/_git/ledger", server.uri());
        let secret = Credentials::Basic { user: String::new(), password: "s3cret".into() };
        let remote = client(&url, &secret, Duration::from_secs(30));
        let head = remote.head(&main()).await.unwrap_err();
        assert!(matches!(head, LedgerError::Denied { .. }), "{head:?}");
        assert!(!format!("{head:?} {head} {remote:?}").contains("s3cret"));
        assert_eq!(server.received_requests().await.unwrap().len(), 1);
    }
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}
