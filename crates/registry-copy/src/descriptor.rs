use release::Digest;
use serde::{Deserialize, Deserializer, de::Error as _};

/// What one document says of another: its type, digest and size (OCI image-spec, descriptor.md).
///
/// Only read from documents, and never written into one. `urls` are not followed and `data` is not believed, so neither
/// is kept. Only sha256 digests are known; a size above [`MAX_SIZE`](Self::MAX_SIZE) is refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The media type: printable ASCII, 255 characters at most, else untrusted.
    #[serde(deserialize_with = "media_type")]
    pub media_type: String,
    /// The digest of the content.
    pub digest: Digest,
    /// The size of the content in bytes.
    #[serde(deserialize_with = "size")]
    pub size: u64,
    /// What an artifact is, where it says so in a media type as above; anything else says nothing. Untrusted text.
    #[serde(default, deserialize_with = "artifact_type")]
    pub artifact_type: Option<String>,
}

impl Descriptor {
    /// The largest size that is taken for true: 64 GiB.
    pub const MAX_SIZE: u64 = 64 << 30;

    /// Whether registries do not hold this layer because its licence forbids it (image-spec, "Non-Distributable
    /// Layers", and Docker's `foreign` layers). Such a layer is never copied.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.media_type.starts_with("application/vnd.oci.image.layer.nondistributable.")
            || self.media_type.starts_with("application/vnd.docker.image.rootfs.foreign.")
    }
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let size = u64::deserialize(deserializer)?;
    if size > Descriptor::MAX_SIZE { Err(D::Error::custom("a size above 64 GiB")) } else { Ok(size) }
}

fn media_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if is_media_type(&text) {
        Ok(text)
    } else {
        Err(D::Error::custom("a media type that is empty, too long or not ASCII"))
    }
}

pub(crate) fn artifact_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| is_media_type(text)))
}

fn is_media_type(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}
