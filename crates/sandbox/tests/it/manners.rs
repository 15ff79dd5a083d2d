//! Who is admitted, and ECR's habits.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, header};
use registry_copy::{InMemory, TagRule};
use release::{Digest, Repository};
use reqwest::{Client, RequestBuilder, Response, redirect::Policy};
use sandbox::{Account, Admission, Issuer, RegistryOptions, RegistryServer};
use serde_json::{Value, json};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const LIFE: Duration = Duration::from_secs(300);

async fn server(options: RegistryOptions) -> RegistryServer {
    let memory = InMemory::new();
    for name in ["forge/app", "forge/other"] {
        memory.create(&repository(name), TagRule::Immutable);
    }
    RegistryServer::start(memory, options).await.unwrap()
}

fn repository(name: &str) -> Repository {
    name.parse().unwrap()
}

fn client() -> Client {
    Client::builder().redirect(Policy::none()).build().unwrap()
}

async fn issuing() -> RegistryServer {
    let robot = Account { identity_token: Some("identity".to_owned()), ..Account::new("robot", "sesame") };
    let reader =
        Account { pushes: false, repositories: Some(vec![repository("forge/app")]), ..Account::new("reader", "read") };
    let issuer = Issuer {
        service: "forge registry".to_owned(),
        life: LIFE,
        accounts: vec![robot, reader],
        anonymous_pull: true,
    };
    server(RegistryOptions { admission: Admission::Bearer(issuer), deletes: true, ..RegistryOptions::default() }).await
}

fn challenge(response: &Response) -> String {
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    response.headers()[header::WWW_AUTHENTICATE].to_str().unwrap().to_owned()
}

/// A token for a scope, or the status of the refusal.
async fn token(server: &RegistryServer, login: Option<(&str, &str)>, scope: &str) -> Result<String, u16> {
    let request = client().get(format!("{}/token?service=forge%20registry&scope={scope}", server.url()));
    given(match login {
        Some((user, password)) => request.basic_auth(user, Some(password)),
        None => request,
    })
    .await
}

async fn given(request: RequestBuilder) -> Result<String, u16> {
    let response = request.send().await.unwrap();
    match response.status().as_u16() {
        200 => {
            let document: Value = response.json().await.unwrap();
            assert_eq!(document["expires_in"], LIFE.as_secs());
            assert_eq!(document["token"], document["access_token"]);
            Ok(document["token"].as_str().unwrap().to_owned())
        }
        status => Err(status),
    }
}

#[tokio::test]
async fn a_token_is_good_for_what_it_was_given_for() {
    let server = issuing().await;
    let base = server.url();
    let pull = "repository:forge/app:pull";
    let push = "repository:forge/app:pull,push";
    let robot = Some(("robot", "sesame"));
    let reads = |token: String| client().get(format!("{base}/v2/forge/app/tags/list")).bearer_auth(token).send();
    let writes = |token: String| client().post(format!("{base}/v2/forge/app/blobs/uploads/")).bearer_auth(token).send();
    let deletes =
        |token: String| client().delete(format!("{base}/v2/forge/app/manifests/none")).bearer_auth(token).send();
    let elsewhere = |token: String| client().get(format!("{base}/v2/forge/other/tags/list")).bearer_auth(token).send();

    let cases = [
        (robot, pull, [200, 401, 401, 401]),
        (robot, push, [200, 202, 401, 401]),
        (robot, "repository:forge/app:pull,push,delete", [200, 202, 404, 401]),
        (robot, "repository:forge/other:pull", [401, 401, 401, 200]),
        (robot, "repository:forge/app:pull%20repository:forge/other:pull", [200, 401, 401, 200]),
        (Some(("reader", "read")), push, [200, 401, 401, 401]),
        (Some(("reader", "read")), "repository:forge/other:pull", [401, 401, 401, 401]),
        (None, push, [200, 401, 401, 401]),
        (robot, "nonsense", [401, 401, 401, 401]),
    ];
    for (login, scope, due) in cases {
        let token = token(&server, login, scope).await.unwrap();
        let answers = [
            reads(token.clone()).await.unwrap(),
            writes(token.clone()).await.unwrap(),
            deletes(token.clone()).await.unwrap(),
            elsewhere(token).await.unwrap(),
        ];
        assert_eq!(answers.map(|answer| answer.status().as_u16()), due, "{login:?} {scope}");
    }
    for login in [("robot", "wrong"), ("nobody", "sesame")] {
        assert_eq!(token(&server, Some(login), pull).await, Err(401));
    }
}

