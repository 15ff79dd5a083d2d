use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use release::{Digest, Repository, Tag};
use serde::Deserialize;
use tokio::{
    fs::{self, File},
    io::AsyncReadExt,
};

use crate::{Chunks, Descriptor, Manifest, ManifestError, Put, Registry, RegistryError, TagRule};

/// An OCI image layout directory (image-spec, image-layout.md) that holds one image or index: a source to copy from.
///
/// What else its `index.json` lists has to be referrers: manifests with a subject, signatures and SBOMs say. It has one unnamed repository, so whatever repository is named is this one, and no tags. It is never written. No
/// path is made of anything but a digest, and a link that leads out of the directory is not followed.
#[derive(Debug, Clone)]
pub struct Layout {
    directory: PathBuf,
    root: Digest,
    referrers: Vec<Manifest>,
}

/// Why a directory is no layout that can be copied from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// One of its files cannot be read.
    #[error("the layout is not complete")]
    Unreadable(#[from] RegistryError),
    /// `oci-layout` is not what the specification says.
    #[error("oci-layout does not say that this is an image layout of version 1.0.0")]
    Version,
    /// `index.json` is no index.
    #[error("index.json is refused")]
    Index(#[from] ManifestError),
    /// `index.json` does not list exactly one manifest that is no referrer.
    #[error("index.json must list one image or index, and else only what refers to it, but lists {}", listed(found))]
    NotOne {
        /// What it lists, without referrers.
        found: Vec<Digest>,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Marker {
    image_layout_version: String,
}

impl Layout {
    /// Opens a directory whose `index.json` lists one image. Where it lists nothing else, its manifest is not read yet.
    ///
    /// # Errors
    /// [`LayoutError`], with what there is instead.
    pub async fn open(directory: impl AsRef<Path> + Send) -> Result<Self, LayoutError> {
        let given = directory.as_ref().to_owned();
        let directory = fs::canonicalize(&given).await.map_err(|source| RegistryError::Io { path: given, source })?;
        let marker = read(&inside(&directory, "oci-layout").await?).await?;
        let marker: Marker = serde_json::from_slice(&marker).map_err(|_| LayoutError::Version)?;
        if marker.image_layout_version != "1.0.0" {
            return Err(LayoutError::Version);
        }
        let index = Manifest::parse(None, read(&inside(&directory, "index.json").await?).await?)?;
        // The same image may stand there once for each of its names.
        let mut found: BTreeSet<Digest> = index.children().iter().map(|child| child.digest).collect();
        let mut layout = Self { directory, root: Digest::of(&[]), referrers: Vec::new() };
        if found.len() > 1 {
            for digest in found.clone() {
                let manifest = layout.read_manifest(&digest).await?;
                if let Some(manifest) = manifest.filter(|manifest| manifest.subject().is_some()) {
                    found.remove(&digest);
                    layout.referrers.push(manifest);
                }
            }
        }
        match found.first() {
            Some(root) if found.len() == 1 => Ok(Self { root: *root, ..layout }),
            _ => Err(LayoutError::NotOne { found: found.into_iter().collect() }),
        }
    }

    /// The digest of the one image or index.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.root
    }

    async fn read_manifest(&self, digest: &Digest) -> Result<Option<Manifest>, RegistryError> {
        let Some(path) = self.find(digest).await? else { return Ok(None) };
        let bytes = read(&path).await?;
        // Before it is parsed: damage is to be told from nonsense that was meant.
        match Digest::of(&bytes) {
            found if found == *digest => Ok(Some(Manifest::parse(None, bytes)?)),
            found => Err(RegistryError::DigestMismatch { what: "the manifest", expected: *digest, found }),
        }
    }

    /// The file of a digest's bytes, if it is there.
    async fn find(&self, digest: &Digest) -> Result<Option<PathBuf>, RegistryError> {
        match inside(&self.directory, &format!("blobs/sha256/{}", digest.hex())).await {
            Ok(path) => Ok(Some(path)),
            Err(RegistryError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Registry for Layout {
    async fn resolve(&self, _: &Repository, _: &Tag) -> Result<Option<Digest>, RegistryError> {
        Ok(None)
    }

    async fn tag_rule(&self, _: &Repository, _: &Tag) -> Result<TagRule, RegistryError> {
        Ok(TagRule::Unknown)
    }

    async fn missing(&self, _: &Repository, blobs: &[Descriptor]) -> Result<Vec<Digest>, RegistryError> {
        let mut missing = Vec::new();
        for blob in blobs {
            if self.find(&blob.digest).await?.is_none() {
                missing.push(blob.digest);
            }
        }
        Ok(missing)
    }

    async fn manifest(&self, _: &Repository, digest: &Digest) -> Result<Option<Manifest>, RegistryError> {
        self.read_manifest(digest).await
    }

    async fn blob(&self, repository: &Repository, blob: &Descriptor) -> Result<Chunks, RegistryError> {
        let absent = || RegistryError::NoBlob { repository: repository.clone(), digest: blob.digest };
        let path = self.find(&blob.digest).await?.ok_or_else(absent)?;
        let file = File::open(&path).await.map_err(|source| RegistryError::Io { path: path.clone(), source })?;
        Ok(Box::pin(stream::try_unfold((file, path), |(mut file, path)| async move {
            let mut chunk = BytesMut::with_capacity(CHUNK);
            match file.read_buf(&mut chunk).await {
                Ok(0) => Ok(None),
                Ok(_) => Ok(Some((chunk.freeze(), (file, path)))),
                Err(source) => Err(RegistryError::Io { path, source }),
            }
        })))
    }

    async fn put_blob(&self, _: &Repository, _: &Descriptor, _: Chunks) -> Result<(), RegistryError> {
        Err(RegistryError::ReadOnly)
    }

    async fn put(&self, _: &Repository, _: &Manifest, _: Option<&Tag>) -> Result<Put, RegistryError> {
        Err(RegistryError::ReadOnly)
    }

    async fn mount(&self, _: &Repository, _: &Repository, _: &Descriptor) -> Result<bool, RegistryError> {
        Err(RegistryError::ReadOnly)
    }

    async fn referrers(&self, _: &Repository, digest: &Digest) -> Result<Vec<Descriptor>, RegistryError> {
        let refers = |manifest: &&Manifest| manifest.subject().is_some_and(|subject| subject.digest == *digest);
        Ok(self.referrers.iter().filter(refers).map(Manifest::descriptor).collect())
    }
}

/// How much of a file is read at once.
const CHUNK: usize = 256 << 10;

/// The real path of a file in the directory; out of it leads no link.
async fn inside(directory: &Path, name: &str) -> Result<PathBuf, RegistryError> {
    let path = directory.join(name);
    let failed = |source| RegistryError::Io { path: path.clone(), source };
    let real = fs::canonicalize(&path).await.map_err(failed)?;
    if real.starts_with(directory) {
        return Ok(real);
    }
    Err(failed(io::Error::new(io::ErrorKind::PermissionDenied, "a link leads out of the layout")))
}

/// A whole file of at most a manifest's size.
async fn read(path: &Path) -> Result<Bytes, RegistryError> {
    let failed = |source| RegistryError::Io { path: path.to_owned(), source };
    let file = File::open(path).await.map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(Manifest::MAX_SIZE as u64 + 1).read_to_end(&mut bytes).await.map_err(failed)?;
    if bytes.len() > Manifest::MAX_SIZE {
        return Err(ManifestError::TooLarge.into());
    }
    Ok(bytes.into())
}

fn listed(found: &[Digest]) -> String {
    if found.is_empty() {
        return "none".to_owned();
    }
    found.iter().map(Digest::to_string).collect::<Vec<_>>().join(", ")
}
