//! The rules and the permit, from outside.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod behaviour;
mod fixtures;
mod four_eyes;
mod permit;
mod properties;
