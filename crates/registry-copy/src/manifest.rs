use std::collections::BTreeMap;

use bytes::Bytes;
use guarded_http::{JsonError, shown};
use release::Digest;
use serde::Deserialize;

use crate::{Descriptor, descriptor, unique_keys};

const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// An image manifest or an index, as the bytes that were received.
///
/// Its digest is computed from those bytes, so it cannot be wrong, and the bytes are what is stored elsewhere: nothing
/// is ever serialised again. A document that two readers may understand differently is refused.
#[derive(Clone, PartialEq, Eq)]
pub struct Manifest {
    bytes: Bytes,
    digest: Digest,
    media_type: &'static str,
    artifact_type: Option<String>,
    parts: Parts,
    subject: Option<Descriptor>,
}

#[derive(Clone, PartialEq, Eq)]
enum Parts {
    /// An image's config, then its layers.
    Image(Vec<Descriptor>),
    /// An index's manifests.
    Index(Vec<Descriptor>),
}

/// Why a document is no manifest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// It is larger than [`Manifest::MAX_SIZE`].
    #[error("it has more than 4 MiB")]
    TooLarge,
    /// It lists more than [`Manifest::MAX_DESCRIPTORS`].
    #[error("it lists more than 1,000 things")]
    TooMany,
    /// It is not JSON, or a field is not what the specification says.
    #[error("it is not well formed")]
    Json(#[source] JsonError),
    /// A key stands twice in one object, ignoring case as some readers do.
    #[error("a key stands twice in one object")]
    DuplicateKey,
    /// A key that some readers take for this one, which others do not.
    #[error("a key is {0:?} to some readers and not to others")]
    NearlyKnownKey(&'static str),
    /// `schemaVersion` is not 2.
    #[error("its schemaVersion is not 2")]
    SchemaVersion,
    /// Its type (escaped and cut), or that of something an index lists, is no OCI or Docker v2 manifest or index.
    #[error("\"{0}\" is no known type of manifest")]
    UnknownType(String),
    /// The document and the server name different types.
    #[error("it was served as \"{served}\" and calls itself \"{own}\"")]
    TwoTypes {
        /// The server's `Content-Type`, escaped and cut.
        served: String,
        /// The document's `mediaType`, escaped and cut.
        own: String,
    },
    /// It has the parts of an image and of an index, or not all that its type needs.
    #[error("its parts are not those of {0}")]
    Shape(&'static str),
    /// One digest is given two sizes.
    #[error("it gives {0} two sizes")]
    TwoSizes(Digest),
}

impl From<serde_json::Error> for ManifestError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error.into())
    }
}

impl ManifestError {
    /// Whether the document can be read in two ways, which no honest tool makes.
    #[must_use]
    pub fn is_integrity(&self) -> bool {
        matches!(
            self,
            Self::DuplicateKey | Self::NearlyKnownKey(_) | Self::TwoTypes { .. } | Self::Shape(_) | Self::TwoSizes(_)
        )
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u64,
    media_type: Option<String>,
    #[serde(default, deserialize_with = "descriptor::artifact_type")]
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    // Schema 1 is recognised only to refuse a document that pretends to be both.
    fs_layers: Option<serde::de::IgnoredAny>,
}

impl Manifest {
    /// The largest manifest that is read: 4 MiB, as registries agree on (distribution-spec, "Pushing Manifests").
    pub const MAX_SIZE: usize = 4 << 20;
    /// The most descriptors in one manifest.
    pub const MAX_DESCRIPTORS: usize = 1_000;
    /// The types of manifest that are known, as an `Accept` header wants them.
    pub const MEDIA_TYPES: [&str; 4] = [OCI_INDEX, OCI_IMAGE, DOCKER_INDEX, DOCKER_IMAGE];

