use std::{convert::Infallible, ops::Range};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};
use http::{HeaderMap, StatusCode, header};
use registry_copy::{Descriptor, InMemory, Registry as _};
use release::{Digest, Repository};

use super::{CONTENT_DIGEST, Failure, Manners, Shared};
use crate::server::answer;

/// A blob, or the part of it that a `Range` asks for (RFC 9110, section 14).
pub(super) async fn get(
    memory: &InMemory,
    repository: &Repository,
    digest: &Digest,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    // The size is not known before the bytes are there; the in-memory registry does not ask for it.
    let chunks: Vec<Bytes> = memory.blob(repository, &descriptor(*digest, 0)).await?.try_collect().await?;
    let size: usize = chunks.iter().map(Bytes::len).sum();
    let asked = headers.get(header::RANGE).and_then(|range| Asked::of(range.to_str().ok()?, size));
    let (status, range) = match asked {
        None => (StatusCode::OK, 0..size),
        Some(Asked::Part(range)) => (StatusCode::PARTIAL_CONTENT, range),
        Some(Asked::Nothing) => {
            let response = answer(StatusCode::RANGE_NOT_SATISFIABLE);
            return Ok(response.with(header::CONTENT_RANGE, format!("bytes */{size}")).empty());
        }
    };
    let mut response = answer(status)
        .with(header::CONTENT_TYPE, "application/octet-stream")
        .with(header::CONTENT_LENGTH, range.len().to_string())
        .with(header::ACCEPT_RANGES, "bytes")
        .with(CONTENT_DIGEST, digest.to_string());
    if status == StatusCode::PARTIAL_CONTENT {
        let last = range.end.saturating_sub(1);
        response = response.with(header::CONTENT_RANGE, format!("bytes {}-{last}/{size}", range.start));
    }
    let part = cut(chunks, range).map(Ok::<_, Infallible>);
    Ok(response.body(Body::from_stream(stream::iter(part))))
}

/// Where ECR sends whoever wants a blob that is there.
pub(super) async fn elsewhere(
    shared: &Shared,
    repository: &Repository,
    digest: &Digest,
) -> Result<Option<Response>, Failure> {
    let Some(store) = &shared.object_store else { return Ok(None) };
    drop(shared.memory.blob(repository, &descriptor(*digest, 0)).await?);
    let response = answer(StatusCode::TEMPORARY_REDIRECT).with(header::LOCATION, store.sign(repository, digest));
    Ok(Some(response.with(header::CONTENT_LENGTH, "0").empty()))
}

pub(super) async fn delete(shared: &Shared, repository: &Repository, digest: &Digest) -> Result<Response, Failure> {
    if !shared.options.deletes || shared.options.manners == Manners::Ecr {
        return Err(Failure::unsupported());
    }
    drop(shared.memory.blob(repository, &descriptor(*digest, 0)).await?);
    shared.memory.remove(repository, digest);
    Ok(answer(StatusCode::ACCEPTED).empty())
}

pub(super) fn descriptor(digest: Digest, size: u64) -> Descriptor {
    Descriptor { media_type: "application/octet-stream".to_owned(), digest, size, artifact_type: None }
}

enum Asked {
    Part(Range<usize>),
    Nothing,
}

impl Asked {
    /// What is not one range of bytes is no request for a part.
    fn of(text: &str, size: usize) -> Option<Self> {
        let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
        let (first, last) = (first.trim(), last.trim());
        let range = match (first, last) {
            ("", last) => size.saturating_sub(last.parse().ok()?)..size,
            (first, "") => first.parse().ok()?..size,
            (first, last) => {
                let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
                if first > last {
                    return Some(Self::Nothing);
                }
                first..last.saturating_add(1).min(size)
            }
        };
        Some(if range.is_empty() { Self::Nothing } else { Self::Part(range) })
    }
}

/// The bytes of a range, without copying them.
fn cut(chunks: Vec<Bytes>, range: Range<usize>) -> impl Iterator<Item = Bytes> {
    let mut at = 0;
    chunks.into_iter().filter_map(move |chunk| {
        let begins = at;
        at += chunk.len();
        let within = |place: usize| place.clamp(begins, begins + chunk.len()) - begins;
        let part = within(range.start)..within(range.end);
        (!part.is_empty()).then(|| chunk.slice(part))
    })
}