#[tokio::test]
async fn a_challenge_says_what_to_ask_for() {
    let server = issuing().await;
    let base = server.url();
    let realm = format!("Bearer realm=\"{base}/token\",service=\"forge registry\"");
    let app = format!("{base}/v2/forge/app");
    let cases = [
        (Method::GET, format!("{base}/v2/"), String::new()),
        (Method::HEAD, format!("{app}/manifests/1"), ",scope=\"repository:forge/app:pull\"".to_owned()),
        (Method::PUT, format!("{app}/manifests/1"), ",scope=\"repository:forge/app:pull,push\"".to_owned()),
        (Method::DELETE, format!("{app}/manifests/1"), ",scope=\"repository:forge/app:delete\"".to_owned()),
        (
            Method::POST,
            format!("{app}/blobs/uploads/?mount={}&from=forge/other", Digest::of(b"")),
            ",scope=\"repository:forge/app:pull,push repository:forge/other:pull\"".to_owned(),
        ),
    ];
    for (method, url, scope) in cases {
        let refused = client().request(method, url).send().await.unwrap();
        assert_eq!(challenge(&refused), format!("{realm}{scope}"));
    }
    let token = token(&server, None, "repository:forge/app:pull").await.unwrap();
    let narrow = client().post(format!("{app}/blobs/uploads/")).bearer_auth(&token).send().await.unwrap();
    assert!(challenge(&narrow).ends_with(",error=\"insufficient_scope\""));
    let unknown = client().get(format!("{app}/tags/list")).bearer_auth("unknown").send().await.unwrap();
    assert!(challenge(&unknown).ends_with(",error=\"invalid_token\""));
}

#[tokio::test]
async fn a_token_expires() {
    let server = issuing().await;
    let token = token(&server, None, "repository:forge/app:pull").await.unwrap();
    let reads = || client().get(format!("{}/v2/forge/app/tags/list", server.url())).bearer_auth(&token).send();
    server.pass_time(LIFE - Duration::from_secs(60));
    assert_eq!(reads().await.unwrap().status(), StatusCode::OK);
    server.pass_time(Duration::from_secs(60));
    assert!(challenge(&reads().await.unwrap()).ends_with(",error=\"invalid_token\""));
}

#[tokio::test]
async fn an_identity_token_is_shown_by_post() {
    let server = issuing().await;
    let ask = |form: &'static str| {
        let request = client().post(format!("{}/token", server.url()));
        given(request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form))
    };
    let cases = [
        (
            "grant_type=refresh_token&refresh_token=identity&service=forge+registry&scope=repository:forge/app:pull",
            true,
        ),
        ("grant_type=refresh_token&refresh_token=other&service=forge+registry&scope=repository:forge/app:pull", false),
        ("grant_type=password&username=robot&password=sesame&service=forge+registry", true),
        ("grant_type=password&username=robot&password=wrong&service=forge+registry", false),
        ("grant_type=refresh_token&refresh_token=identity&service=another", false),
        ("service=forge+registry", false),
    ];
    for (form, is_given) in cases {
        assert_eq!(ask(form).await.is_ok(), is_given, "{form}");
    }
}

/// A registry with ECR's manners, and an image in it under the tag 1.
async fn ecr() -> (RegistryServer, Digest, Digest) {
    let server = server(RegistryOptions::ecr("first")).await;
    let blob = Digest::of(b"{}");
    let uploads = format!("{}/v2/forge/app/blobs/uploads/?digest={blob}", server.url());
    assert_eq!(aws(client().post(uploads).body("{}"), "first").await.status(), StatusCode::CREATED);
    let put = put(&server, "1").await;
    assert_eq!(put.status(), StatusCode::CREATED);
    (server, Digest::of(image().as_bytes()), blob)
}

