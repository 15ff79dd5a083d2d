//! Record files, from outside.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod fixtures;
mod fold;
mod format;
mod refusals;
mod roundtrip;
