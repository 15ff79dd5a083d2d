use axum::response::Response;
use http::StatusCode;
use registry_copy::RegistryError;
use release::{Digest, Repository};
use serde_json::json;

/// A failure as the distribution API words it (distribution-spec, "Error Codes").
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
    about: Option<Digest>,
}

impl Failure {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), about: None }
    }

    fn part_missing(part: &Digest) -> Self {
        let failure = Self::new(StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN", format!("there is no {part}"));
        Self { about: Some(*part), ..failure }
    }

    pub(super) fn name_unknown(repository: &Repository) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", format!("there is no repository {repository}"))
    }

    pub(super) fn name_invalid() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "NAME_INVALID", "not a repository's name")
    }

    pub(super) fn digest_invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "DIGEST_INVALID", message)
    }

    pub(super) fn blob_unknown(digest: &Digest) -> Self {
        Self::new(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", format!("there is no blob {digest}"))
    }

    pub(super) fn manifest_unknown() -> Self {
        Self::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "there is no such manifest")
    }

    pub(super) fn manifest_invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", message)
    }

    pub(super) fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID", "a manifest has at most 4 MiB")
    }

    /// Worded as ECR words it (`ImageTagAlreadyExistsException`).
    pub(super) fn tag_held(by: &Digest) -> Self {
        let message = format!("the tag already exists with digest {by} and cannot be overwritten: it is immutable");
        Self::new(StatusCode::BAD_REQUEST, "TAG_INVALID", message)
    }

    /// As ECR answers for an image that was moved to its archive.
    pub(super) fn archived() -> Self {
        Self::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "the image is archived: restore it before it is pulled")
    }

    /// As ECR answers when its token's twelve hours are over.
    pub(super) fn token_expired() -> Self {
        let message = "Your authorization token has expired. Reauthenticate and try again.";
        Self::new(StatusCode::FORBIDDEN, "DENIED", message)
    }

    pub(super) fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message)
    }

    pub(super) fn chunk_too_small(least: u64) -> Self {
        let message = format!("a chunk that is not the last one has at least {least} bytes");
        Self::new(StatusCode::BAD_REQUEST, "SIZE_INVALID", message)
    }

    pub(super) fn pagination_invalid() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "PAGINATION_NUMBER_INVALID", "n is not a number")
    }

    pub(super) fn upload_unknown() -> Self {
        Self::new(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", "there is no such upload")
    }

    pub(super) fn upload_invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID", message)
    }

    pub(super) fn range() -> Self {
        Self::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "BLOB_UPLOAD_INVALID",
            "the chunk does not begin where the last ended",
        )
    }

    pub(super) fn unsupported() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "this registry does not do that")
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "UNSUPPORTED", "no such endpoint")
    }

    pub(super) fn response(&self) -> Response {
        let body = json!({ "errors": [{ "code": self.code, "message": self.message, "detail": self.about }] });
        super::json(self.status, "application/json", body.to_string())
    }
}

/// What the in-memory registry refuses.
impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        match &error {
            RegistryError::NoRepository { repository } => Self::name_unknown(repository),
            RegistryError::NoManifest { .. } => Self::manifest_unknown(),
            RegistryError::NoBlob { digest, .. } => Self::blob_unknown(digest),
            RegistryError::DigestMismatch { .. } | RegistryError::SizeMismatch { .. } => {
                Self::digest_invalid(error.to_string())
            }
            RegistryError::Manifest(refused) => Self::manifest_invalid(refused.to_string()),
            RegistryError::PartMissing { part, .. } => Self::part_missing(part),
            _ => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", error.to_string()),
        }
    }
}
