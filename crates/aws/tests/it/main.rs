//! What `aws` does, asked through its public face, of servers that say what they are told to and of moto.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

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
