//! Tests of the ledger crate through its public face.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod apply;
mod bare;
mod conformance;
mod contention;
mod credential_helper;
mod diff;
mod git_program;
mod interleavings;
mod properties;
mod propose;
mod push;
mod revert;
mod script;
mod served;
mod signing;
mod support;
mod update;
mod user_git;
mod words;
mod yaml;
