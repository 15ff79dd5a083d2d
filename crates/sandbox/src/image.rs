//! Images made on the spot, as OCI layout directories (image-spec, image-layout.md). The same seed makes the same bytes.

use std::{io, path::Path};

use release::Digest;
use serde_json::{Value, json};
use tokio::fs;

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// What an image is made of. Its layers are random bytes: they can be copied, and not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSpec {
    /// What its bytes depend on.
    pub seed: u64,
    /// The sizes of its layers in bytes.
    pub layers: Vec<usize>,
    /// The architectures that it is for: one makes an image, several an index of one image each.
    pub architectures: Vec<String>,
    /// Whether a small document is attached to it as a referrer, as an SBOM would be. It is in the layout's blobs and
    /// not in its index.
    pub referrer: bool,
}

impl ImageSpec {
    /// One image for amd64 of three layers, nine MiB together.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let layers = vec![4 << 20, 3 << 20, 2 << 20];
        Self { seed, layers, architectures: vec!["amd64".to_owned()], referrer: false }
    }
}

/// The digests of what was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// The image's manifest or index.
    pub image: Digest,
    /// The referrer's manifest.
    pub referrer: Option<Digest>,
}

/// Makes an image and writes it as a layout into `directory`, which is created where it is absent.
///
/// # Errors
/// What the file system says.
pub async fn write(spec: &ImageSpec, directory: &Path) -> io::Result<Made> {
    let blobs = directory.join("blobs/sha256");
    fs::create_dir_all(&blobs).await?;
    let mut random = fastrand::Rng::with_seed(spec.seed);
    let mut images = Vec::new();
    for architecture in &spec.architectures {
        let mut image = image(spec, architecture, &mut random, &blobs).await?;
        if let Some(object) = image.as_object_mut() {
            object.insert("platform".to_owned(), json!({ "os": "linux", "architecture": architecture }));
        }
        images.push(image);
    }
    let top = match images.as_slice() {
        [image] => image.clone(),
        _ => store(&blobs, INDEX, &json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": images })).await?,
    };
    let referrer = if spec.referrer { Some(digest_of(&referrer(&top, spec.seed, &blobs).await?)?) } else { None };
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [top] });
    fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).await?;
    fs::write(directory.join("index.json"), index.to_string()).await?;
    Ok(Made { image: digest_of(&top)?, referrer })
}

async fn image(spec: &ImageSpec, architecture: &str, random: &mut fastrand::Rng, blobs: &Path) -> io::Result<Value> {
    let mut layers = Vec::new();
    for size in &spec.layers {
        let mut bytes = vec![0; *size];
        random.fill(&mut bytes);
        layers.push(store_bytes(blobs, LAYER, &bytes).await?);
    }
    let diff_ids: Vec<_> = layers.iter().map(|layer| layer.get("digest").cloned()).collect();
    let config = json!({
        "created": "2026-01-01T00:00:00Z",
        "architecture": architecture,
        "os": "linux",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let config = store(blobs, CONFIG, &config).await?;
    let manifest = json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": layers });
    store(blobs, IMAGE, &manifest).await
}

async fn referrer(subject: &Value, seed: u64, blobs: &Path) -> io::Result<Value> {
    let document = json!({ "spdxVersion": "SPDX-2.3", "name": format!("seed-{seed}"), "packages": [] });
    let layer = store(blobs, "application/spdx+json", &document).await?;
    let config = store_bytes(blobs, "application/vnd.oci.empty.v1+json", b"{}").await?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "artifactType": "application/spdx+json",
        "config": config,
        "layers": [layer],
        "subject": subject,
    });
    store(blobs, IMAGE, &manifest).await
}

async fn store(blobs: &Path, media_type: &str, document: &Value) -> io::Result<Value> {
    store_bytes(blobs, media_type, document.to_string().as_bytes()).await
}

/// Stores a blob and returns its descriptor.
async fn store_bytes(blobs: &Path, media_type: &str, bytes: &[u8]) -> io::Result<Value> {
    let digest = Digest::of(bytes);
    fs::write(blobs.join(digest.hex()), bytes).await?;
    Ok(json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() }))
}

fn digest_of(descriptor: &Value) -> io::Result<Digest> {
    let digest = descriptor.get("digest").and_then(Value::as_str).and_then(|text| text.parse().ok());
    digest.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
