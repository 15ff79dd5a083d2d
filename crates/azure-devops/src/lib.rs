//! Builds, releases and approvals from Azure DevOps: the facts that decide whether something may be released. And
//! [`git`]: a Ledger in Azure Repos.
//!
//! Whoever wants to get around a rule starts by bending these facts, so an answer is complete and consistent or it is
//! an error. A sign-in page, a redirect, a field that is not there, a word that nobody knows, two pages that disagree:
//! none of them ever becomes a default. [`AzureError::is_retryable`] is true only where the server did not answer.
//!
//! Sources: the REST reference for
//! [builds](https://learn.microsoft.com/rest/api/azure/devops/build/builds/get),
//! [releases](https://learn.microsoft.com/rest/api/azure/devops/release/releases/get-release) and
//! [approvals](https://learn.microsoft.com/rest/api/azure/devops/release/approvals/list).

use std::{error::Error as _, fmt};

use async_trait::async_trait;
use policy::Fact;
use release::BuildId;

pub mod document;
mod error;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod git;
pub mod http;
pub mod memory;
pub mod model;

pub use error::{AzureError, Resource};

/// A server that knows builds, releases and who approved them.
#[async_trait]
pub trait AzureDevOps: fmt::Debug + Send + Sync {
    /// A build; `None`: the server says that there is no such build.
    ///
    /// # Errors
    /// Where the answer is not known.
    async fn build(&self, id: BuildId) -> Result<Option<policy::Build>, AzureError>;

    /// A release, its stage named `stage` with all of that stage's approvals, and, where `source_stage` is given, when
    /// that stage last succeeded in this release.
    ///
    /// # Errors
    /// Where the answer is not known, or the release has no such stage.
    async fn release(&self, id: u64, stage: &str, source_stage: Option<&str>) -> Result<policy::Release, AzureError>;
}

/// What an answer is to a decision: a fact, or a missing one and why.
pub fn fact<T>(answer: Result<T, AzureError>) -> Fact<T> {
    match answer {
        Ok(known) => Fact::Known(known),
        Err(error) => {
            let mut why = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                why = format!("{why}: {cause}");
                source = cause.source();
            }
            error.remedy().map_or_else(|| Fact::unanswered(&why), |remedy| Fact::missing(&why, remedy))
        }
    }
}
