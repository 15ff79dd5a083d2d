//! Uploads that go wrong, or are called off.

use http::Method;
use release::Digest;

use super::{
    Cases,
    client::{Reply, Target, all, blob, with_digest},
    repository,
};

/// Chunks as large as any registry wants them.
const CHUNK: usize = 5 << 20;

pub(super) async fn run(target: &Target, cases: &mut Cases) {
    out_of_order(target, cases).await;
    called_off(target, cases).await;
    wrong_digest(target, cases).await;
    strangers(target, cases).await;
}

async fn patch(target: &Target, session: &str, first: usize, chunk: &[u8]) -> Reply {
    let range = format!("{first}-{}", first + chunk.len() - 1);
    target.call(Method::PATCH, session, &[("content-range", &range)], chunk.to_vec()).await
}

async fn out_of_order(target: &Target, cases: &mut Cases) {
    let bytes: Vec<u8> = (0..3 * CHUNK).map(|at| (at % 253) as u8).collect();
    let (first, second, third) = (&bytes[..CHUNK], &bytes[CHUNK..2 * CHUNK], &bytes[2 * CHUNK..]);
    cases.begin("uploads/out of order".to_owned());
    let session = target.open(repository::UPLOADS).await.location();
    cases.check("the second chunk first", patch(target, &session, CHUNK, second).await.is(416));
    cases.check("the second chunk first: the session is still there", target.get(&session).await.is(204));
    let mut session = target.open(repository::UPLOADS).await.location();
    let steps = [
        ("the first chunk", 0, first, 202),
        ("the first chunk again", 0, first, 416),
        ("the third chunk before the second", 2 * CHUNK, third, 416),
        ("a chunk that overlaps", CHUNK - 1, second, 416),
        ("a chunk that leaves one byte out", CHUNK + 1, second, 416),
        ("the second chunk", CHUNK, second, 202),
    ];
    let mut received = 0;
    for (name, begin, chunk, due) in steps {
        let reply = patch(target, &session, begin, chunk).await;
        cases.check(name, reply.is(due));
        if reply.status / 100 == 2 {
            (session, received) = (reply.location(), begin + chunk.len());
        }
        let status = target.get(&session).await;
        let so_far = format!("0-{}", received.saturating_sub(1));
        cases.check(
            &format!("{name}: the session tells how far it is"),
            all([status.is(204), status.says("range", &so_far)]),
        );
    }
    let digest = Digest::of(&bytes);
    let range = format!("{CHUNK}-{}", 2 * CHUNK - 1);
    let wrong = [("content-range", &*range)];
    let misplaced = target.call(Method::PUT, &with_digest(&session, &digest), &wrong, third.to_vec()).await;
    cases.check("a last chunk that overlaps", misplaced.is(416));
    let range = format!("{}-{}", 2 * CHUNK, 3 * CHUNK - 1);
    let right = [("content-range", &*range)];
    let stored = target.call(Method::PUT, &with_digest(&session, &digest), &right, third.to_vec()).await;
    cases.check("the last chunk", all([stored.is(201), stored.says("docker-content-digest", &digest)]));
    let fetched = target.fetch(&blob(repository::UPLOADS, &digest), &[]).await;
    cases.check("the blob is whole", all([fetched.is(200), fetched.brings(&bytes)]));
}

async fn called_off(target: &Target, cases: &mut Cases) {
    for (name, received) in [("before the first chunk", false), ("after a chunk", true)] {
        cases.begin(format!("uploads/called off {name}"));
        let mut session = target.open(repository::UPLOADS).await.location();
        if received {
            session = patch(target, &session, 0, b"some bytes").await.location();
        }
        cases.check("DELETE", target.delete(&session).await.is(204));
        cases.check("GET after it", target.get(&session).await.refuses(&[404]));
        cases.check("PATCH after it", patch(target, &session, 0, b"more").await.refuses(&[404]));
        let put = target.call(Method::PUT, &with_digest(&session, &Digest::of(b"more")), &[], "more").await;
        cases.check("PUT after it", put.refuses(&[404]));
        cases.check("DELETE after it", target.delete(&session).await.refuses(&[404]));
    }
}

async fn wrong_digest(target: &Target, cases: &mut Cases) {
    let wrong = Digest::of(b"something else");
    cases.begin("uploads/a digest that is not the bytes'".to_owned());
    let uploads = format!("/v2/{}/blobs/uploads/", repository::UPLOADS);
    let posted = target.call(Method::POST, &with_digest(&uploads, &wrong), &[], "some bytes").await;
    // Who asks for the two requests has not looked at the bytes yet.
    let refused = if posted.status == 202 { Ok(()) } else { posted.refuses(&[400]) };
    cases.check("in one POST", refused);
    let session = target.open(repository::UPLOADS).await.location();
    cases.check(
        "in a PUT",
        target.call(Method::PUT, &with_digest(&session, &wrong), &[], "bytes").await.refuses(&[400]),
    );
    let session = target.open(repository::UPLOADS).await.location();
    let session = patch(target, &session, 0, b"some bytes").await.location();
    let put = target.call(Method::PUT, &with_digest(&session, &wrong), &[], "").await;
    cases.check("in a PUT after a PATCH", put.refuses(&[400]));
    let held = target.store(repository::UPLOADS, "a blob that is there").await;
    let session = target.open(repository::UPLOADS).await.location();
    let put = target.call(Method::PUT, &with_digest(&session, &held), &[], "bytes").await;
    cases.check("in a PUT, of a blob that is there", put.refuses(&[400]));
    cases.check("nothing is stored", target.head(&blob(repository::UPLOADS, &wrong)).await.is(404));

    for (name, digest) in [("none", None), ("no digest", Some("sha256:short")), ("another algorithm", Some("md5:0123"))]
    {
        let session = target.open(repository::UPLOADS).await.location();
        let joint = if session.contains('?') { '&' } else { '?' };
        let path = digest.map_or(session.clone(), |digest| format!("{session}{joint}digest={digest}"));
        let put = target.call(Method::PUT, &path, &[], "bytes").await;
        cases.check(&format!("in a PUT: {name}"), put.refuses(&[400]));
    }
}

async fn strangers(target: &Target, cases: &mut Cases) {
    cases.begin("uploads/a session that is not there".to_owned());
    let session = target.open(repository::UPLOADS).await.location();
    let elsewhere = session.replace(repository::UPLOADS, repository::BLOBS);
    let unknown = format!("/v2/{}/blobs/uploads/3d8d37ac-8e7a-4a0c-a3b0-4d0c5c8a6f7e", repository::UPLOADS);
    for (name, path) in [("unknown", unknown), ("of another repository", elsewhere)] {
        cases.check(&format!("GET: {name}"), target.get(&path).await.refuses(&[404]));
        cases.check(&format!("PATCH: {name}"), patch(target, &path, 0, b"bytes").await.refuses(&[404]));
        let put = target.call(Method::PUT, &with_digest(&path, &Digest::of(b"bytes")), &[], "bytes").await;
        cases.check(&format!("PUT: {name}"), put.refuses(&[404]));
        cases.check(&format!("DELETE: {name}"), target.delete(&path).await.refuses(&[404]));
    }
    cases.check("the one that is there", target.get(&session).await.is(204));
}
