//! One binary for all tests of the crate.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod config;
mod config_aws;
mod config_noise;
mod image;
mod machine;
mod promote;
mod proposals;
mod races;
mod raw;
mod raw_write;
mod record;
mod refusals;
mod several;
mod trust;
mod world;
