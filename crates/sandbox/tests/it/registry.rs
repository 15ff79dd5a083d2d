use guarded_http::Credentials;
use http::Method;
use registry_copy::{
    Destination, Layout, Options, Outcome, Registry as _, Source, conformance, copy, http::HttpRegistry, verify,
};
use release::{Digest, Repository};
use reqwest::{Response, StatusCode};
use sandbox::{
    Forge, RegistryServer,
    image::{self, ImageSpec},
};
use tokio::process::Command;

use crate::{forge, limits};

const PAYMENTS: &str = "forge/payments-api";

fn dev(forge: &Forge) -> &RegistryServer {
    forge.registry("dev").unwrap()
}

fn client(forge: &Forge) -> HttpRegistry {
    let sandbox::Credentials { user, password, .. } = forge.credentials().clone();
    let credentials = Credentials::Basic { user, password: password.into() };
    HttpRegistry::new(&dev(forge).authority().parse().unwrap(), &credentials, limits()).unwrap()
}

fn repository() -> Repository {
    PAYMENTS.parse().unwrap()
}

/// A request as a client would make it that does not know our crates.
async fn send(forge: &Forge, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
    let credentials = forge.credentials();
    let request = reqwest::Client::new()
        .request(method, format!("{}{path}", dev(forge).url()))
        .basic_auth(&credentials.user, Some(&credentials.password))
        .body(body.to_owned());
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send().await.unwrap()
}

fn header(response: &Response, name: &str) -> String {
    response.headers()[name].to_str().unwrap().to_owned()
}

