//! What is moved and where: the words that every other crate speaks. No I/O.
//!
//! Each word is parsed once, at the edge, with [`FromStr`](std::str::FromStr) and printed with
//! [`Display`](std::fmt::Display); parse ∘ display is the identity. The grammars are ASCII and strict on purpose:
//! what a lenient parser lets through (full-width digits, an upper-case digest, a tag that defaults to `latest`)
//! ends up in a URL, a file name or a shell somewhere else.
//!
//! ```
//! use release::{BuildId, Digest, Reference};
//!
//! let build: BuildId = "48213".parse()?;
//! assert_eq!(build.tag().to_string(), "48213");
//! let digest = Digest::of(b"the bytes decide");
//! let reference: Reference = format!("127.0.0.1:5000/forge/payments-api@{digest}").parse()?;
//! assert_eq!(reference.digest, Some(digest));
//! assert!("payments-api".parse::<Reference>().is_err()); // no registry: nothing is guessed
//! # Ok::<(), release::ParseError>(())
//! ```

mod actor;
mod build;
mod digest;
mod fuzz_targets;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod git;
mod name;
mod reference;
mod run;
mod text;
mod word;

pub use actor::{Actor, ActorId};
pub use build::{Artifact, BuildId};
pub use digest::{Digest, Hasher};
pub use git::{CommitId, ObjectId};
pub use name::{App, Environment, Repository, Tag};
pub use reference::{Authority, Reference};
pub use run::RunId;
pub use text::ParseError;
