use axum::{
    body::{Body, to_bytes},
    response::Response,
};
use http::{HeaderMap, HeaderName, StatusCode, header};
use registry_copy::{Descriptor, Manifest, Put, Registry as _};
use release::{Digest, Repository};
use serde_json::{Value, json};

use super::{CONTENT_DIGEST, Failure, Shared, route::Reference};
use crate::server::answer;

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

pub(super) async fn get(shared: &Shared, repository: &Repository, reference: &Reference) -> Result<Response, Failure> {
    let digest = match reference {
        Reference::Digest(digest) => Some(*digest),
        Reference::Tag(tag) => shared.memory.resolve(repository, tag).await?,
    };
    let digest = digest.ok_or_else(Failure::manifest_unknown)?;
    let manifest = shared.memory.manifest(repository, &digest).await?.ok_or_else(Failure::manifest_unknown)?;
    Ok(answer(StatusCode::OK)
        .with(header::CONTENT_TYPE, manifest.media_type())
        .with(header::CONTENT_LENGTH, manifest.bytes().len().to_string())
        .with(CONTENT_DIGEST, digest.to_string())
        .body(manifest.bytes().clone()))
}

pub(super) async fn put(
    shared: &Shared,
    repository: &Repository,
    reference: &Reference,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let bytes = to_bytes(body, Manifest::MAX_SIZE).await.map_err(|_| Failure::too_large())?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let manifest =
        Manifest::parse(content_type, bytes).map_err(|refused| Failure::manifest_invalid(refused.to_string()))?;
    let digest = manifest.digest();
    let (tag, name) = match reference {
        Reference::Digest(named) if *named != digest => {
            return Err(Failure::digest_invalid(format!("the manifest's digest is {digest}")));
        }
        Reference::Digest(_) => (None, digest.to_string()),
        Reference::Tag(tag) => (Some(tag), tag.to_string()),
    };
    match shared.memory.put(repository, &manifest, tag).await? {
        Put::Held(by) => Err(Failure::tag_held(&by)),
        Put::Stored => {
            let created = answer(StatusCode::CREATED)
                .with(header::LOCATION, format!("/v2/{repository}/manifests/{name}"))
                .with(CONTENT_DIGEST, digest.to_string());
            let subject = manifest.subject().map(|subject| subject.digest.to_string());
            Ok(subject.into_iter().fold(created, |created, subject| created.with(SUBJECT, subject)).empty())
        }
    }
}

pub(super) async fn referrers(shared: &Shared, repository: &Repository, subject: &Digest) -> Result<Response, Failure> {
    const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    let manifests: Vec<Value> = shared.memory.referrers(repository, subject).await?.iter().map(document).collect();
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
    Ok(super::json(StatusCode::OK, INDEX, index.to_string()))
}

fn document(descriptor: &Descriptor) -> Value {
    let mut document = json!({
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size,
    });
    if let (Some(object), Some(artifact_type)) = (document.as_object_mut(), &descriptor.artifact_type) {
        object.insert("artifactType".to_owned(), json!(artifact_type));
    }
    document
}
