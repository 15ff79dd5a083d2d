use std::collections::BTreeSet;

use guarded_http::{Method, Response, StatusCode, header};
use release::{Digest, Repository};
use serde::Deserialize;

use super::{
    HttpRegistry,
    paths::{self, Reference},
};
use crate::{Descriptor, RegistryError};

/// The most bytes of one page.
pub(super) const PAGE: usize = 8 << 20;
/// The most referrers of one manifest.
const MOST: usize = 1_000;

/// The list of referrers: an index, of which only this is read.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

impl HttpRegistry {
    /// Asks the referrers API (distribution-spec, "Listing Referrers"); where there is none, reads the tag under which
    /// clients keep the list.
    pub(super) async fn referrers_of(
        &self,
        repository: &Repository,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        let mut next = Some(paths::referrers(repository, subject));
        while let Some(url) = next {
            let response = self.client.request(Method::GET, &url)?.send(PAGE).await?;
            match response.status() {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND if seen.is_empty() => return self.listed_under_tag(repository, subject).await,
                _ => return Err(self.refusal(repository, response)),
            }
            found.extend(response.json::<Page>()?.manifests);
            self.few_enough(repository, &found)?;
            next = match next_page(&response) {
                None => None,
                Some(reference) => Some(response.resolve(reference)?.into()),
            };
            if !seen.insert(url) || next.as_ref().is_some_and(|next| seen.contains(next)) {
                return Err(self.protocol(repository, "its pages of referrers lead back to one that was read"));
            }
        }
        Ok(found)
    }

    async fn listed_under_tag(
        &self,
        repository: &Repository,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        let Some((_, response)) = self.get_manifest(repository, Reference::Referrers(subject)).await? else {
            return Ok(Vec::new());
        };
        let found = response.json::<Page>()?.manifests;
        self.few_enough(repository, &found)?;
        Ok(found)
    }

    fn few_enough(&self, repository: &Repository, found: &[Descriptor]) -> Result<(), RegistryError> {
        if found.len() > MOST {
            return Err(self.protocol(repository, "it lists more than 1,000 referrers of one manifest"));
        }
        Ok(())
    }
}

/// What the `Link` header names as the next page (RFC 8288), as registries write it: `<URL>; rel="next"`.
fn next_page(response: &Response) -> Option<&str> {
    let link = response.header(&header::LINK)?;
    let (url, parameters) = link.strip_prefix('<')?.split_once('>')?;
    let is_next = |parameter: &str| matches!(parameter.trim(), "rel=\"next\"" | "rel=next");
    parameters.split(';').any(is_next).then_some(url)
}
