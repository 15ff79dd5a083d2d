//! What users and their scripts rely on: the JSON documents' schemas, the help texts.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod schemas;
mod snapshot;
