//! Images of a few bytes, made of nothing but their name.

use std::{fs, path::Path};

use bytes::Bytes;
use futures_util::stream;
use registry_copy::{Descriptor, InMemory, Layout, Manifest, Put, Registry};
use release::{Digest, Repository, Tag};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// One image: its manifest and the blobs that it needs.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    manifest: Bytes,
    blobs: Vec<Bytes>,
}

impl Image {
    /// The image of this name: the same name, the same bytes.
    pub(crate) fn of(name: &str) -> Self {
        let blobs = [format!(r#"{{"of":"{name}"}}"#), format!("layer of {name}")].map(Bytes::from);
        let [config, layer] =
            [(CONFIG, &blobs[0]), (LAYER, &blobs[1])].map(|(media_type, bytes)| descriptor(media_type, bytes));
        let manifest =
            format!(r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{config},"layers":[{layer}]}}"#).into();
        Self { manifest, blobs: blobs.into() }
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.manifest)
    }

    /// What a registry that has the whole image holds.
    pub(crate) fn closure(&self) -> Vec<Digest> {
        self.blobs.iter().chain([&self.manifest]).map(|bytes| Digest::of(bytes)).collect()
    }

    /// Puts it into a registry as CI of old did, past every rule.
    pub(crate) async fn put(&self, registry: &InMemory, repository: &Repository, tag: &Tag) {
        let manifest = Manifest::parse(None, self.manifest.clone()).unwrap();
        for (blob, bytes) in manifest.blobs().iter().zip(&self.blobs) {
            let bytes: Bytes = bytes.clone();
            let chunks = stream::iter([Ok(bytes)]);
            registry.put_blob(repository, &Descriptor::clone(blob), Box::pin(chunks)).await.unwrap();
        }
        assert_eq!(registry.put(repository, &manifest, Some(tag)).await.unwrap(), Put::Stored);
    }

    /// Writes it as CI does: an OCI layout directory.
    pub(crate) fn write(&self, directory: &Path) {
        let blobs = directory.join("blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        for bytes in self.blobs.iter().chain([&self.manifest]) {
            fs::write(blobs.join(Digest::of(bytes).hex()), bytes).unwrap();
        }
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, descriptor(IMAGE, &self.manifest));
        fs::write(directory.join("index.json"), index).unwrap();
        fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    }

    /// As [`write`](Self::write), opened again.
    pub(crate) async fn layout(&self, directory: &Path) -> Layout {
        self.write(directory);
        Layout::open(directory).await.unwrap()
    }
}

fn descriptor(media_type: &str, bytes: &Bytes) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"{}","size":{}}}"#, Digest::of(bytes), bytes.len())
}
