//! Documents of each shape, put, read and deleted in each way.

use http::Method;
use release::Digest;

use super::{
    Cases,
    client::{Reply, Target, Verdict, all, holds, manifest},
    repository,
    shapes::{self, Shape},
};

const EVERY_TYPE: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                          application/vnd.docker.distribution.manifest.list.v2+json, \
                          application/vnd.docker.distribution.manifest.v2+json";

pub(super) async fn run(target: &Target, cases: &mut Cases) {
    for shape in shapes::all() {
        prepare(target, repository::MANIFESTS, &shape).await;
        cases.begin(format!("manifests/{}", shape.name));
        put(target, cases, &shape).await;
        read(target, cases, &shape).await;
        tags(target, cases, &shape).await;
        delete(target, cases, &shape).await;
    }
    sparse(target, cases).await;
}

/// Puts what has to be there before a document.
pub(super) async fn prepare(target: &Target, repository: &str, shape: &Shape) {
    for blob in &shape.blobs {
        target.store(repository, blob.clone()).await;
    }
    for child in &shape.children {
        Box::pin(prepare(target, repository, child)).await;
        target.put(repository, &child.digest().to_string(), child.media_type, &child.bytes).await;
    }
}

async fn put(target: &Target, cases: &mut Cases, shape: &Shape) {
    let digest = shape.digest().to_string();
    let again = [("PUT by digest", &*digest), ("PUT by digest again", &*digest), ("PUT by tag", shape.name)];
    for (name, reference) in again.into_iter().chain([("PUT by tag again", shape.name)]) {
        let stored = target.put(repository::MANIFESTS, reference, shape.media_type, &shape.bytes).await;
        let told = stored.says("docker-content-digest", &digest);
        cases.check(name, all([stored.is(201), stored.has("location"), told]));
        if let Some(subject) = &shape.subject {
            cases.check(&format!("{name} names the subject"), stored.says("oci-subject", subject));
        }
    }
    let other = format!("{}-2", shape.name);
    let stored = target.put(repository::MANIFESTS, &other, shape.media_type, &shape.bytes).await;
    cases.check("PUT by another tag", stored.is(201));
    let location = target.call(Method::GET, &stored.location(), &[("accept", shape.media_type)], "").await;
    cases.check("GET of its Location", all([location.is(200), location.brings(&shape.bytes)]));
    let wrong = Digest::of(shape.name.as_bytes()).to_string();
    let refused = target.put(repository::MANIFESTS, &wrong, shape.media_type, &shape.bytes).await;
    cases.check("PUT by another digest", refused.refuses(&[400]));
}

async fn read(target: &Target, cases: &mut Cases, shape: &Shape) {
    let digest = shape.digest().to_string();
    let described = |reply: &Reply| {
        let length = reply.says("content-length", &shape.bytes.len());
        let told = reply.says("docker-content-digest", &digest);
        all([reply.is(200), reply.says("content-type", &shape.media_type), length, told])
    };
    for (name, reference) in [("tag", shape.name), ("digest", &*digest)] {
        let path = manifest(repository::MANIFESTS, reference);
        for (accepting, accept) in [("its type", shape.media_type), ("every type", EVERY_TYPE)] {
            let accept = [("accept", accept)];
            let head = target.call(Method::HEAD, &path, &accept, "").await;
            cases.check(&format!("HEAD by {name}, accepting {accepting}"), all([described(&head), head.brings(b"")]));
            let got = target.call(Method::GET, &path, &accept, "").await;
            let whole = all([described(&got), got.brings(&shape.bytes)]);
            cases.check(&format!("GET by {name}, accepting {accepting}"), whole);
        }
    }
}

async fn tags(target: &Target, cases: &mut Cases, shape: &Shape) {
    let both = [shape.name.to_owned(), format!("{}-2", shape.name)];
    let listed = listed(target).await;
    cases.check("both tags are listed", holds(both.iter().all(|tag| listed.contains(tag)), "not both"));
}

async fn listed(target: &Target) -> Vec<String> {
    let list = target.get(&format!("/v2/{}/tags/list", repository::MANIFESTS)).await.json();
    let tags = list["tags"].as_array().into_iter().flatten();
    tags.filter_map(|tag| tag.as_str()).map(str::to_owned).collect()
}

async fn delete(target: &Target, cases: &mut Cases, shape: &Shape) {
    let (digest, other) = (shape.digest().to_string(), format!("{}-2", shape.name));
    let path = |reference: &str| manifest(repository::MANIFESTS, reference);
    let accept = [("accept", shape.media_type)];
    let get = async |reference: &str| target.call(Method::GET, &path(reference), &accept, "").await;
    let whole = |got: &Reply| -> Verdict { all([got.is(200), got.brings(&shape.bytes)]) };
    cases.check("DELETE of a tag", target.delete(&path(shape.name)).await.is(202));
    cases.check("GET by it afterwards", get(shape.name).await.refuses(&[404]));
    cases.check("it is listed no more", holds(!listed(target).await.contains(&shape.name.to_owned()), "it is"));
    cases.check("GET by the other tag", whole(&get(&other).await));
    cases.check("GET by digest afterwards", whole(&get(&digest).await));

    cases.check("DELETE by digest", target.delete(&path(&digest)).await.is(202));
    cases.check("HEAD by digest after that", target.head(&path(&digest)).await.is(404));
    cases.check("GET by digest after that", get(&digest).await.refuses(&[404]));
    cases.check("GET by the other tag after that", get(&other).await.refuses(&[404]));
    cases.check("the other tag is listed no more", holds(!listed(target).await.contains(&other), "it is"));
    cases.check("DELETE by digest after that", target.delete(&path(&digest)).await.refuses(&[404]));
    let stored = target.put(repository::MANIFESTS, &digest, shape.media_type, &shape.bytes).await;
    cases.check("PUT by digest after that", stored.is(201));
    cases.check("GET by the other tag, which stays gone", get(&other).await.refuses(&[404]));
}

/// A registry may store what lists absent manifests, or refuse it; half is neither.
async fn sparse(target: &Target, cases: &mut Cases) {
    cases.begin("manifests/sparse-index".to_owned());
    let absent = shapes::image("absent from an index", |_| {});
    let index = shapes::index("sparse-index", vec![absent], |_| {});
    let digest = index.digest().to_string();
    let put = target.put(repository::MANIFESTS, &digest, index.media_type, &index.bytes).await;
    cases.check("PUT", put.is_one_of(&[201, 400, 404]));
    let got =
        target.call(Method::GET, &manifest(repository::MANIFESTS, &digest), &[("accept", index.media_type)], "").await;
    let verdict = if put.status == 201 { all([got.is(200), got.brings(&index.bytes)]) } else { got.is(404) };
    cases.check("GET of the whole or of nothing", verdict);
}
