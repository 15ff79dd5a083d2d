//! The words, from outside.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod behaviour;
mod lenient;
mod parse_display;
