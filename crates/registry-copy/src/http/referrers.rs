use std::collections::BTreeSet;

use guarded_http::{Method, Response, StatusCode};
use release::{Digest, Repository};
use serde::Deserialize;

use super::{
    HttpRegistry,
    paths::{self, Reference},
    wire::{few::Few, link, refusals},
};
use crate::{Descriptor, Manifest, RegistryError};

/// The most bytes of one page.
pub(super) const PAGE: usize = 8 << 20;
/// The most referrers of one manifest: what lists them is a manifest too.
pub(super) const MOST: usize = Manifest::MAX_DESCRIPTORS;
/// The most pages that they come on.
const MOST_PAGES: usize = 100;

/// The list of referrers: an index, of which only this is read.
#[derive(Deserialize)]
struct Page {
    /// Some registries say that there are none with `null`.
    manifests: Option<Few<Descriptor, MOST>>,
}

impl HttpRegistry {
    /// Asks the referrers API (distribution-spec, "Listing Referrers"); where there is none, reads the tag under which
    /// clients keep the list.
    pub(super) async fn referrers_of(
        &self,
        repository: &Repository,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        match self.ask_referrers_api(repository, subject).await? {
            Some(page) => self.pages(repository, subject, page).await,
            None if self.referrers_tag => self.listed_under_tag(repository, subject).await,
            None if self.learnt.is_without_referrers_api() => Err(self.no_referrers_api(repository)),
            None => Ok(Vec::new()),
        }
    }

    /// Asks the referrers API for its first page; `None`: it does not know the subject, or there is no such API, which is
    /// asked once then.
    ///
    /// By the specification a registry says 404 then; those that take the path for another one, or refuse what they do
    /// not know, say it so.
    pub(super) async fn ask_referrers_api(
        &self,
        repository: &Repository,
        subject: &Digest,
    ) -> Result<Option<Response>, RegistryError> {
        if self.learnt.is_without_referrers_api() {
            return Ok(None);
        }
        let request = self.reading(repository, Method::GET, &paths::referrers(repository, subject))?;
        let response = request.send(PAGE).await?;
        match response.status().as_u16() {
            200 => Ok(Some(response)),
            400 | 404 | 405 | 406 | 501 => {
                // Else it knows the question, but not what is asked about.
                if !refusals::parse(response.bytes()).say(&["MANIFEST_UNKNOWN", "NAME_UNKNOWN"]) {
                    self.learnt.lacks_referrers_api();
                }
                Ok(None)
            }
            _ => Err(self.refusal(repository, response)),
        }
    }

    /// What all pages list, of which one is known.
    async fn pages(
        &self,
        repository: &Repository,
        subject: &Digest,
        first: Response,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        let mut first = Some(first);
        let mut next = Some(paths::referrers(repository, subject));
        while let Some(url) = next {
            let response = match first.take() {
                Some(first) => first,
                None => self.reading(repository, Method::GET, &url)?.send(PAGE).await?,
            };
            if response.status() != StatusCode::OK {
                return Err(self.refusal(repository, response));
            }
            found.extend(response.json::<Page>()?.manifests.map_or_else(Vec::new, |few| few.0));
            self.few_enough(repository, &found)?;
            next = match link::next(response.headers()) {
                Ok(None) => None,
                Ok(Some(reference)) => Some(response.resolve(reference)?.into()),
                Err(link::Unreadable) => return Err(self.protocol(repository, "its Link header cannot be read")),
            };
            if !seen.insert(url) || next.as_ref().is_some_and(|next| seen.contains(next)) {
                return Err(self.protocol(repository, "its pages of referrers lead back to one that was read"));
            }
            if seen.len() == MOST_PAGES && next.is_some() {
                return Err(self.protocol(repository, "its referrers of one manifest come on more than 100 pages"));
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
        let found = response.json::<Page>()?.manifests.map_or_else(Vec::new, |few| few.0);
        self.few_enough(repository, &found)?;
        Ok(found)
    }

    pub(super) fn no_referrers_api(&self, repository: &Repository) -> RegistryError {
        RegistryError::NoReferrersApi { at: self.at(repository) }
    }

    pub(super) fn few_enough<T>(&self, repository: &Repository, found: &[T]) -> Result<(), RegistryError> {
        if found.len() > MOST {
            return Err(self.protocol(repository, "it lists more than 1,000 referrers of one manifest"));
        }
        Ok(())
    }
}