async fn code(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let document: serde_json::Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    (status, document["errors"][0]["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn it_is_a_registry() {
    let forge = forge().await;
    let client = client(&forge);
    conformance::check(&client, &repository()).await;
    conformance::check_mount(&client, &repository(), &"forge/orders-api".parse().unwrap()).await;
    conformance::check_referrers(&client, &repository()).await;
}

/// An image with a referrer for two architectures, copied from a layout.
async fn store(forge: &Forge, tag: &str, seed: u64) -> image::Made {
    let directory = tempfile::tempdir().unwrap();
    let architectures = vec!["amd64".to_owned(), "arm64".to_owned()];
    let spec = ImageSpec { layers: vec![200_000, 1_000], architectures, ..ImageSpec::of_seed(seed) };
    let made = image::write(&spec, directory.path()).await.unwrap();
    let layout = Layout::open(directory.path()).await.unwrap();
    let client = client(forge);
    let source = Source { registry: &layout, repository: repository(), digest: made.image };
    let destination = Destination { registry: &client, repository: repository(), tag: tag.parse().unwrap() };
    let outcome = copy(&source, &destination, &Options::until(limits().deadline), &()).await.unwrap();
    assert!(matches!(outcome, Outcome::Copied(_)), "{outcome:?}");
    made
}

#[tokio::test]
async fn skopeo_reads_what_it_holds() {
    let forge = forge().await;
    let made = store(&forge, "48213", 1).await;
    verify(&client(&forge), &repository(), &made.image).await.unwrap();
    let sandbox::Credentials { user, password, .. } = forge.credentials();
    let image = format!("docker://{}/{PAYMENTS}:48213", dev(&forge).authority());
    let login = format!("{user}:{password}");
    let skopeo = async |arguments: &[&str]| {
        let output = Command::new("skopeo").args(arguments).output().await.expect("skopeo is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };

    let raw = skopeo(&["inspect", "--raw", "--tls-verify=false", "--creds", &login, &image]).await;
    assert_eq!(Digest::of(&raw), made.image);
    let inspected = skopeo(&[
        "inspect",
        "--override-arch=arm64",
        "--override-os=linux",
        "--tls-verify=false",
        "--creds",
        &login,
        &image,
    ])
    .await;
    let inspected: serde_json::Value = serde_json::from_slice(&inspected).unwrap();
    assert_eq!((&inspected["Architecture"], &inspected["RepoTags"]), (&"arm64".into(), &vec!["48213"].into()));

    let copied = tempfile::tempdir().unwrap();
    let target = format!("oci:{}:copy", copied.path().display());
    skopeo(&[
        "copy",
        "--quiet",
        "--all",
        "--preserve-digests",
        "--insecure-policy",
        "--src-tls-verify=false",
        "--src-creds",
        &login,
        &image,
        &target,
    ])
    .await;
    assert_eq!(Layout::open(copied.path()).await.unwrap().root(), made.image);
}

#[tokio::test]
async fn a_tag_is_written_once() {
    let forge = forge().await;
    let (one, other) = (store(&forge, "48213", 1).await.image, store(&forge, "48214", 2).await.image);
    let get = async |reference: String| {
        send(&forge, Method::GET, &format!("/v2/{PAYMENTS}/manifests/{reference}"), &[], b"").await
    };
    let bytes = async |digest: Digest| get(digest.to_string()).await.bytes().await.unwrap();
    let put = async |digest: Digest| {
        let headers = [("content-type", "application/vnd.oci.image.index.v1+json")];
        send(&forge, Method::PUT, &format!("/v2/{PAYMENTS}/manifests/48213"), &headers, &bytes(digest).await).await
    };
    let again = put(one).await;
    assert_eq!((again.status(), header(&again, "docker-content-digest")), (StatusCode::CREATED, one.to_string()));
    assert_eq!(code(put(other).await).await, (400, "TAG_INVALID".to_owned()));
    assert_eq!(header(&get("48213".to_owned()).await, "docker-content-digest"), one.to_string());
}

#[tokio::test]
async fn what_its_administrator_does_is_served() {
    let forge = forge().await;
    let (one, other) = (store(&forge, "48213", 1).await.image, store(&forge, "48214", 2).await.image);
    let (client, tag) = (client(&forge), "48213".parse().unwrap());
    assert_eq!(client.resolve(&repository(), &tag).await.unwrap(), Some(one));
    dev(&forge).memory().force_tag(&repository(), &tag, other);
    assert_eq!(client.resolve(&repository(), &tag).await.unwrap(), Some(other));
}

#[tokio::test]
async fn an_upload_in_pieces() {
    let forge = forge().await;
    let opened = send(&forge, Method::POST, &format!("/v2/{PAYMENTS}/blobs/uploads/"), &[], b"").await;
    assert_eq!(opened.status(), StatusCode::ACCEPTED);
    let session = header(&opened, "location");
    let piece =
        async |range: &str, body: &[u8]| send(&forge, Method::PATCH, &session, &[("content-range", range)], body).await;

    let first = piece("0-4", b"hello").await;
    assert_eq!((first.status(), header(&first, "range")), (StatusCode::ACCEPTED, "0-4".to_owned()));
    assert_eq!(piece("4-9", b"again").await.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(header(&piece("5-6", b", ").await, "range"), "0-6");
    let so_far = send(&forge, Method::GET, &session, &[], b"").await;
    assert_eq!((so_far.status(), header(&so_far, "range")), (StatusCode::NO_CONTENT, "0-6".to_owned()));

    let digest = Digest::of(b"hello, world");
    let stored = send(&forge, Method::PUT, &format!("{session}?digest={digest}"), &[], b"world").await;
    assert_eq!((stored.status(), header(&stored, "docker-content-digest")), (StatusCode::CREATED, digest.to_string()));
    let location = header(&stored, "location");
    assert_eq!(send(&forge, Method::GET, &location, &[], b"").await.text().await.unwrap(), "hello, world");
    let head = send(&forge, Method::HEAD, &location, &[], b"").await;
    assert_eq!((header(&head, "content-length"), head.bytes().await.unwrap().len()), ("12".to_owned(), 0));
    assert_eq!(
        code(send(&forge, Method::PATCH, &session, &[], b"more").await).await,
        (404, "BLOB_UPLOAD_UNKNOWN".to_owned())
    );
}

#[tokio::test]
async fn an_upload_in_one_request_or_none() {
    let forge = forge().await;
    let uploads = format!("/v2/{PAYMENTS}/blobs/uploads/");
    let digest = Digest::of(b"whole");
    let stored = send(&forge, Method::POST, &format!("{uploads}?digest={digest}"), &[], b"whole").await;
    assert_eq!(stored.status(), StatusCode::CREATED);
    let refused = send(&forge, Method::POST, &format!("{uploads}?digest={digest}"), &[], b"other").await;
    assert_eq!(code(refused).await, (400, "DIGEST_INVALID".to_owned()));

    let elsewhere = format!("/v2/forge/orders-api/blobs/uploads/?mount={digest}&from={PAYMENTS}");
    assert_eq!(send(&forge, Method::POST, &elsewhere, &[], b"").await.status(), StatusCode::CREATED);
    let nowhere = format!("/v2/forge/orders-api/blobs/uploads/?mount={}&from={PAYMENTS}", Digest::of(b"none"));
    assert_eq!(send(&forge, Method::POST, &nowhere, &[], b"").await.status(), StatusCode::ACCEPTED);

    let session = header(&send(&forge, Method::POST, &uploads, &[], b"").await, "location");
    let others = session.replace("payments", "orders");
    assert_eq!(
        code(send(&forge, Method::DELETE, &others, &[], b"").await).await,
        (404, "BLOB_UPLOAD_UNKNOWN".to_owned())
    );
    assert_eq!(send(&forge, Method::DELETE, &session, &[], b"").await.status(), StatusCode::NO_CONTENT);
    assert_eq!(send(&forge, Method::DELETE, &session, &[], b"").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_wrong_has_its_code() {
    let forge = forge().await;
    let none = Digest::of(b"none");
    let cases = [
        (Method::GET, "/v2/forge/unknown/tags/list".to_owned(), 404, "NAME_UNKNOWN"),
        (Method::GET, "/v2/Forge/tags/list".to_owned(), 400, "NAME_INVALID"),
        (Method::GET, format!("/v2/{PAYMENTS}/blobs/{none}"), 404, "BLOB_UNKNOWN"),
        (Method::GET, format!("/v2/{PAYMENTS}/blobs/sha256:1"), 400, "DIGEST_INVALID"),
        (Method::GET, format!("/v2/{PAYMENTS}/manifests/{none}"), 404, "MANIFEST_UNKNOWN"),
        (Method::GET, format!("/v2/{PAYMENTS}/manifests/48213"), 404, "MANIFEST_UNKNOWN"),
        (Method::PUT, format!("/v2/{PAYMENTS}/manifests/48213"), 400, "MANIFEST_INVALID"),
        (Method::DELETE, format!("/v2/{PAYMENTS}/manifests/48213"), 405, "UNSUPPORTED"),
        (Method::GET, "/v1/search".to_owned(), 404, "UNSUPPORTED"),
    ];
    for (method, path, status, expected) in cases {
        assert_eq!(code(send(&forge, method, &path, &[], b"").await).await, (status, expected.to_owned()), "{path}");
    }
    let large = vec![b' '; (4 << 20) + 1];
    let put = send(&forge, Method::PUT, &format!("/v2/{PAYMENTS}/manifests/48213"), &[], &large).await;
    assert_eq!(code(put).await, (413, "SIZE_INVALID".to_owned()));
}

#[tokio::test]
async fn a_manifest_says_which_part_it_lacks() {
    let forge = forge().await;
    let part = Digest::of(b"none");
    let config = serde_json::json!({ "mediaType": "application/vnd.oci.empty.v1+json", "digest": part, "size": 4 });
    let manifest = serde_json::json!({ "schemaVersion": 2, "config": config, "layers": [] }).to_string();
    let path = format!("/v2/{PAYMENTS}/manifests/48213");
    let headers = [("content-type", "application/vnd.oci.image.manifest.v1+json")];
    let refused = send(&forge, Method::PUT, &path, &headers, manifest.as_bytes()).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let document: serde_json::Value = serde_json::from_slice(&refused.bytes().await.unwrap()).unwrap();
    assert_eq!(document["errors"][0]["code"], "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(document["errors"][0]["detail"], part.to_string());
}

#[tokio::test]
async fn tags_are_listed() {
    let forge = forge().await;
    store(&forge, "48213", 1).await;
    let list = send(&forge, Method::GET, &format!("/v2/{PAYMENTS}/tags/list"), &[], b"").await;
    let list: serde_json::Value = serde_json::from_slice(&list.bytes().await.unwrap()).unwrap();
    assert_eq!(list, serde_json::json!({ "name": PAYMENTS, "tags": ["48213"] }));
}
