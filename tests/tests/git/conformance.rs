//! The suite of the contract, over each way in which a server may speak.

use guarded_http::Credentials;
use ledger::{Branch, LedgerError, Remote, conformance};
use sandbox::GitOptions;

use crate::hosted::{Hosted, client_at};

async fn conforms(hosted: &Hosted, credentials: Credentials) {
    let (main, client): (Branch, _) = ("main".parse().unwrap(), hosted.client_as(credentials));
    conformance::check(&client, &main, async |to| hosted.rewind(&to)).await.unwrap();
    conformance::check_turns(&client, &main).await.unwrap();
    hosted.stream(&conformance::oddities(&main));
    conformance::check_oddities(&client, &main).await.unwrap();
    hosted.assert_clean();
}

fn without_v2() -> GitOptions {
    GitOptions { without_v2: true, ..GitOptions::default() }
}

#[tokio::test]
async fn the_second_protocol() {
    conforms(&Hosted::new().await, Credentials::Anonymous).await;
}

#[tokio::test]
async fn the_first_protocol() {
    conforms(&Hosted::with(without_v2()).await, Credentials::Anonymous).await;
}

#[tokio::test]
async fn no_filter() {
    let hosted = Hosted::new().await.configured("uploadpack.allowFilter", "false");
    conforms(&hosted, Credentials::Anonymous).await;
}

#[tokio::test]
async fn the_first_protocol_and_no_filter() {
    let hosted = Hosted::with(without_v2()).await.configured("uploadpack.allowFilter", "false");
    conforms(&hosted, Credentials::Anonymous).await;
}

#[tokio::test]
async fn the_first_protocol_and_no_object_by_its_id() {
    let hosted = Hosted::with(without_v2()).await.configured("uploadpack.allowAnySHA1InWant", "false");
    conforms(&hosted, Credentials::Anonymous).await;
}

#[tokio::test]
async fn a_repository_with_other_ids_is_told_at_once() {
    let hosted = Hosted::new().await;
    hosted.git(&["init", "--quiet", "--bare", "--object-format=sha256", "--template=", "../other.git"]);
    let client = client_at(&format!("{}/other.git", hosted.server.url()), Credentials::Anonymous);
    let head = client.head(&"main".parse().unwrap()).await;
    assert!(matches!(head, Err(LedgerError::Wire { .. })), "{head:?}");
    assert!(client.requests() <= 3);
}

#[tokio::test]
async fn a_token() {
    let token = "a token";
    let hosted = Hosted::with(GitOptions { token: Some(token.to_owned()), ..GitOptions::default() }).await;
    let main = "main".parse().unwrap();
    for wrong in [Credentials::Anonymous, Credentials::Bearer("another".into())] {
        let head = hosted.client_as(wrong).head(&main).await;
        assert!(matches!(head, Err(LedgerError::Denied { .. })), "{head:?}");
    }
    let basic = Credentials::Basic { user: String::new(), password: token.into() };
    hosted.client_as(basic).head(&main).await.unwrap();
    conforms(&hosted, Credentials::Bearer(token.into())).await;
}
