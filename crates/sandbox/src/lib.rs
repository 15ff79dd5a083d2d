//! Forge on loopback: what Conveyor works with, for demonstrations and tests.
//!
//! [`Forge`] is the whole company: a registry for each environment, the Ledger behind `git http-backend`, and the
//! release API. Each server is a skin over a strict in-memory backend of the crate that speaks to the real thing, so
//! there are no rules here that could differ from those. All listen on 127.0.0.1, on ports that the system chooses,
//! and stop when the [`Forge`] is dropped.
//!
//! A [`RegistryServer`] stands alone too, with [`RegistryOptions`]: who is admitted, and whether it has ECR's habits; and
//! so does a [`GitServer`]. A [`FaultProxy`] before any HTTP server breaks what passes through it, by a [`Script`].
//!
//! ```no_run
//! # async fn story() -> std::io::Result<()> {
//! let forge = sandbox::Forge::start().await?;
//! let status = std::process::Command::new("copy-artifact")
//!     .args(["payments-api=48213", "--from", "oci:image", "--to", "dev"])
//!     .envs(forge.env())
//!     .status()?;
//! # Ok(())
//! # }
//! ```

mod company;
mod fault_proxy;
mod files;
mod forge;
mod git;
pub mod image;
mod line;
mod query;
mod registry;
mod releases;
mod repos;
mod repository;
mod server;

pub use company::{APPROVERS, APPS, ENVIRONMENTS, ForgeApp, ORGANIZATION, PROJECT};
pub use fault_proxy::{Act, Answer, Break, FaultProxy, Faults, Phase, Script, Seen};
pub use forge::{Credentials, Forge};
pub use git::{GitOptions, GitServer};
pub use registry::{Account, Admission, Issuer, Manners, ObjectStore, RegistryOptions, RegistryServer};
pub use releases::ReleaseServer;
pub use repos::ReposServer;
pub use repository::create_repository;
pub use server::{Logged, RequestLog};

/// The crates whose types stand in this crate's interface.
pub use {azure_devops, registry_copy, release};
