use std::time::Duration;

use guarded_http::{Method, StatusCode, header};
use release::{Digest, Repository};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use tokio::time::{Instant, sleep};

use super::{
    HttpRegistry,
    paths::{self, Reference},
    referrers::MOST,
    upload::BRIEF,
    wire::few::Few,
};
use crate::{Manifest, ManifestError, RegistryError};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// How often the list is read, and written again where somebody else wrote it at the same time.
const ROUNDS: u32 = 16;
/// The longest pause between two looks.
const LONGEST: Duration = Duration::from_secs(2);

/// The list as it is read. Its entries stay as they are, whatever else they hold.
#[derive(Deserialize)]
struct List {
    manifests: Few<Box<RawValue>, MOST>,
}

/// The list as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u8,
    media_type: &'static str,
    manifests: &'a [Box<RawValue>],
}

/// What an entry is looked at for.
#[derive(Deserialize)]
struct Listed {
    digest: String,
}

/// An entry: a manifest's descriptor, with the annotations that it has.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    media_type: &'a str,
    digest: Digest,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Annotated<'a> {
    #[serde(borrow)]
    annotations: Option<&'a RawValue>,
}

impl HttpRegistry {
    /// Lists a manifest that was put among the referrers of its subject, where the registry does not (distribution-spec,
    /// "Pushing Manifests with Subject").
    ///
    /// The list is kept by clients under a tag of its own, and nothing guards that against two that write at once: this
    /// is a best effort. After writing, the list is looked at twice, and written again where the manifest is gone from it.
    /// Before each look is a random pause, longer than it took to read the list and to write it. A client that read it
    /// before and writes it after both still undoes this; the manifest itself stays, and who looks again may put it again.
    pub(super) async fn list_under_subject(
        &self,
        repository: &Repository,
        manifest: &Manifest,
    ) -> Result<(), RegistryError> {
        let Some(subject) = manifest.subject() else { return Ok(()) };
        if self.ask_referrers_api(repository, &subject.digest).await?.is_some() {
            return Ok(());
        }
        if !self.referrers_tag {
            return Err(self.no_referrers_api(repository));
        }
        let digest = manifest.digest().to_string();
        // Of this client one at a time.
        let _turn = self.listing.lock().await;
        let (mut looks, mut took) = (1, Duration::ZERO);
        for _ in 0..ROUNDS {
            let began = Instant::now();
            let mut listed = self.list(repository, &subject.digest).await?;
            if listed.iter().any(|entry| names(entry, &digest)) {
                looks -= 1;
            } else {
                listed.push(entry(manifest)?);
                self.put_list(repository, &subject.digest, &listed).await?;
                looks = 2;
                took = took.max(began.elapsed());
            }
            if looks == 0 {
                return Ok(());
            }
            let pause = Duration::from_millis(fastrand::u64(0..50)) + took.mul_f64(1.0 + fastrand::f64());
            sleep(pause.min(LONGEST)).await;
        }
        Err(self.protocol(repository, "a list of referrers does not keep what is added to it"))
    }

    /// The entries, each as it is.
    async fn list(&self, repository: &Repository, subject: &Digest) -> Result<Vec<Box<RawValue>>, RegistryError> {
        let Some((_, response)) = self.get_manifest(repository, Reference::Referrers(subject)).await? else {
            return Ok(Vec::new());
        };
        let List { manifests: Few(entries) } = response.json()?;
        self.few_enough(repository, &entries)?;
        Ok(entries)
    }

    async fn put_list(
        &self,
        repository: &Repository,
        subject: &Digest,
        entries: &[Box<RawValue>],
    ) -> Result<(), RegistryError> {
        let index = Index { schema_version: 2, media_type: INDEX, manifests: entries };
        let index = serde_json::to_vec(&index).map_err(ManifestError::from)?;
        if entries.len() > MOST || index.len() > Manifest::MAX_SIZE {
            return Err(RegistryError::ReferrersFull { repository: repository.clone(), subject: *subject });
        }
        let response = self
            .writing(repository, Method::PUT, &paths::manifest(repository, Reference::Referrers(subject)))?
            .header(header::CONTENT_TYPE, INDEX)
            .body(index)
            .send(BRIEF)
            .await?;
        if response.status() == StatusCode::CREATED { Ok(()) } else { Err(self.refusal(repository, response)) }
    }
}

fn names(entry: &RawValue, digest: &str) -> bool {
    serde_json::from_str::<Listed>(entry.get()).is_ok_and(|listed| listed.digest == digest)
}

fn entry(manifest: &Manifest) -> Result<Box<RawValue>, ManifestError> {
    let descriptor = manifest.descriptor();
    let Annotated { annotations } = serde_json::from_slice(manifest.bytes())?;
    Ok(to_raw_value(&Entry {
        media_type: &descriptor.media_type,
        digest: descriptor.digest,
        size: descriptor.size,
        artifact_type: descriptor.artifact_type.as_deref(),
        annotations,
    })?)
}