fn image() -> String {
    let config = json!({ "mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::of(b"{}"), "size": 2 });
    json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": [] }).to_string()
}

async fn aws(request: RequestBuilder, token: &str) -> Response {
    request.basic_auth("AWS", Some(token)).send().await.unwrap()
}

async fn put(server: &RegistryServer, tag: &str) -> Response {
    let request = client().put(format!("{}/v2/forge/app/manifests/{tag}", server.url()));
    aws(request.header(header::CONTENT_TYPE, IMAGE).body(image()), "first").await
}

async fn error(response: Response) -> (u16, String, String) {
    let status = response.status().as_u16();
    let document: Value = response.json().await.unwrap();
    let text = |field: &str| document["errors"][0][field].as_str().unwrap().to_owned();
    (status, text("code"), text("message"))
}

#[tokio::test]
async fn an_old_token_of_ecr_has_expired() {
    let (server, ..) = ecr().await;
    let url = format!("{}/v2/forge/app/tags/list", server.url());
    let told = "Your authorization token has expired. Reauthenticate and try again.".to_owned();
    for (replacement, old) in [("second", vec!["first"]), ("third", vec!["first", "second"])] {
        server.replace_token(replacement);
        assert_eq!(aws(client().get(&url), replacement).await.status(), StatusCode::OK);
        for token in old {
            assert_eq!(error(aws(client().get(&url), token).await).await, (403, "DENIED".to_owned(), told.clone()));
        }
    }
    for (user, password) in [("AWS", "never"), ("robot", "third")] {
        let refused = client().get(&url).basic_auth(user, Some(password)).send().await.unwrap();
        assert_eq!(challenge(&refused), format!("Basic realm=\"{}/\",service=\"ecr.amazonaws.com\"", server.url()));
    }
}

#[tokio::test]
async fn ecr_sends_for_its_blobs_elsewhere() {
    let (server, _, blob) = ecr().await;
    let redirect = aws(client().get(format!("{}/v2/forge/app/blobs/{blob}", server.url())), "first").await;
    assert_eq!(redirect.status(), StatusCode::TEMPORARY_REDIRECT);
    let signed = redirect.headers()[header::LOCATION].to_str().unwrap().to_owned();
    let store = server.object_store().unwrap();
    assert!(signed.starts_with(&format!("http://{}/", store.authority())) && store.authority() != server.authority());

    let fetched = client().get(&signed).send().await.unwrap();
    assert_eq!((fetched.status(), fetched.text().await.unwrap()), (StatusCode::OK, "{}".to_owned()));
    let leaked = aws(client().get(&signed), "first").await;
    assert_eq!(leaked.status(), StatusCode::BAD_REQUEST);
    assert!(leaked.text().await.unwrap().contains("Only one auth mechanism allowed"));
    let other = signed.replace("forge/app", "forge/other");
    for (method, url) in
        [(Method::GET, other.as_str()), (Method::GET, &signed[..signed.len() - 1]), (Method::PUT, &signed)]
    {
        assert_eq!(client().request(method, url).send().await.unwrap().status(), StatusCode::FORBIDDEN, "{url}");
    }
    let with = |headers: &HeaderMap| headers.contains_key(header::AUTHORIZATION);
    let leaks: Vec<bool> = store.log().requests().iter().map(|request| with(&request.headers)).collect();
    assert_eq!(leaks, [false, true, false, false, false]);
}

#[tokio::test]
async fn ecr_puts_no_immutable_tag_again() {
    let (server, image, _) = ecr().await;
    let (status, code, message) = error(put(&server, "1").await).await;
    assert_eq!((status, code.as_str()), (400, "TAG_INVALID"));
    assert!(message.contains("immutable"), "{message}");
    assert_eq!(put(&server, &image.to_string()).await.status(), StatusCode::CREATED);
    server.memory().create(&repository("forge/app"), TagRule::Mutable);
    assert_eq!(put(&server, "1").await.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn ecr_drops_who_pushes_to_no_repository() {
    let (server, ..) = ecr().await;
    let never = format!("{}/v2/forge/never", server.url());
    let dropped = client().post(format!("{never}/blobs/uploads/")).basic_auth("AWS", Some("first")).send().await;
    assert!(dropped.unwrap_err().status().is_none());
    assert_eq!(aws(client().get(format!("{never}/tags/list")), "first").await.status(), StatusCode::NOT_FOUND);
    let asked: Vec<u16> = server.log().requests().iter().rev().take(2).map(|request| request.status).collect();
    assert_eq!(asked, [404, 404]);
}

#[tokio::test]
async fn ecr_archives() {
    let (server, image, _) = ecr().await;
    let statuses = async || {
        let mut statuses = Vec::new();
        for reference in ["1".to_owned(), image.to_string()] {
            for method in [Method::HEAD, Method::GET] {
                let url = format!("{}/v2/forge/app/manifests/{reference}", server.url());
                statuses.push(aws(client().request(method, url), "first").await.status().as_u16());
            }
        }
        statuses
    };
    server.archive(&repository("forge/app"), image);
    assert_eq!(statuses().await, [200, 404, 200, 404]);
    server.restore(&repository("forge/app"), image);
    assert_eq!(statuses().await, [200; 4]);
}

#[tokio::test]
async fn deletes_mounts_and_chunks_are_as_they_are_set() {
    let blob = Digest::of(b"blob");
    for (deletes, mounts) in [(true, true), (false, false)] {
        let server = server(RegistryOptions { deletes, mounts, min_chunk: 100, ..RegistryOptions::default() }).await;
        let uploads = format!("{}/v2/forge/app/blobs/uploads/", server.url());
        client().post(format!("{uploads}?digest={blob}")).body("blob").send().await.unwrap();
        let elsewhere = uploads.replace("app", "other");
        let mount = client().post(format!("{elsewhere}?mount={blob}&from=forge/app")).send().await.unwrap();
        assert_eq!(mount.status().as_u16(), if mounts { 201 } else { 202 });
        let delete = client().delete(format!("{}/v2/forge/app/blobs/{blob}", server.url())).send().await.unwrap();
        assert_eq!(delete.status().as_u16(), if deletes { 202 } else { 405 });
        let opened = client().post(&uploads).send().await.unwrap();
        assert_eq!(opened.headers()["oci-chunk-min-length"], "100");
    }
}
