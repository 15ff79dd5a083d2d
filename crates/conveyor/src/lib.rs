//! One build from environment to environment: configuration, facts, and the sequences that act on them.
//!
//! Each sequence reads the Ledger at one head, decides on facts, and acts only with a [`policy::Permit`] in hand; what
//! was read is part of what is pushed, so a decision that rests on something that moved is made again. Killed at any
//! instant and run again, a sequence converges.
//!
//! [`promote`] is [`copy_artifacts`] and [`update_ledger`] in one; [`publish`] puts what CI built into the first
//! environment's registry; [`check`] previews; [`raw`] holds the forms that ask no policy and so refuse what is
//! configured.

mod account;
mod act;
mod bring;
pub mod config;
mod counted;
mod decision;
mod docker_config;
mod ecr;
mod error;
mod facts;
mod ledger_server;
mod live;
mod moving;
mod one_line;
mod outcome;
pub mod raw;
mod scene;
mod sequence;
mod world;
mod writing;

pub use account::{Account, AppAccount, ChangeAccount, CopyAccount, Happened, LedgerAccount, Moved};
pub use decision::Asked;
pub use docker_config::{DockerConfig, HelperError};
pub use error::{Error, Kind, chain};
pub use ledger_server::LedgerServer;
pub use live::Live;
pub use one_line::one_line;
pub use outcome::{Denied, Outcome};
pub use scene::Wanted;
pub use sequence::{check, copy_artifacts, promote, publish, update_ledger};
pub use world::{Connect, Observer, World};

/// The crates whose types stand in this crate's interface.
pub use {aws, azure_devops, guarded_http, ledger, policy, record, registry_copy, release};
