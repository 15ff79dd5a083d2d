use std::time::Duration;

use guarded_http::{Method, StatusCode, header};
use release::{Digest, Repository};
use serde_json::{Value, json};

use super::{
    HttpRegistry,
    paths::{self, Reference},
    referrers::{PAGE, is_no_api},
    upload::BRIEF,
};
use crate::{Manifest, RegistryError};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// How often the list is read, and written again where somebody else wrote it at the same time.
const ROUNDS: u32 = 16;

impl HttpRegistry {
    /// Lists a manifest that was put among the referrers of its subject, where the registry does not (distribution-spec,
    /// "Pushing Manifests with Subject").
    ///
    /// The list is kept by clients under a tag of its own, and nothing guards that against two that write at once: this
    /// is a best effort. After writing, the list is looked at twice with a random pause before each, and written again
    /// where the manifest is gone from it. A client that read it before and writes it after both still undoes this; the
    /// manifest itself stays, and the next copy lists it again.
    pub(super) async fn list_under_subject(
        &self,
        repository: &Repository,
        manifest: &Manifest,
    ) -> Result<(), RegistryError> {
        let Some(subject) = manifest.subject() else { return Ok(()) };
        if self.lists_referrers(repository, &subject.digest).await? {
            return Ok(());
        }
        if !self.referrers_tag {
            return Err(self.no_referrers_api(repository));
        }
        let digest = manifest.digest().to_string();
        let mut looks = 1;
        for _ in 0..ROUNDS {
            let mut listed = self.list(repository, &subject.digest).await?;
            if listed.iter().any(|entry| entry.get("digest").and_then(Value::as_str) == Some(&digest)) {
                looks -= 1;
            } else {
                listed.push(entry(manifest));
                self.put_list(repository, &subject.digest, &listed).await?;
                looks = 2;
            }
            if looks == 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..50))).await;
        }
        Err(self.protocol(repository, "a list of referrers does not keep what is added to it"))
    }

    async fn lists_referrers(&self, repository: &Repository, subject: &Digest) -> Result<bool, RegistryError> {
        let request = self.reading(repository, Method::GET, &paths::referrers(repository, subject))?;
        let response = request.send(PAGE).await?;
        match response.status() {
            StatusCode::OK => Ok(true),
            status if is_no_api(status) => Ok(false),
            _ => Err(self.refusal(repository, response)),
        }
    }

    /// The entries as they are, whatever else they hold.
    async fn list(&self, repository: &Repository, subject: &Digest) -> Result<Vec<Value>, RegistryError> {
        let Some((_, response)) = self.get_manifest(repository, Reference::Referrers(subject)).await? else {
            return Ok(Vec::new());
        };
        match response.json::<Value>()?.get_mut("manifests").map(Value::take) {
            Some(Value::Array(entries)) => Ok(entries),
            _ => Err(self.protocol(repository, "the tag for a list of referrers holds something else")),
        }
    }

    async fn put_list(
        &self,
        repository: &Repository,
        subject: &Digest,
        entries: &[Value],
    ) -> Result<(), RegistryError> {
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
        let response = self
            .writing(repository, Method::PUT, &paths::manifest(repository, Reference::Referrers(subject)))?
            .header(header::CONTENT_TYPE, INDEX)
            .body(index.to_string())
            .send(BRIEF)
            .await?;
        if response.status() == StatusCode::CREATED { Ok(()) } else { Err(self.refusal(repository, response)) }
    }
}

/// A manifest's entry: its descriptor, with the annotations that it has.
fn entry(manifest: &Manifest) -> Value {
    let descriptor = manifest.descriptor();
    let mut entry = json!({
        "mediaType": descriptor.media_type, "digest": descriptor.digest, "size": descriptor.size,
    });
    let document = serde_json::from_slice::<Value>(manifest.bytes()).unwrap_or_default();
    if let Some(fields) = entry.as_object_mut() {
        fields.extend(descriptor.artifact_type.map(|kind| ("artifactType".to_owned(), kind.into())));
        fields.extend(document.get("annotations").map(|annotations| ("annotations".to_owned(), annotations.clone())));
    }
    entry
}
