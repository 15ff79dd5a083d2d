//! What a document, a server and the in-memory server promise.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod documents;
mod git;
mod http;
mod memory;
mod samples;
