use release::{Digest, Repository, Tag};

use super::error::Failure;

/// What a path names (distribution-spec, "Endpoints"). A repository's name may hold slashes, so it is read from behind.
pub(super) enum Route {
    Base,
    Blob(Repository, Digest),
    Manifest(Repository, Reference),
    Tags(Repository),
    Referrers(Repository, Digest),
    Uploads(Repository),
    Upload(Repository, String),
}

pub(super) enum Reference {
    Tag(Tag),
    Digest(Digest),
}

impl Route {
    pub(super) fn of(path: &str) -> Result<Self, Failure> {
        let segments: Vec<&str> = path.split('/').collect();
        let repository = |name: &[&str]| name.join("/").parse::<Repository>().map_err(|_| Failure::name_invalid());
        let digest = |text: &str| text.parse::<Digest>().map_err(|_| Failure::digest_invalid("not a sha256 digest"));
        match segments.as_slice() {
            ["", "v2"] | ["", "v2", ""] => Ok(Self::Base),
            ["", "v2", name @ .., "blobs", "uploads", ""] | ["", "v2", name @ .., "blobs", "uploads"] => {
                Ok(Self::Uploads(repository(name)?))
            }
            ["", "v2", name @ .., "blobs", "uploads", id] => Ok(Self::Upload(repository(name)?, (*id).to_owned())),
            ["", "v2", name @ .., "blobs", blob] => Ok(Self::Blob(repository(name)?, digest(blob)?)),
            ["", "v2", name @ .., "manifests", reference] => {
                Ok(Self::Manifest(repository(name)?, Reference::of(reference)?))
            }
            ["", "v2", name @ .., "tags", "list"] => Ok(Self::Tags(repository(name)?)),
            ["", "v2", name @ .., "referrers", subject] => Ok(Self::Referrers(repository(name)?, digest(subject)?)),
            _ => Err(Failure::not_found()),
        }
    }

    pub(super) fn repository(&self) -> Option<&Repository> {
        match self {
            Self::Base => None,
            Self::Blob(repository, _)
            | Self::Manifest(repository, _)
            | Self::Tags(repository)
            | Self::Referrers(repository, _)
            | Self::Uploads(repository)
            | Self::Upload(repository, _) => Some(repository),
        }
    }
}

impl Reference {
    fn of(text: &str) -> Result<Self, Failure> {
        if text.contains(':') {
            let digest = text.parse().map_err(|_| Failure::digest_invalid("not a sha256 digest"))?;
            return Ok(Self::Digest(digest));
        }
        text.parse().map(Self::Tag).map_err(|_| Failure::manifest_unknown())
    }
}