    /// Reads a document that was served as `content_type` (its parameters do not count).
    ///
    /// Its type is the one that it names, else the one it was served as, else OCI's for the parts that it has.
    ///
    /// # Errors
    /// See [`ManifestError`]: anything but one shape, one type and one meaning is refused.
    pub fn parse(content_type: Option<&str>, bytes: Bytes) -> Result<Self, ManifestError> {
        if bytes.len() > Self::MAX_SIZE {
            return Err(ManifestError::TooLarge);
        }
        unique_keys::check(&bytes)?;
        let document: Document = serde_json::from_slice(&bytes)?;
        if document.schema_version != 2 {
            return Err(ManifestError::SchemaVersion);
        }
        let media_type = document.resolve_type(content_type)?;
        if document.descriptors() > Self::MAX_DESCRIPTORS {
            return Err(ManifestError::TooMany);
        }
        let config_type = document.config.as_ref().map(|config| config.media_type.clone());
        let parts = match (document.config, document.layers, document.manifests) {
            (Some(config), Some(layers), None) if is_image(media_type) => {
                Parts::Image(std::iter::once(config).chain(layers).collect())
            }
            (None, None, Some(manifests)) if !is_image(media_type) => Parts::Index(manifests),
            _ => return Err(ManifestError::Shape(media_type)),
        };
        if let Parts::Index(children) = &parts {
            children.iter().try_for_each(|child| known(&child.media_type).map(drop))?;
        }
        if document.fs_layers.is_some() {
            return Err(ManifestError::Shape(media_type));
        }
        let manifest = Self {
            digest: Digest::of(&bytes),
            bytes,
            media_type,
            // Image-spec, "Guidelines for Artifact Usage": without an artifactType, the config's type says it.
            artifact_type: document.artifact_type.or(config_type),
            parts,
            subject: document.subject,
        };
        manifest.one_size_each()?;
        Ok(manifest)
    }

    /// The bytes as received.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The digest of the bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// One of [`MEDIA_TYPES`](Self::MEDIA_TYPES): what it is to be stored as.
    #[must_use]
    pub fn media_type(&self) -> &'static str {
        self.media_type
    }

    /// An image's config and layers, the config first; nothing for an index.
    #[must_use]
    pub fn blobs(&self) -> &[Descriptor] {
        match &self.parts {
            Parts::Image(blobs) => blobs,
            Parts::Index(_) => &[],
        }
    }

    /// The manifests that an index lists; nothing for an image.
    #[must_use]
    pub fn children(&self) -> &[Descriptor] {
        match &self.parts {
            Parts::Image(_) => &[],
            Parts::Index(children) => children,
        }
    }

    /// The manifest that this one says something about, where it is a referrer. It need not be there.
    #[must_use]
    pub fn subject(&self) -> Option<&Descriptor> {
        self.subject.as_ref()
    }

    /// What another document would say of this one.
    #[must_use]
    pub fn descriptor(&self) -> Descriptor {
        Descriptor {
            media_type: self.media_type.to_owned(),
            digest: self.digest,
            size: self.bytes.len() as u64,
            artifact_type: self.artifact_type.clone(),
        }
    }

    fn one_size_each(&self) -> Result<(), ManifestError> {
        let mut sizes = BTreeMap::new();
        let all = self.blobs().iter().chain(self.children()).chain(self.subject());
        for part in all {
            if *sizes.entry(part.digest).or_insert(part.size) != part.size {
                return Err(ManifestError::TwoSizes(part.digest));
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Manifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manifest").field("digest", &self.digest).field("media_type", &self.media_type).finish()
    }
}

impl Document {
    fn descriptors(&self) -> usize {
        let one = |part: &Option<Descriptor>| usize::from(part.is_some());
        let many = |list: &Option<Vec<Descriptor>>| list.as_ref().map_or(0, Vec::len);
        one(&self.config) + many(&self.layers) + many(&self.manifests) + one(&self.subject)
    }

    fn resolve_type(&self, content_type: Option<&str>) -> Result<&'static str, ManifestError> {
        let served = content_type.map(|text| text.split(';').next().unwrap_or_default().trim());
        match (served, self.media_type.as_deref()) {
            (Some(served), Some(own)) if !served.eq_ignore_ascii_case(own) => {
                Err(ManifestError::TwoTypes { served: shown(served.as_bytes()), own: shown(own.as_bytes()) })
            }
            (_, Some(name)) | (Some(name), None) => known(name),
            (None, None) => Ok(if self.manifests.is_some() { OCI_INDEX } else { OCI_IMAGE }),
        }
    }
}

fn known(name: &str) -> Result<&'static str, ManifestError> {
    let found = Manifest::MEDIA_TYPES.into_iter().find(|known| known.eq_ignore_ascii_case(name));
    found.ok_or_else(|| ManifestError::UnknownType(shown(name.as_bytes())))
}

pub(crate) fn is_image(media_type: &str) -> bool {
    [OCI_IMAGE, DOCKER_IMAGE].iter().any(|image| image.eq_ignore_ascii_case(media_type))
}
