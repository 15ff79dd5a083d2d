//! Images to copy, and an account of what they are made of that owes nothing to the code under test.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use registry_copy::{Descriptor, InMemory, Manifest, Put, Registry, TagRule};
use release::{Digest, Repository, Tag};

pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// What an image or index is made of.
#[derive(Debug, Clone)]
pub(crate) enum Tree {
    /// Layers by their content.
    Image(Vec<String>),
    Index(Vec<Tree>),
}

/// Documents and blobs, each under the digest of its bytes.
#[derive(Debug, Clone)]
pub(crate) struct Corpus {
    pub(crate) root: Digest,
    pub(crate) closure: BTreeSet<Digest>,
    blobs: BTreeMap<Digest, Bytes>,
    /// Parts before wholes.
    manifests: Vec<Bytes>,
}

impl Corpus {
    pub(crate) fn of(tree: &Tree) -> Self {
        let mut corpus = Self::empty();
        corpus.root = corpus.add(tree).digest;
        corpus
    }

    fn empty() -> Self {
        let root = Digest::of(b"");
        Self { root, closure: BTreeSet::new(), blobs: BTreeMap::new(), manifests: Vec::new() }
    }

    /// An image that refers to another.
    pub(crate) fn referrer(subject: &Descriptor, content: &str) -> Self {
        let mut corpus = Self::empty();
        let layer = corpus.blob(LAYER, content);
        let config = corpus.blob("application/vnd.example.sbom", "{}");
        let document = format!(
            r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{},"layers":[{}],"subject":{}}}"#,
            json(&config),
            json(&layer),
            json(subject)
        );
        corpus.root = corpus.manifest(IMAGE, document).digest;
        corpus
    }

    fn add(&mut self, tree: &Tree) -> Descriptor {
        match tree {
            Tree::Image(contents) => {
                let config = self.blob("application/vnd.oci.image.config.v1+json", &format!("config of {contents:?}"));
                let layers: Vec<String> = contents.iter().map(|text| json(&self.blob(LAYER, text))).collect();
                let layers = layers.join(",");
                let document = format!(
                    r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{},"layers":[{layers}]}}"#,
                    json(&config)
                );
                self.manifest(IMAGE, document)
            }
            Tree::Index(children) => {
                let children: Vec<String> = children.iter().map(|child| json(&self.add(child))).collect();
                let children = children.join(",");
                self.manifest(INDEX, format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{children}]}}"#))
            }
        }
    }

    fn blob(&mut self, media_type: &str, content: &str) -> Descriptor {
        let bytes = Bytes::copy_from_slice(content.as_bytes());
        let descriptor = describe(media_type, &bytes);
        self.closure.insert(descriptor.digest);
        self.blobs.insert(descriptor.digest, bytes);
        descriptor
    }

    fn manifest(&mut self, media_type: &str, document: String) -> Descriptor {
        let bytes = Bytes::from(document);
        let descriptor = describe(media_type, &bytes);
        if self.closure.insert(descriptor.digest) {
            self.manifests.push(bytes);
        }
        descriptor
    }

    pub(crate) fn root_descriptor(&self) -> Descriptor {
        let manifest = self.manifests.iter().find(|bytes| Digest::of(bytes) == self.root).unwrap();
        Manifest::parse(None, manifest.clone()).unwrap().descriptor()
    }

    pub(crate) fn blob_digests(&self) -> Vec<Digest> {
        self.blobs.keys().copied().collect()
    }

    /// Every document and blob, with its digest.
    pub(crate) fn files(&self) -> Vec<(Digest, Bytes)> {
        let manifests = self.manifests.iter().map(|bytes| (Digest::of(bytes), bytes.clone()));
        manifests.chain(self.blobs.iter().map(|(digest, bytes)| (*digest, bytes.clone()))).collect()
    }

    pub(crate) async fn store(&self, registry: &dyn Registry, repository: &Repository) {
        for bytes in self.blobs.values() {
            let chunks = futures_util::stream::iter([Ok(bytes.clone())]);
            registry.put_blob(repository, &describe(LAYER, bytes), Box::pin(chunks)).await.unwrap();
        }
        for bytes in &self.manifests {
            let manifest = Manifest::parse(None, bytes.clone()).unwrap();
            assert_eq!(registry.put(repository, &manifest, None).await.unwrap(), Put::Stored);
        }
    }
}

pub(crate) async fn store_blob(registry: &dyn Registry, blob: &Descriptor, bytes: &'static [u8]) {
    let chunks = futures_util::stream::iter([Ok(Bytes::from_static(bytes))]);
    registry.put_blob(&repository(), blob, Box::pin(chunks)).await.unwrap();
}

pub(crate) async fn store_bytes(registry: &dyn Registry, bytes: Bytes) {
    let blob = describe(LAYER, &bytes);
    let chunks = futures_util::stream::iter([Ok(bytes)]);
    registry.put_blob(&repository(), &blob, Box::pin(chunks)).await.unwrap();
}

pub(crate) fn describe(media_type: &str, bytes: &[u8]) -> Descriptor {
    let digest = Digest::of(bytes);
    Descriptor { media_type: media_type.to_owned(), digest, size: bytes.len() as u64, artifact_type: None }
}

pub(crate) fn json(of: &Descriptor) -> String {
    format!(r#"{{"mediaType":"{}","digest":"{}","size":{}}}"#, of.media_type, of.digest, of.size)
}

pub(crate) fn image(contents: &[&str]) -> Tree {
    Tree::Image(contents.iter().map(|content| (*content).to_owned()).collect())
}

/// Two platforms that share a layer, and a nested index.
pub(crate) fn platforms() -> Tree {
    let nested = Tree::Index(vec![image(&["base", "arm"])]);
    Tree::Index(vec![image(&["base", "amd", "more"]), nested])
}

pub(crate) fn repository() -> Repository {
    "forge/payments-api".parse().unwrap()
}

pub(crate) fn tag() -> Tag {
    "48213".parse().unwrap()
}

pub(crate) fn registry() -> InMemory {
    let registry = InMemory::new();
    registry.create(&repository(), TagRule::Immutable);
    registry
}
