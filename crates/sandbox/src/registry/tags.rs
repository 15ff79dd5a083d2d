use axum::response::Response;
use http::{StatusCode, Uri, header};
use registry_copy::{InMemory, Registry as _};
use release::Repository;
use serde_json::json;

use super::{Failure, uploads::query};
use crate::server::answer;

/// The tags in order, at most `n` of those after `last` (distribution-spec, "Listing Tags").
pub(super) async fn list(memory: &InMemory, repository: &Repository, uri: &Uri) -> Result<Response, Failure> {
    let mut tags: Vec<String> = Vec::new();
    for tag in memory.tags(repository).into_keys() {
        // A tag whose manifest is gone names nothing that can be read.
        if memory.resolve(repository, &tag).await?.is_some() {
            tags.push(tag.to_string());
        }
    }
    let key = |tag: &str| (tag.to_ascii_lowercase(), tag.to_owned());
    tags.sort_by_key(|tag| key(tag));
    if let Some(last) = query(uri, "last") {
        tags.retain(|tag| key(tag) > key(&last));
    }
    let left = tags.len();
    let limit = match query(uri, "n").map(|n| n.parse::<usize>()) {
        Some(Ok(limit)) => Some(limit),
        Some(Err(_)) => return Err(Failure::pagination_invalid()),
        None => None,
    };
    tags.truncate(limit.unwrap_or(left));
    let mut response = answer(StatusCode::OK).with(header::CONTENT_TYPE, "application/json");
    if let (Some(limit), Some(last)) = (limit, tags.last().filter(|_| tags.len() < left)) {
        response =
            response.with(header::LINK, format!("</v2/{repository}/tags/list?n={limit}&last={last}>; rel=\"next\""));
    }
    Ok(response.body(json!({ "name": repository, "tags": tags }).to_string()))
}
