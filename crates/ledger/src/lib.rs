//! Change scalars in a Git manifest under two locks.
//!
//! The first lock is the server's: a [push](Remote::push) is compare-and-swap on the branch's head. The second is the
//! change's own: each [`Edit`] says what its place must hold ([`From`]), and that is judged again on each new head.
//! So different files are re-applied and nothing is lost, while of two changes to one key the newer build wins and the
//! older gets [`Outcome::Superseded`]. [`revert`] makes the change that undoes a commit, [`propose`] leaves the decision to
//! people.
//!
//! A [`Change`] is data, [`apply`] is pure, [`update`] brings it to a [`Remote`]: [`git::Program`] or
//! [`memory::Repository`]. [`get_scalar`] and [`set_scalar`] are the edits by themselves.

mod apply;
mod authorship;
mod branch;
mod change;
mod child;
pub mod conformance;
mod credential_helper;
mod diff;
mod document;
mod error;
pub mod faults;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod git;
mod identity;
mod key_path;
mod ledger_url;
pub mod memory;
mod objects;
mod path;
mod prepend;
mod propose;
mod pull_request;
mod remote;
mod revert;
mod run_trailer;
mod scalar;
mod settle;
mod signer;
pub mod smart_http;
mod turn;
mod update;
mod user_git;
mod wire;
mod yaml;

pub use apply::{Applied, AppliedEdit, Snapshot, apply};
pub use authorship::Authorship;
pub use branch::Branch;
pub use change::{Change, Edit, From, Prepend, Read, Restore};
pub use credential_helper::{CredentialHelpers, credentials_of_git};
pub use diff::diff;
pub use document::Document;
pub use error::{FILE_LIMIT, Kind, LedgerError, Said};
pub use identity::Identity;
pub use key_path::KeyPath;
pub use ledger_url::LedgerUrl;
pub use objects::{
    ObjectError,
    pack::{Fault, PackError},
};
pub use path::RepoPath;
pub use propose::{Proposed, propose};
pub use pull_request::{Proposal, PullRequest, PullRequests};
pub use remote::{Draft, Entry, Found, Meta, Push, Refusal, Remote, Unanswered};
pub use revert::{RevertError, revert};
pub use scalar::Scalar;
pub use signer::{Signer, SignerError};
pub use turn::{Queue, Turn, Turns};
pub use update::{Outcome, persist, update};
pub use wire::WireError;
pub use yaml::{Construct, EditError, ParserMessage, get_scalar, position, set_scalar};
