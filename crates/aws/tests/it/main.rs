//! What `aws` does, asked through its public face, of servers that say what they are told to and of moto.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../../../registry-copy/tests/it/docker_registry.rs"]
#[expect(dead_code, reason = "its own crate's tests need more of it")]
mod docker_registry;

mod alone;
mod answers;
mod environment;
mod fake;
mod fixture;
mod identity;
mod moto;
mod on_moto;
mod registry;
mod tokens;
mod words;
