//! What a malicious registry has on its shelves.

use std::{collections::BTreeMap, sync::Arc};

use sandbox::release::Digest;
use serde_json::{Value, json};

use super::server::{Answers, Fire, answer};

pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

type Shelf = Box<dyn Fn(&str) -> Fire + Send + Sync>;

/// Answers by path, without its query, or by method and path; anything else is not there.
pub(crate) struct Shop {
    /// Where it is served.
    pub(crate) authority: String,
    shelves: BTreeMap<String, Shelf>,
}

impl Shop {
    fn new(authority: &str) -> Self {
        Self { authority: authority.to_owned(), shelves: BTreeMap::new() }
    }

    /// How it answers once it is filled.
    pub(crate) fn loaded(authority: &str, load: impl FnOnce(&mut Self)) -> Answers {
        let mut shop = Self::new(authority);
        load(&mut shop);
        shop.answers()
    }

    /// Answers the path under `/v2/a/` with what is made anew each time.
    pub(crate) fn at(&mut self, path: &str, fire: impl Fn() -> Fire + Send + Sync + 'static) {
        self.with_query(path, move |_| fire());
    }

    /// The same for an answer that depends on the query.
    pub(crate) fn with_query(&mut self, path: &str, fire: impl Fn(&str) -> Fire + Send + Sync + 'static) {
        self.shelves.insert(path.to_owned(), Box::new(fire));
    }

    /// Has a document as a manifest under its digest; the descriptor.
    pub(crate) fn manifest(&mut self, media_type: &'static str, text: impl Into<Vec<u8>>) -> Value {
        let text = text.into();
        let found = describe(media_type, &text);
        self.at(&format!("manifests/{}", found["digest"].as_str().unwrap()), move || served(media_type, &text));
        found
    }

    /// Has a document as the image that is asked for, tagged 1.
    pub(crate) fn image(&mut self, media_type: &'static str, text: impl Into<Vec<u8>>) -> Value {
        let text = text.into();
        self.at("manifests/1", {
            let text = text.clone();
            move || served(media_type, &text)
        });
        self.manifest(media_type, text)
    }

    /// Has a blob; its descriptor.
    pub(crate) fn blob(&mut self, bytes: &'static [u8]) -> Value {
        let found = layer(bytes);
        self.at(&blob_path(&found), move || Fire::Whole(answer("200 OK", &[], bytes)));
        found
    }

    /// Has an image of one layer whose GET is answered with `fire`.
    pub(crate) fn image_with_layer(&mut self, bytes: &'static [u8], fire: impl Fn() -> Fire + Send + Sync + 'static) {
        let (config, layer) = (self.blob(b"{}"), layer(bytes));
        self.at(&blob_path(&layer), fire);
        self.image(IMAGE, image(&config, &[layer]));
    }

    fn answers(self) -> Answers {
        Arc::new(move |ask| {
            let (path, query) = ask.path.split_once('?').unwrap_or((&ask.path, ""));
            let path = path.strip_prefix("/v2/a/").unwrap_or(path);
            let shelf = self.shelves.get(&format!("{} {path}", ask.method)).or_else(|| self.shelves.get(path));
            shelf.map_or_else(absent, |shelf| shelf(query))
        })
    }
}

/// The answer of a registry that does not have it.
pub(crate) fn absent() -> Fire {
    let body = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"not here"}]}"#;
    Fire::Whole(answer("404 Not Found", &["Content-Type: application/json"], body))
}

pub(crate) fn served(media_type: &str, body: &[u8]) -> Fire {
    Fire::Whole(answer("200 OK", &[&format!("Content-Type: {media_type}")], body))
}

/// An image manifest.
pub(crate) fn image(config: &Value, layers: &[Value]) -> String {
    json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": layers }).to_string()
}

/// An index.
pub(crate) fn index(manifests: &[Value]) -> String {
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests }).to_string()
}

pub(crate) fn layer(bytes: &[u8]) -> Value {
    describe(LAYER, bytes)
}

/// A descriptor of something that nobody has.
pub(crate) fn invented(media_type: &str, number: usize) -> Value {
    describe(media_type, number.to_string().as_bytes())
}

pub(crate) fn blob_path(descriptor: &Value) -> String {
    format!("blobs/{}", descriptor["digest"].as_str().unwrap())
}

fn describe(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::of(bytes), "size": bytes.len() })
}
