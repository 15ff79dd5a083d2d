//! The kinds of document that a registry stores.

use bytes::Bytes;
use release::Digest;
use serde_json::{Value, json};

pub(super) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const FOREIGN: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// A document, and what has to be there before it.
#[derive(Clone)]
pub(super) struct Shape {
    pub(super) name: &'static str,
    pub(super) media_type: &'static str,
    pub(super) bytes: Bytes,
    pub(super) subject: Option<Digest>,
    pub(super) blobs: Vec<Bytes>,
    pub(super) children: Vec<Shape>,
}

impl Shape {
    fn new(name: &'static str, media_type: &'static str, document: &Value) -> Self {
        let subject = document["subject"]["digest"].as_str().map(|digest| digest.parse().unwrap());
        Self { name, media_type, bytes: document.to_string().into(), subject, blobs: vec![], children: vec![] }
    }

    pub(super) fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    fn with_blobs(self, blobs: impl IntoIterator<Item = String>) -> Self {
        Self { blobs: blobs.into_iter().map(Bytes::from).collect(), ..self }
    }

    fn with_children(self, children: impl IntoIterator<Item = Shape>) -> Self {
        Self { children: children.into_iter().collect(), ..self }
    }

    fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest(), "size": self.bytes.len() })
    }
}

fn part(media_type: &str, content: &str) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::of(content.as_bytes()), "size": content.len() })
}

/// The contents of an image's blobs: its config and two layers.
fn contents(name: &str) -> [String; 3] {
    [
        json!({ "architecture": "amd64", "os": "linux", "of": name }).to_string(),
        format!("the first layer of {name}"),
        format!("the second layer of {name}"),
    ]
}

fn image_document(name: &str) -> Value {
    let [config, first, second] = contents(name);
    json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": part(CONFIG, &config),
        "layers": [part(LAYER, &first), part(LAYER, &second)],
    })
}

/// An image with something about its document changed.
pub(super) fn image(name: &'static str, change: impl FnOnce(&mut Value)) -> Shape {
    let mut document = image_document(name);
    change(&mut document);
    Shape::new(name, IMAGE, &document).with_blobs(contents(name))
}

/// An artifact without bytes of its own.
pub(super) fn artifact(name: &'static str, change: impl FnOnce(&mut Value)) -> Shape {
    let mut document = json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "artifactType": "application/vnd.forge.note",
        "config": part(EMPTY, "{}"),
        "layers": [part(EMPTY, "{}")],
        "annotations": { "org.forge.note": name },
    });
    change(&mut document);
    Shape::new(name, IMAGE, &document).with_blobs(["{}".to_owned()])
}

pub(super) fn index(name: &'static str, children: Vec<Shape>, change: impl FnOnce(&mut Value)) -> Shape {
    let manifests: Vec<Value> = children.iter().map(Shape::descriptor).collect();
    let mut document = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
    change(&mut document);
    Shape::new(name, INDEX, &document).with_children(children)
}

fn plain(_: &mut Value) {}

fn docker_image(name: &'static str) -> Shape {
    let document = image_document(name).to_string();
    let document = document
        .replace(IMAGE, DOCKER_IMAGE)
        .replace(CONFIG, "application/vnd.docker.container.image.v1+json")
        .replace(LAYER, "application/vnd.docker.image.rootfs.diff.tar.gzip");
    Shape::new(name, DOCKER_IMAGE, &document.parse().unwrap()).with_blobs(contents(name))
}

fn docker_list(name: &'static str) -> Shape {
    let child = docker_image("docker-list's image");
    let mut manifest = child.descriptor();
    manifest["platform"] = json!({ "architecture": "amd64", "os": "linux" });
    let document = json!({ "schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [manifest] });
    Shape::new(name, DOCKER_LIST, &document).with_children([child])
}

/// An image that is written otherwise than a serialiser would, whose digest is of just these bytes.
fn spaced(name: &'static str) -> Shape {
    let document = image_document(name);
    let bytes = format!("\n{document:#}\n \n").into();
    Shape { bytes, ..Shape::new(name, IMAGE, &document).with_blobs(contents(name)) }
}

fn foreign_layer(name: &'static str) -> Shape {
    let absent = json!({
        "mediaType": FOREIGN,
        "digest": Digest::of(b"a layer that nobody may pass on"),
        "size": 31,
        "urls": ["https://forge.example/layer"],
    });
    image(name, |document| document["layers"][1] = absent)
}

/// All shapes, each with a name of its own.
pub(super) fn all() -> Vec<Shape> {
    let subject = image("a subject", plain);
    let is_about = |subject: &Shape| {
        let descriptor = subject.descriptor();
        move |document: &mut Value| document["subject"] = descriptor
    };
    let absent = image("a subject that is not there", plain);
    let two = |first, second| vec![image(first, plain), image(second, plain)];
    vec![
        image("image", plain),
        image("image-without-layers", |document| document["layers"] = json!([])),
        image("image-with-a-layer-twice", |document| document["layers"][1] = document["layers"][0].clone()),
        image("image-without-media-type", |document| drop(document.as_object_mut().unwrap().remove("mediaType"))),
        image("image-with-annotations", |document| {
            document["annotations"] = json!({ "org.forge.line": "a \"line\"\n" });
        }),
        image("image-with-unknown-fields", |document| document["x-forge"] = json!([{ "deep": null }])),
        image("image-with-embedded-data", |document| document["layers"][0]["data"] = json!("dGhl")),
        image("image-of-3-mib", |document| document["annotations"] = json!({ "org.forge.long": "x".repeat(3 << 20) })),
        spaced("image-oddly-spaced"),
        foreign_layer("image-with-a-foreign-layer"),
        docker_image("docker-image"),
        artifact("artifact", plain),
        artifact("artifact-by-its-config", |document| {
            document.as_object_mut().unwrap().remove("artifactType");
            document["config"]["mediaType"] = json!("application/vnd.forge.config");
        }),
        artifact("artifact-with-subject", is_about(&subject))
            .with_children([subject.clone()])
            .with_blobs(["{}".to_owned()]),
        artifact("artifact-with-absent-subject", is_about(&absent)),
        image("image-with-absent-subject", is_about(&absent)),
        index("index", two("index's first", "index's second"), plain),
        index("index-without-manifests", vec![], plain),
        index("index-with-platforms", two("platform's first", "platform's second"), |document| {
            document["manifests"][0]["platform"] = json!({ "architecture": "arm64", "os": "linux", "variant": "v8" });
        }),
        index("index-with-an-artifact", vec![image("beside it", plain), artifact("in an index", plain)], plain),
        index("index-with-absent-subject", two("about's first", "about's second"), is_about(&absent)),
        index("nested-index", vec![index("inner", two("inner's first", "inner's second"), plain)], plain),
        docker_list("docker-list"),
    ]
}
