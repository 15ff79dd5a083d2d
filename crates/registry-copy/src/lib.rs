//! Move one pinned artifact between registries, byte for byte.
//!
//! A source is a digest, never a tag; a tag is written once and never moved; every blob is hashed on its way, and what
//! was written is read back before a copy says that it is done. Manifests are kept as the bytes that were received.
//! Nothing is unpacked: there is no tar and no gzip here.
//!
//! Registries stand behind the [`Registry`] trait: [`http`], an OCI layout directory ([`Layout`]) and a strict one in
//! memory ([`InMemory`]). [`conformance`] says what all of them promise, [`faults`] makes them break on purpose.

mod beside;
mod blob;
mod checked;
pub mod conformance;
mod copy;
mod copy_error;
mod descriptor;
mod error;
pub mod faults;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod guess;
pub mod http;
mod layout;
mod look;
mod manifest;
mod memory;
mod observer;
mod pipeline;
mod plan;
mod put;
mod registry;
mod retry;
mod side;
mod unique_keys;
mod verify;
mod walk;

pub use copy::{Blobs, Destination, Options, Outcome, Source, Transfer, copy, copy_as_seen, pin};
pub use copy_error::{CopyError, GraphError};
pub use descriptor::Descriptor;
pub use error::RegistryError;
pub use layout::{Layout, LayoutError};
pub use manifest::{Manifest, ManifestError};
pub use memory::InMemory;
pub use observer::Observer;
pub use plan::{Planned, ToMove, plan};
pub use registry::{Chunks, Put, Registry, TagRule};
pub use verify::verify;
