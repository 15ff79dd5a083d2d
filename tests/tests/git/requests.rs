//! What an update costs in requests and connections.

use std::time::Duration;

use guarded_http::Credentials;
use ledger::{Branch, Draft, Outcome, Push, Refusal, Remote, Turn, Turns, smart_http::Server, update};
use release::{CommitId, RunId};
use sandbox::{Act, GitOptions};
use tokio::time::Instant;

use crate::{
    contention::bring,
    hosted::{Hosted, accepted, client_at, manifest},
    scene::{PUSH, Scene},
};

fn main() -> Branch {
    "main".parse().unwrap()
}

/// Brings the change of a number to main and says what that cost.
async fn cost(client: &Server, number: usize) -> u64 {
    let before = client.requests();
    let deadline = Instant::now() + Duration::from_secs(30);
    let outcome = update(client, &main(), &bring(number), deadline).await;
    assert!(matches!(outcome, Ok(Outcome::Updated { attempts: 1, .. })), "{outcome:?}");
    client.requests() - before
}

#[tokio::test]
async fn an_update_is_four_requests_on_one_connection_and_the_next_one_three() {
    let hosted = Hosted::new().await;
    let client = hosted.client();
    assert_eq!(cost(&client, 0).await, 4);
    assert_eq!(hosted.server.connections(), 1);
    // The head, the file, the push: the trees are those that were pushed.
    assert_eq!(cost(&client, 1).await, 3);
    assert_eq!(cost(&client, 2).await, 3);
    assert_eq!(hosted.server.connections(), 1);
    let paths: Vec<String> = hosted.server.log().requests().into_iter().map(|request| request.path).collect();
    let (read, push) = ("/ledger.git/git-upload-pack", "/ledger.git/git-receive-pack");
    assert_eq!(paths, [read, read, read, push, read, read, push, read, read, push]);
}

#[tokio::test]
async fn what_is_read_again_at_one_commit_costs_nothing() {
    let hosted = Hosted::new().await;
    let client = hosted.client();
    let head = client.head(&main()).await.unwrap();
    let (first, second) = ([manifest(1), manifest(2)], [manifest(2), manifest(3)]);
    client.read(&head, &first).await.unwrap();
    assert_eq!(client.requests(), 3);
    client.read(&head, &first).await.unwrap();
    client.list(&head, &"apps".parse().unwrap()).await.unwrap();
    assert_eq!(client.requests(), 3);
    client.read(&head, &second).await.unwrap();
    assert_eq!(client.requests(), 4);
}

#[tokio::test]
async fn a_lost_race_is_two_requests_and_the_push() {
    let hosted = Hosted::new().await;
    let client = hosted.client();
    let read = async || {
        let head = client.head(&main()).await.unwrap();
        let found = client.read(&head, &[manifest(0)]).await.unwrap();
        (head, found[0].clone().unwrap().bytes)
    };
    let (head, _) = read().await;
    hosted.import(&format!("M 100644 inline {}\ndata 7\ntag: 7\n\n", manifest(0)));
    assert_eq!(client.push(&main(), &head, &draft()).await.unwrap(), Push::Stale);
    let before = client.requests();
    let (head, bytes) = read().await;
    assert_eq!((client.requests() - before, &*bytes), (2, &b"tag: 7\n"[..]));
    accepted(&client.push(&main(), &head, &draft()).await.unwrap());
    assert_eq!(client.requests() - before, 3);
    // What was pushed is known too.
    hosted.import(&format!("M 100644 inline {}\ndata 7\ntag: 9\n\n", manifest(0)));
    let before = client.requests();
    assert_eq!(&*read().await.1, b"tag: 9\n");
    assert_eq!(client.requests() - before, 2);
    assert_eq!(hosted.server.connections(), 1);
    hosted.assert_clean();
}

#[tokio::test]
async fn what_a_server_cannot_is_learnt_once() {
    let old = GitOptions { without_v2: true, ..GitOptions::default() };
    // Its refs come with what it says of itself; what it is asked first is in vain.
    for (hosted, first, next) in [
        (Hosted::with(old.clone()).await, 5, 3),
        (Hosted::with(old.clone()).await.configured("uploadpack.allowFilter", "false"), 4, 2),
        (Hosted::with(old).await.configured("uploadpack.allowAnySHA1InWant", "false"), 4, 2),
        (Hosted::new().await.configured("uploadpack.allowFilter", "false"), 5, 2),
    ] {
        let client = hosted.client();
        assert_eq!((cost(&client, 0).await, cost(&client, 1).await), (first, next));
        assert_eq!(hosted.server.connections(), 1);
        hosted.assert_clean();
    }
}

#[tokio::test]
async fn a_colleagues_large_files_are_in_nobodys_way() {
    let hosted = Hosted::new().await;
    let client = hosted.client();
    cost(&client, 0).await;
    // More than one answer may have, and nothing that could be made smaller.
    let mut large =
        b"commit refs/heads/main\ncommitter A <a@b> 1800000000 +0000\ndata 1\nx\nfrom refs/heads/main^0\n".to_vec();
    let mut state = 1_u64;
    for number in 0..70 {
        large.extend(format!("M 100644 inline large/{number}\ndata {}\n", 1 << 20).bytes());
        for _ in 0..(1 << 20) / 4 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            large.extend(((state >> 32) as u32).to_le_bytes());
        }
        large.push(b'\n');
    }
    hosted.stream(&large);
    // What is new since then, in vain; then as a new client.
    assert_eq!(cost(&client, 1).await, 5);
}

#[tokio::test]
async fn a_refusal_by_status_is_one_with_a_turn_too() {
    let scene = Scene::new().await;
    let client = client_at(&scene.url(), Credentials::Anonymous);
    let head = client.head(&main()).await.unwrap();
    let turn = Turn { run: draft().run, branch: main() };
    assert!(client.take(&turn, &head).await.unwrap());
    scene.on(PUSH, 1.., |_| Act::answer(413, "too large"));
    let push = client.push_and_end(&turn, &head, &draft()).await.unwrap();
    assert!(matches!(push, Push::Refused(Refusal::Other(_))), "{push:?}");
}

#[tokio::test]
async fn a_branch_that_was_rewound_is_not_brought_back() {
    let hosted = Hosted::new().await;
    let client = hosted.client();
    let first: CommitId = client.head(&main()).await.unwrap();
    let second = accepted(&client.push(&main(), &first, &draft()).await.unwrap());
    hosted.rewind(&first);
    assert_eq!(client.push(&main(), &second, &draft()).await.unwrap(), Push::Stale);
    assert_eq!(client.head(&main()).await.unwrap(), first);
}

fn draft() -> Draft {
    let run = RunId::new(1_800_000_000_000, 99);
    Draft { files: vec![(manifest(0), "tag: 8\n".into())], message: format!("a\n\nConveyor-Run: {run}\n"), run }
}
