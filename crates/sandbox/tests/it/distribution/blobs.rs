//! Blobs of each shape, put in each way, and read in each way.

use bytes::Bytes;
use http::Method;
use release::Digest;

use super::{
    Cases,
    client::{Target, all, blob, with_digest},
    repository,
};

const SHAPES: [(&str, usize); 6] =
    [("empty", 0), ("one-byte", 1), ("text", 11), ("100-kb", 100_000), ("1-mib", 1 << 20), ("11-mib", 11 << 20)];

#[derive(Clone, Copy)]
enum Way {
    PostWhole,
    PostAndPut,
    Streamed,
    Chunked,
    ChunkAndPut,
    Mounted,
    MountedFromAnywhere,
}

const WAYS: [(&str, Way); 7] = [
    ("post-whole", Way::PostWhole),
    ("post-and-put", Way::PostAndPut),
    ("streamed", Way::Streamed),
    ("chunked", Way::Chunked),
    ("chunk-and-put", Way::ChunkAndPut),
    ("mounted", Way::Mounted),
    ("mounted-from-anywhere", Way::MountedFromAnywhere),
];

pub(super) async fn run(target: &Target, cases: &mut Cases) {
    for (shape, size) in SHAPES {
        for (seed, (name, way)) in WAYS.into_iter().enumerate() {
            let mut random = fastrand::Rng::with_seed(seed as u64);
            let block: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(size.min(4096)).collect();
            let bytes = Bytes::from(block.repeat(size.div_ceil(4096).max(1))).slice(..size);
            cases.begin(format!("blobs/{shape}/{name}"));
            put(target, cases, way, &bytes).await;
            read(target, cases, &bytes).await;
            delete(target, cases, &Digest::of(&bytes)).await;
        }
    }
}

async fn put(target: &Target, cases: &mut Cases, way: Way, bytes: &Bytes) {
    let digest = Digest::of(bytes);
    let uploads = format!("/v2/{}/blobs/uploads/", repository::BLOBS);
    let elsewhere = repository::ELSEWHERE;
    if let Way::Mounted | Way::MountedFromAnywhere = way {
        target.store(elsewhere, bytes.clone()).await;
    }
    let octets = ("content-type", "application/octet-stream");
    let opened = match way {
        Way::PostWhole => target.call(Method::POST, &with_digest(&uploads, &digest), &[octets], bytes.clone()).await,
        Way::Mounted => target.call(Method::POST, &format!("{uploads}?mount={digest}&from={elsewhere}"), &[], "").await,
        Way::MountedFromAnywhere => target.call(Method::POST, &format!("{uploads}?mount={digest}"), &[], "").await,
        _ => target.open(repository::BLOBS).await,
    };
    match way {
        // A registry may ask for the two requests.
        Way::PostWhole => cases.check("POST", all([opened.is_one_of(&[201, 202]), opened.has("location")])),
        Way::Mounted | Way::MountedFromAnywhere => cases.check("POST", all([opened.is(201), opened.has("location")])),
        _ => cases.check("POST", all([opened.is(202), opened.has("location")])),
    }
    let mut session = opened.location();
    let mut rest = bytes.clone();
    for (number, length) in chunks(way, bytes.len()).into_iter().enumerate() {
        let first = bytes.len() - rest.len();
        let chunk = rest.split_to(length);
        let range = format!("{first}-{}", (first + length).saturating_sub(1));
        let sized = [octets, ("content-range", &*range)];
        let headers = if let Way::Streamed = way { &sized[..1] } else { &sized[..] };
        let reply = target.call(Method::PATCH, &session, headers, chunk).await;
        let so_far = format!("0-{}", (first + length).saturating_sub(1));
        let verdict = all([reply.is(202), reply.has("location"), reply.says("range", &so_far)]);
        cases.check(&format!("PATCH {}", number + 1), verdict);
        if reply.status / 100 == 2 {
            session = reply.location();
        }
        let status = target.get(&session).await;
        let verdict = all([status.is(204), status.has("location"), status.says("range", &so_far)]);
        cases.check(&format!("GET of the session after PATCH {}", number + 1), verdict);
    }
    let stored = match opened.status {
        201 => opened,
        _ => target.call(Method::PUT, &with_digest(&session, &digest), &[octets], rest).await,
    };
    cases.check("the blob is stored", all([stored.is(201), stored.has("location")]));
    cases.check("its digest is told", stored.says("docker-content-digest", &digest));
    let there = target.head(&stored.location()).await;
    cases.check("HEAD of its Location", all([there.is(200), there.says("content-length", &bytes.len())]));
}

/// The lengths of the chunks before the last request.
fn chunks(way: Way, size: usize) -> Vec<usize> {
    match way {
        Way::Streamed => vec![size],
        // No chunk is smaller than ECR wants it, but for the last.
        Way::Chunked if size > 10 << 20 => vec![5 << 20, 5 << 20, size - (10 << 20)],
        Way::Chunked if size > 2 => vec![size / 3, size / 3, size - 2 * (size / 3)],
        Way::Chunked if size > 0 => vec![size],
        Way::ChunkAndPut if size > 1 => vec![size / 2],
        _ => vec![],
    }
}

async fn read(target: &Target, cases: &mut Cases, bytes: &Bytes) {
    let path = blob(repository::BLOBS, &Digest::of(bytes));
    let head = target.head(&path).await;
    cases.check("HEAD", all([head.is(200), head.says("content-length", &bytes.len()), head.brings(b"")]));
    cases.check("HEAD tells the digest", head.says("docker-content-digest", &Digest::of(bytes)));
    let got = target.get(&path).await;
    cases.check("GET answers itself", all([got.is(200), got.brings(bytes)]));
    let fetched = target.fetch(&path, &[]).await;
    let length = fetched.says("content-length", &bytes.len());
    cases.check("GET brings it", all([fetched.is(200), length, fetched.brings(bytes)]));

    let size = bytes.len();
    if size == 0 {
        return;
    }
    let half = size / 2;
    let ranges = [
        ("first byte", "bytes=0-0".to_owned(), 0..1),
        ("from the middle", format!("bytes={half}-"), half..size),
        ("all but the first", format!("bytes=1-{}", size + 10), 1..size),
        ("last byte", "bytes=-1".to_owned(), size - 1..size),
    ];
    for (name, range, part) in ranges {
        let fetched = target.fetch(&path, &[("range", &range)]).await;
        let verdict = if part.is_empty() {
            fetched.is(416)
        } else {
            let told = format!("bytes {}-{}/{size}", part.start, part.end - 1);
            all([fetched.is(206), fetched.says("content-range", &told), fetched.brings(&bytes[part])])
        };
        cases.check(&format!("GET of a range: {name}"), verdict);
    }
    let beyond = target.fetch(&path, &[("range", &format!("bytes={size}-"))]).await;
    cases.check("GET of a range: beyond the end", beyond.is(416));
}

async fn delete(target: &Target, cases: &mut Cases, digest: &Digest) {
    let path = blob(repository::BLOBS, digest);
    cases.check("DELETE", target.delete(&path).await.is(202));
    cases.check("HEAD after it", target.head(&path).await.is(404));
    cases.check("GET after it", target.get(&path).await.refuses(&[404]));
    cases.check("DELETE after it", target.delete(&path).await.refuses(&[404]));
}
