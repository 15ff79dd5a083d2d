//! One binary for all tests of the crate.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod behaviour;
mod conformance;
mod corpus;
mod docker_registry;
mod faults;
mod http;
mod http_real;
mod layout;
mod liars;
mod limits;
mod manifest;
mod plans;
mod properties;
mod repair;
mod requests;
