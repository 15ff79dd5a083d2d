//! What a registry's answers mean, where they are not the expected ones.

use guarded_http::{HeaderName, HttpError, Response, StatusCode, header};
use release::{Digest, Repository};

use super::{HttpRegistry, wire::refusals};
use crate::{ManifestError, RegistryError};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

impl HttpRegistry {
    /// Makes sure that it is the registry which says that a manifest is not there, or has no such repository: a proxy
    /// without a backend answers 404 as well, and then the tag may well be taken.
    pub(super) fn absent(&self, repository: &Repository, response: &Response) -> Result<(), RegistryError> {
        const ABSENT: [&str; 3] = ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"];
        if refusals::parse(response.bytes()).say(&ABSENT) {
            return Ok(());
        }
        Err(self.protocol(repository, "it answers 404 without an error of a registry"))
    }

    /// What a status means that is not one that was hoped for.
    pub(super) fn refusal(&self, repository: &Repository, response: Response) -> RegistryError {
        if response.status() == StatusCode::UNAUTHORIZED {
            return self.unauthorized(repository, schemes(&response));
        }
        let refusals = refusals::parse(response.bytes());
        if refusals.say(&["NAME_UNKNOWN"]) {
            return RegistryError::NoRepository { repository: repository.clone() };
        }
        match refusals.missing_part() {
            Some(part) => RegistryError::PartMissing { repository: repository.clone(), part },
            None => response.into_error().into(),
        }
    }

    /// The same for an error, which knows the status alone.
    pub(super) fn fault(&self, repository: &Repository, error: HttpError) -> RegistryError {
        match error {
            HttpError::Status { status: StatusCode::UNAUTHORIZED, .. } => self.unauthorized(repository, None),
            error => error.into(),
        }
    }

    fn unauthorized(&self, repository: &Repository, scheme: Option<String>) -> RegistryError {
        let known = self.tokens.as_ref().is_none_or(|tokens| tokens.has_credentials());
        RegistryError::Unauthorized { at: self.at(repository), known, scheme }
    }

    pub(super) fn protocol(&self, repository: &Repository, what: &'static str) -> RegistryError {
        RegistryError::Protocol { at: self.at(repository), what }
    }

    /// Compares the digest that the server claims, where it claims one, with the true one.
    pub(super) fn agree(
        &self,
        repository: &Repository,
        response: &Response,
        what: &'static str,
        digest: Digest,
    ) -> Result<(), RegistryError> {
        if !response.headers().contains_key(&CONTENT_DIGEST) {
            return Ok(());
        }
        let claimed = response.header(&CONTENT_DIGEST).and_then(|text| text.parse::<Digest>().ok());
        match claimed {
            Some(claimed) if claimed == digest => Ok(()),
            Some(claimed) => Err(RegistryError::DigestMismatch { what, expected: claimed, found: digest }),
            None => Err(self.protocol(repository, "its Docker-Content-Digest is no sha256 digest")),
        }
    }

    pub(super) fn at(&self, repository: &Repository) -> String {
        format!("{}/{repository}", self.client.origin())
    }
}

/// A manifest that is longer than any may be is no manifest.
pub(super) fn too_large_is_no_manifest(error: HttpError) -> RegistryError {
    match error {
        HttpError::TooLarge { .. } => ManifestError::TooLarge.into(),
        error => error.into(),
    }
}

/// The authentication schemes that are asked for (RFC 9110, 11.6.1): only their names, and those only where plain.
fn schemes(response: &Response) -> Option<String> {
    let challenges = response.headers().get_all(header::WWW_AUTHENTICATE).iter();
    let names = challenges.filter_map(|challenge| challenge.to_str().ok()?.split_whitespace().next());
    let plain = |name: &&str| name.len() <= 32 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let names: Vec<_> = names.filter(plain).collect();
    if names.is_empty() { None } else { Some(names.join(", ")) }
}
