use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use bytes::Bytes;
use http::{Method, StatusCode, header};
use sandbox::release::Digest;
use serde_json::{Value, json};

const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// One repository as plain HTTP shows it: an independent look, which shares no code with the clients that are tested.
#[derive(Debug, Clone)]
pub struct Witness {
    client: reqwest::Client,
    base: String,
    login: Option<(String, String)>,
}

/// An image that was pushed.
#[derive(Debug, Clone)]
pub struct Pushed {
    /// The digest of its manifest or index.
    pub digest: String,
    /// Every manifest and blob of it and of its referrers, with its size.
    pub parts: BTreeMap<String, u64>,
    /// How many of them are blobs.
    pub blobs: usize,
}

impl Pushed {
    /// The digest of its largest part.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn largest(&self) -> &str {
        self.parts.iter().max_by_key(|(_, size)| **size).unwrap().0
    }
}

impl Witness {
    /// Looks at a repository of the registry at `authority`, over plain HTTP.
    ///
    /// # Panics
    /// Never on a machine that can open a socket.
    #[must_use]
    pub fn new(authority: &str, repository: &str, login: Option<(&str, &str)>) -> Self {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::limited(3));
        Self {
            client: client.build().unwrap(),
            base: format!("http://{authority}/v2/{repository}"),
            login: login.map(|(user, password)| (user.to_owned(), password.to_owned())),
        }
    }

    /// Pushes an OCI layout: its image under the tag, and each manifest in it that names a subject.
    ///
    /// # Panics
    /// When the registry does not take it.
    pub async fn push(&self, layout: &Path, tag: &str) -> Pushed {
        let index = parsed(&std::fs::read(layout.join("index.json")).unwrap());
        let digest = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
        let (mut parts, mut manifests) = (BTreeMap::new(), Vec::new());
        for entry in std::fs::read_dir(layout.join("blobs/sha256")).unwrap() {
            let bytes = Bytes::from(std::fs::read(entry.unwrap().path()).unwrap());
            parts.insert(Digest::of(&bytes).to_string(), bytes.len() as u64);
            match serde_json::from_slice::<Value>(&bytes).ok().filter(|found| found["schemaVersion"] == 2) {
                Some(found) => manifests.push((found, bytes)),
                None => self.push_blob(bytes).await,
            }
        }
        let blobs = parts.len() - manifests.len();
        // Images before the indexes that list them.
        manifests.sort_by_key(|(found, _)| found["mediaType"] == INDEX);
        for (found, bytes) in manifests {
            let own = Digest::of(&bytes).to_string();
            self.push_manifest(if own == digest { tag } else { &own }, found["mediaType"].as_str().unwrap(), bytes)
                .await;
        }
        Pushed { digest, parts, blobs }
    }

    /// Puts a manifest under a tag or digest.
    ///
    /// # Panics
    /// When the registry does not take it.
    pub async fn push_manifest(&self, reference: &str, media_type: &str, bytes: Bytes) {
        let request = self.request(Method::PUT, &format!("manifests/{reference}"));
        let put = request.header(header::CONTENT_TYPE, media_type).body(bytes).send().await.unwrap();
        assert_eq!(put.status(), StatusCode::CREATED, "{reference}: {:?}", put.text().await);
    }

    /// Attaches a small artifact of this type to an image that is there; its digest.
    ///
    /// # Panics
    /// When the registry does not take it.
    pub async fn refer(&self, subject: &str, artifact_type: &str) -> String {
        const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
        let of_image = self.get(&format!("manifests/{subject}")).await.unwrap();
        let empty = Bytes::from_static(b"{}");
        let config = json!({
            "mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::of(&empty), "size": empty.len(),
        });
        self.push_blob(empty).await;
        let manifest = json!({
            "schemaVersion": 2, "mediaType": IMAGE, "artifactType": artifact_type, "config": config, "layers": [config],
            "subject": { "mediaType": parsed(&of_image)["mediaType"], "digest": subject, "size": of_image.len() },
        });
        let bytes = Bytes::from(manifest.to_string());
        let digest = Digest::of(&bytes).to_string();
        self.push_manifest(&digest, IMAGE, bytes).await;
        digest
    }

    async fn push_blob(&self, bytes: Bytes) {
        let digest = Digest::of(&bytes);
        let opened = self.request(Method::POST, "blobs/uploads/").body("").send().await.unwrap();
        let location = opened.headers()[header::LOCATION].to_str().unwrap();
        let mut url = reqwest::Url::parse(&self.base).unwrap().join(location).unwrap();
        url.query_pairs_mut().append_pair("digest", &digest.to_string());
        let put = self.login(self.client.put(url)).body(bytes).send().await.unwrap();
        assert_eq!(put.status(), StatusCode::CREATED, "{:?}", put.text().await);
    }

    /// The digest of the bytes that a tag names.
    pub async fn tag(&self, tag: &str) -> Option<String> {
        let bytes = self.get(&format!("manifests/{tag}")).await?;
        Some(Digest::of(&bytes).to_string())
    }

    /// What is wrong with an image and with what refers to it: a line for each part that is not there or has other
    /// bytes than its digest and size say.
    pub async fn wrong(&self, image: &Pushed) -> Vec<String> {
        let mut wrong = Vec::new();
        let listed = self.closure(&image.digest, &mut wrong).await;
        for digest in image.parts.keys().filter(|digest| !listed.contains(*digest)) {
            wrong.push(format!("{digest} is not reached"));
        }
        wrong
    }

    /// Everything that a digest leads to.
    async fn closure(&self, root: &str, wrong: &mut Vec<String>) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut manifests = vec![(root.to_owned(), None)];
        while let Some((digest, size)) = manifests.pop() {
            if !found.insert(digest.clone()) {
                continue;
            }
            let Some(bytes) = self.get(&format!("manifests/{digest}")).await else {
                wrong.push(format!("manifest {digest} is not there"));
                continue;
            };
            judge(&digest, size, &bytes, wrong);
            let manifest = parsed(&bytes);
            let blobs = manifest["layers"].as_array().into_iter().flatten().chain(manifest.get("config"));
            for blob in blobs {
                let digest = blob["digest"].as_str().unwrap().to_owned();
                match self.get(&format!("blobs/{digest}")).await {
                    Some(bytes) => judge(&digest, blob["size"].as_u64(), &bytes, wrong),
                    None => wrong.push(format!("blob {digest} is not there")),
                }
                found.insert(digest);
            }
            let children = manifest["manifests"].as_array().cloned().unwrap_or_default();
            for child in children.into_iter().chain(self.referrers(&digest).await) {
                manifests.push((child["digest"].as_str().unwrap().to_owned(), child["size"].as_u64()));
            }
        }
        found
    }

    /// What the registry lists as referrers, by its API or else under the fallback tag.
    pub async fn referrers(&self, digest: &str) -> Vec<Value> {
        let api = self.get(&format!("referrers/{digest}")).await;
        let listed = match api {
            Some(bytes) => Some(bytes),
            None => self.get(&format!("manifests/{}", digest.replace(':', "-"))).await,
        };
        let listed = listed.map(|bytes| parsed(&bytes)["manifests"].as_array().cloned().unwrap_or_default());
        listed.unwrap_or_default()
    }

    async fn get(&self, path: &str) -> Option<Bytes> {
        let answer = self.request(Method::GET, path).header(header::ACCEPT, ACCEPT).send().await.unwrap();
        if answer.status() == StatusCode::OK { Some(answer.bytes().await.unwrap()) } else { None }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.login(self.client.request(method, format!("{}/{path}", self.base)))
    }

    fn login(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.login {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        }
    }
}

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn judge(digest: &str, size: Option<u64>, bytes: &[u8], wrong: &mut Vec<String>) {
    if Digest::of(bytes).to_string() != digest || size.is_some_and(|size| size != bytes.len() as u64) {
        wrong.push(format!("{digest} has other bytes"));
    }
}
