//! What is not there or not well formed.

use bytes::Bytes;
use http::Method;
use release::Digest;

use super::{
    Cases,
    client::{Target, blob, manifest},
    manifests::prepare,
    repository,
    shapes::{self, IMAGE, INDEX},
};

const LARGEST: usize = 4 << 20;

pub(super) async fn run(target: &Target, cases: &mut Cases) {
    absent(target, cases).await;
    names(target, cases).await;
    documents(target, cases).await;
    cases.begin("refused/base".to_owned());
    cases.check("GET of the base", target.get("/v2/").await.is(200));
}

async fn absent(target: &Target, cases: &mut Cases) {
    let none = Digest::of(b"none");
    cases.begin("refused/what is not there".to_owned());
    for (where_, repository) in
        [("here", repository::BLOBS), ("in a repository that is not there", "conformance/never")]
    {
        let things = [
            ("blob", blob(repository, &none)),
            ("manifest by digest", manifest(repository, &none.to_string())),
            ("manifest by tag", manifest(repository, "none")),
        ];
        for (thing, path) in things {
            cases.check(&format!("HEAD of a {thing} {where_}"), target.head(&path).await.is(404));
            cases.check(&format!("GET of a {thing} {where_}"), target.get(&path).await.refuses(&[404]));
        }
    }
    for (thing, reference) in [("digest", none.to_string()), ("tag", "none".to_owned())] {
        let deleted = target.delete(&manifest(repository::BLOBS, &reference)).await;
        cases.check(&format!("DELETE of a manifest by {thing}"), deleted.refuses(&[404]));
    }
}

async fn names(target: &Target, cases: &mut Cases) {
    cases.begin("refused/names".to_owned());
    let malformed = [
        ("short", "sha256:123"),
        ("of other letters", "sha256:zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"),
        ("without an algorithm", ":e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("of an unknown algorithm", "md4:e3b0c44298fc1c149afbf4c8996fb924"),
    ];
    for (name, digest) in malformed {
        let path = format!("/v2/{}/blobs/{digest}", repository::BLOBS);
        cases.check(&format!("GET of a blob by a digest {name}"), target.get(&path).await.is_one_of(&[400, 404]));
        cases.check(&format!("HEAD of a blob by a digest {name}"), target.head(&path).await.is_one_of(&[400, 404]));
        let path = manifest(repository::BLOBS, digest);
        cases.check(&format!("GET of a manifest by a digest {name}"), target.get(&path).await.is_one_of(&[400, 404]));
        let put = target.put(repository::BLOBS, digest, IMAGE, &Bytes::from_static(b"{}")).await;
        cases.check(&format!("PUT of a manifest by a digest {name}"), put.is_one_of(&[400, 404]));
    }
    for (name, repository) in
        [("upper case", "Conformance/App"), ("a dot first", ".app/app"), ("two dots", "conformance/a..b")]
    {
        let path = manifest(repository, "1");
        cases.check(&format!("GET in a repository with {name}"), target.get(&path).await.is_one_of(&[400, 404]));
        let opened = target.open(repository).await;
        cases.check(&format!("POST to a repository with {name}"), opened.is_one_of(&[400, 404]));
    }
}

/// A document that is none, or lacks what it lists.
async fn documents(target: &Target, cases: &mut Cases) {
    cases.begin("refused/documents".to_owned());
    let whole = shapes::image("refused", |_| {});
    prepare(target, repository::MANIFESTS, &whole).await;
    let part_missing = shapes::image("refused for a part", |_| {});
    let two_shapes = shapes::image("refused", |document| document["manifests"] = serde_json::json!([]));
    let long = "x".repeat(LARGEST);
    let too_large = shapes::image("refused", |document| document["annotations"] = serde_json::json!({ "long": long }));
    let documents = [
        ("nothing", IMAGE, Bytes::new(), &[400][..]),
        ("no JSON", IMAGE, Bytes::from_static(b"no JSON"), &[400]),
        ("a list", IMAGE, Bytes::from_static(b"[]"), &[400]),
        ("half of a document", IMAGE, whole.bytes.slice(..whole.bytes.len() / 2), &[400]),
        ("another type than it says", INDEX, whole.bytes.clone(), &[400]),
        ("an unknown type", "application/json", whole.bytes.clone(), &[400, 415]),
        ("an image and an index at once", IMAGE, two_shapes.bytes, &[400]),
        ("an image whose blobs are missing", IMAGE, part_missing.bytes, &[400, 404]),
        ("more than 4 MiB", IMAGE, too_large.bytes, &[413]),
    ];
    for (name, media_type, document, due) in documents {
        let put = target.put(repository::MANIFESTS, "refused", media_type, &document).await;
        cases.check(&format!("PUT of {name}"), put.refuses(due));
        let got = target.call(Method::GET, &manifest(repository::MANIFESTS, "refused"), &[], "").await;
        cases.check(&format!("GET after {name}"), got.is(404));
    }
}
