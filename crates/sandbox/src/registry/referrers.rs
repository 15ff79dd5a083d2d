use axum::response::Response;
use http::{HeaderName, StatusCode, Uri, header};
use registry_copy::{Descriptor, InMemory, Registry as _};
use release::{Digest, Repository};
use serde_json::{Value, json};

use super::{Failure, uploads::query};
use crate::server::answer;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

/// What refers to a manifest, all of it or one type (distribution-spec, "Listing Referrers").
pub(super) async fn list(
    memory: &InMemory,
    repository: &Repository,
    subject: &Digest,
    uri: &Uri,
) -> Result<Response, Failure> {
    let wanted = query(uri, "artifactType");
    let mut manifests = Vec::new();
    for referrer in memory.referrers(repository, subject).await? {
        if wanted.is_none() || wanted == referrer.artifact_type {
            manifests.push(document(memory, repository, &referrer).await?);
        }
    }
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
    let mut response = answer(StatusCode::OK).with(header::CONTENT_TYPE, INDEX);
    if wanted.is_some() {
        response = response.with(FILTERS_APPLIED, "artifactType");
    }
    Ok(response.body(index.to_string()))
}

async fn document(memory: &InMemory, repository: &Repository, referrer: &Descriptor) -> Result<Value, Failure> {
    let mut document = json!({
        "mediaType": referrer.media_type,
        "digest": referrer.digest,
        "size": referrer.size,
    });
    let manifest = memory.manifest(repository, &referrer.digest).await?;
    let own: Value = manifest.and_then(|own| serde_json::from_slice(own.bytes()).ok()).unwrap_or_default();
    if let Some(object) = document.as_object_mut() {
        object.extend(referrer.artifact_type.as_ref().map(|name| ("artifactType".to_owned(), json!(name))));
        object.extend(own.get("annotations").map(|annotations| ("annotations".to_owned(), annotations.clone())));
    }
    Ok(document)
}
