use axum::{
    body::{Body, to_bytes},
    response::Response,
};
use http::{HeaderMap, HeaderName, StatusCode, header};
use registry_copy::{Manifest, Put, Registry as _, TagRule};
use release::{Digest, Repository, Tag};

use super::{CONTENT_DIGEST, Failure, Manners, Shared, route::Reference};
use crate::server::answer;

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

pub(super) async fn get(
    shared: &Shared,
    repository: &Repository,
    reference: &Reference,
    whole: bool,
) -> Result<Response, Failure> {
    let digest = named(shared, repository, reference).await?;
    let manifest = shared.memory.manifest(repository, &digest).await?.ok_or_else(Failure::manifest_unknown)?;
    if whole && shared.is_archived(repository, &digest) {
        return Err(Failure::archived());
    }
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
    let name = match reference {
        Reference::Digest(named) if *named != digest => {
            return Err(Failure::digest_invalid(format!("the manifest's digest is {digest}")));
        }
        Reference::Digest(_) => {
            shared.memory.put(repository, &manifest, None).await?;
            digest.to_string()
        }
        Reference::Tag(tag) => {
            put_under_tag(shared, repository, &manifest, tag).await?;
            tag.to_string()
        }
    };
    let created = answer(StatusCode::CREATED)
        .with(header::LOCATION, format!("/v2/{repository}/manifests/{name}"))
        .with(CONTENT_DIGEST, digest.to_string());
    let subject = manifest.subject().map(|subject| subject.digest.to_string());
    Ok(subject.into_iter().fold(created, |created, subject| created.with(SUBJECT, subject)).empty())
}

async fn put_under_tag(
    shared: &Shared,
    repository: &Repository,
    manifest: &Manifest,
    tag: &Tag,
) -> Result<(), Failure> {
    let memory = &shared.memory;
    let moves = memory.tag_rule(repository, tag).await? == TagRule::Mutable;
    if shared.options.manners == Manners::Ecr
        && !moves
        && let Some(held) = memory.resolve(repository, tag).await?
    {
        return Err(Failure::tag_held(&held));
    }
    match memory.put(repository, manifest, Some(tag)).await? {
        Put::Stored => Ok(()),
        Put::Held(_) if moves => {
            memory.put(repository, manifest, None).await?;
            memory.force_tag(repository, tag, manifest.digest());
            Ok(())
        }
        Put::Held(by) => Err(Failure::tag_held(&by)),
    }
}

/// Takes away a tag, or a manifest with the tags that name it.
pub(super) async fn delete(
    shared: &Shared,
    repository: &Repository,
    reference: &Reference,
) -> Result<Response, Failure> {
    if !shared.options.deletes {
        return Err(Failure::unsupported());
    }
    let memory = &shared.memory;
    let digest = named(shared, repository, reference).await?;
    match reference {
        Reference::Tag(tag) => memory.remove_tag(repository, tag),
        Reference::Digest(_) => {
            memory.manifest(repository, &digest).await?.ok_or_else(Failure::manifest_unknown)?;
            memory.remove(repository, &digest);
            let naming = memory.tags(repository).into_iter().filter(|(_, named)| *named == digest);
            naming.for_each(|(tag, _)| memory.remove_tag(repository, &tag));
        }
    }
    Ok(answer(StatusCode::ACCEPTED).empty())
}

async fn named(shared: &Shared, repository: &Repository, reference: &Reference) -> Result<Digest, Failure> {
    match reference {
        Reference::Digest(digest) => Ok(*digest),
        Reference::Tag(tag) => shared.memory.resolve(repository, tag).await?.ok_or_else(Failure::manifest_unknown),
    }
}
