//! The images that are copied, as OCI layouts on disk.

use std::{
    collections::BTreeMap,
    error::Error,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use sandbox::{
    image::{self, ImageSpec},
    release::{Digest, Hasher},
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// An image and all its parts.
pub(super) struct Image {
    blobs: PathBuf,
    /// The digest of its manifest or index.
    pub(super) digest: Digest,
    /// Every manifest with its parts, wholes after parts; the image's own is the last.
    pub(super) manifests: Vec<(Digest, Vec<Digest>)>,
    /// Every other blob of it with its size.
    pub(super) others: BTreeMap<Digest, u64>,
    /// What refers to it.
    pub(super) referrer: Option<Referrer>,
}

/// A manifest that refers to an image.
pub(super) struct Referrer {
    pub(super) manifest: Digest,
    pub(super) parts: Vec<Digest>,
    /// The list of referrers, which a registry without OCI 1.1 holds under a tag.
    pub(super) list: Digest,
}

/// What a manifest names.
struct Parts {
    children: Vec<Digest>,
    others: Vec<(Digest, u64)>,
}

impl Image {
    /// Makes one of random bytes.
    pub(super) fn random(spec: &ImageSpec, directory: &Path) -> Result<Self, Box<dyn Error>> {
        let made = Runtime::new()?.block_on(image::write(spec, directory))?;
        Self::read(directory, made.image, made.referrer)
    }

    /// Makes one with a single layer of `size` zeros, which take no room on disk.
    pub(super) fn of_zeros(size: u64, directory: &Path) -> Result<Self, Box<dyn Error>> {
        let blobs = directory.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        let layer = directory.join("layer");
        File::create(&layer)?.set_len(size)?;
        let digest = hash(&layer)?;
        fs::rename(layer, blobs.join(digest.hex()))?;
        let store = |document: Value| -> Result<(Digest, usize), io::Error> {
            let bytes = document.to_string();
            let digest = Digest::of(bytes.as_bytes());
            fs::write(blobs.join(digest.hex()), &bytes)?;
            Ok((digest, bytes.len()))
        };
        let rootfs = json!({ "type": "layers", "diff_ids": [digest] });
        let (config, length) = store(json!({ "architecture": "amd64", "os": "linux", "rootfs": rootfs }))?;
        let config =
            json!({ "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": length });
        let layer = json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": size });
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer] });
        let (manifest, _) = store(manifest)?;
        Self::read(directory, manifest, None)
    }

    fn read(directory: &Path, digest: Digest, referrer: Option<Digest>) -> Result<Self, Box<dyn Error>> {
        let blobs = directory.join("blobs/sha256");
        let mut image = Self { blobs, digest, manifests: Vec::new(), others: BTreeMap::new(), referrer: None };
        image.add(digest)?;
        if let Some(manifest) = referrer {
            let parts = image.parts(manifest)?.others.into_iter().map(|(digest, _)| digest).collect();
            let size = fs::metadata(image.blob(&manifest))?.len();
            let entry = json!({
                "mediaType": MANIFEST,
                "digest": manifest,
                "size": size,
                "artifactType": "application/spdx+json"
            });
            let list = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] }).to_string();
            let digest = Digest::of(list.as_bytes());
            fs::write(image.blob(&digest), list)?;
            image.referrer = Some(Referrer { manifest, parts, list: digest });
        }
        Ok(image)
    }

    fn add(&mut self, manifest: Digest) -> Result<(), Box<dyn Error>> {
        let Parts { children, others } = self.parts(manifest)?;
        for child in &children {
            self.add(*child)?;
        }
        self.manifests.push((manifest, children.into_iter().chain(others.iter().map(|(digest, _)| *digest)).collect()));
        self.others.extend(others);
        Ok(())
    }

    fn parts(&self, manifest: Digest) -> Result<Parts, Box<dyn Error>> {
        let document: Value = serde_json::from_slice(&fs::read(self.blob(&manifest))?)?;
        let listed = |key: &str| document.get(key).and_then(Value::as_array).into_iter().flatten();
        let sized =
            |other: &Value| Ok((digest_of(other)?, other.get("size").and_then(Value::as_u64).ok_or("no size")?));
        let others = document.get("config").into_iter().chain(listed("layers")).map(sized);
        Ok(Parts {
            children: listed("manifests").map(digest_of).collect::<Result<_, _>>()?,
            others: others.collect::<Result<_, Box<dyn Error>>>()?,
        })
    }

    /// The file with a blob's bytes.
    pub(super) fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs.join(digest.hex())
    }

    /// One of its layers: the largest.
    pub(super) fn a_layer(&self) -> Option<Digest> {
        self.others.iter().max_by_key(|(_, size)| **size).map(|(digest, _)| *digest)
    }
}

fn digest_of(descriptor: &Value) -> Result<Digest, Box<dyn Error>> {
    Ok(descriptor.get("digest").and_then(Value::as_str).ok_or("a descriptor without a digest")?.parse()?)
}

fn hash(file: &Path) -> io::Result<Digest> {
    struct Sink(Hasher);
    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut sink = Sink(Hasher::default());
    io::copy(&mut File::open(file)?, &mut sink)?;
    Ok(sink.0.finish())
}
