//! Move one pinned artifact between registries, byte for byte.
//!
//! A source is a digest, never a tag; a tag is written once and never moved; every blob is hashed on its way, and what
//! was written is read back before a copy says that it is done. Manifests are kept as the bytes that were received.
//! Nothing is unpacked: there is no tar and no gzip here.
//!
//! Registries stand behind the [`Registry`] trait: [`http`], an OCI layout directory ([`Layout`]) and a strict one in
//! memory ([`InMemory`]). [`conformance`] says what all of them promise, [`faults`] makes them break on purpose.

mod descriptor;
mod error;
pub mod http;
mod manifest;
mod registry;
mod unique_keys;

pub use descriptor::Descriptor;
pub use error::RegistryError;
pub use manifest::{Manifest, ManifestError};
pub use registry::{Chunks, Put, Registry, TagRule};
