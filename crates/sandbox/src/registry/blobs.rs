use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};
use http::{StatusCode, header};
use registry_copy::{Descriptor, Registry as _};
use release::{Digest, Repository};

use super::{CONTENT_DIGEST, Failure, Shared};
use crate::server::answer;

pub(super) async fn get(shared: &Shared, repository: &Repository, digest: &Digest) -> Result<Response, Failure> {
    // The size is not known before the bytes are there; the in-memory registry does not ask for it.
    let blob = descriptor(*digest, 0);
    let chunks: Vec<Bytes> = shared.memory.blob(repository, &blob).await?.try_collect().await?;
    let size: usize = chunks.iter().map(Bytes::len).sum();
    Ok(answer(StatusCode::OK)
        .with(header::CONTENT_TYPE, "application/octet-stream")
        .with(header::CONTENT_LENGTH, size.to_string())
        .with(CONTENT_DIGEST, digest.to_string())
        .body(Body::from_stream(stream::iter(chunks.into_iter().map(Ok::<_, std::convert::Infallible>)))))
}

pub(super) fn descriptor(digest: Digest, size: u64) -> Descriptor {
    Descriptor { media_type: "application/octet-stream".to_owned(), digest, size, artifact_type: None }
}
