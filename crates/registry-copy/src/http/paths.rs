use std::fmt;

use release::{Digest, Repository, Tag};

/// What names a manifest in a path.
///
/// Digests, tags and names come into URLs here and nowhere else. Their grammars hold no character that means something
/// in a path or query.
#[derive(Clone, Copy)]
pub(super) enum Reference<'a> {
    Tag(&'a Tag),
    Digest(&'a Digest),
    /// The tag under which referrers are listed where a registry does not do so itself (distribution-spec, "Referrers
    /// Tag Schema").
    Referrers(&'a Digest),
}

impl fmt::Display for Reference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => write!(f, "{tag}"),
            Self::Digest(digest) => write!(f, "{digest}"),
            Self::Referrers(digest) => write!(f, "sha256-{}", digest.hex()),
        }
    }
}

pub(super) fn manifest(repository: &Repository, reference: Reference<'_>) -> String {
    format!("/v2/{repository}/manifests/{reference}")
}

pub(super) fn blob(repository: &Repository, digest: &Digest) -> String {
    format!("/v2/{repository}/blobs/{digest}")
}

pub(super) fn uploads(repository: &Repository) -> String {
    format!("/v2/{repository}/blobs/uploads/")
}

pub(super) fn mount(repository: &Repository, from: &Repository, digest: &Digest) -> String {
    format!("/v2/{repository}/blobs/uploads/?mount={digest}&from={from}")
}

pub(super) fn referrers(repository: &Repository, digest: &Digest) -> String {
    format!("/v2/{repository}/referrers/{digest}")
}

/// A page of the tags, with one of them.
pub(super) fn one_tag(repository: &Repository) -> String {
    format!("/v2/{repository}/tags/list?n=1")
}

/// What a token must allow to read from a repository (distribution, "Token Scope Documentation").
pub(super) fn read_scope(repository: &Repository) -> String {
    format!("repository:{repository}:pull")
}

/// The same to write to it.
pub(super) fn write_scope(repository: &Repository) -> String {
    format!("repository:{repository}:pull,push")
}
