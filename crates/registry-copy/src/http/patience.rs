use std::time::Duration;

use guarded_http::{HttpError, Method, Retries};
use release::Repository;
use tokio::time::sleep;

use super::{HttpRegistry, paths, referrers::PAGE};
use crate::RegistryError;

/// How often a write's connection may break before it is asked whether there is such a repository.
const BREAKS: u32 = 4;
/// How often it is looked again for what was stored and is said to be missing: some registries take a moment to see it.
pub(super) const LOOKS: u32 = 3;

/// Repeats a write for as long as that may help.
pub(super) struct Patience<'a> {
    registry: &'a HttpRegistry,
    repository: &'a Repository,
    retries: Retries,
    breaks: u32,
    looks: u32,
}

impl HttpRegistry {
    pub(super) fn patience<'a>(&'a self, repository: &'a Repository) -> Patience<'a> {
        Patience { registry: self, repository, retries: self.client.retries(), breaks: 0, looks: 0 }
    }

    /// Asks for the repository itself. A registry that does not create repositories may drop the connection of who
    /// writes to one that is not there (ECR does).
    async fn expect_repository(&self, repository: &Repository) -> Result<(), RegistryError> {
        let request = self.reading(repository, Method::GET, &paths::one_tag(repository))?;
        match request.send(PAGE).await {
            Ok(response) if !response.status().is_success() => match self.refusal(repository, response) {
                error @ RegistryError::NoRepository { .. } => Err(error),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

impl Patience<'_> {
    /// Waits before another try, or returns the error where none would help.
    pub(super) async fn again(&mut self, error: RegistryError) -> Result<(), RegistryError> {
        match error {
            RegistryError::Http(error) if error.is_retryable() => {
                self.breaks += u32::from(matches!(error, HttpError::Broken { .. }));
                if self.breaks == BREAKS && !self.registry.learnt.knows(self.repository) {
                    self.registry.expect_repository(self.repository).await?;
                }
                sleep(self.retries.pause(error)?).await;
            }
            error if self.looks < LOOKS && self.may_be_seen_later(&error) => {
                self.looks += 1;
                look_again(self.looks).await;
            }
            error => return Err(error),
        }
        Ok(())
    }

    /// Whether what is said to be missing may be what was just stored.
    fn may_be_seen_later(&self, error: &RegistryError) -> bool {
        match error {
            RegistryError::PartMissing { part, .. } => self.registry.learnt.was_stored(self.repository, *part),
            RegistryError::PartsMissing { .. } => true,
            _ => false,
        }
    }
}

/// The pause before the given look, 1 being the first.
pub(super) async fn look_again(look: u32) {
    sleep(Duration::from_millis(100) * 2_u32.pow(look)).await;
}
