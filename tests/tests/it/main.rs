//! The scenarios: the binaries on the sandbox and on real components.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod agent;
mod bad_input;
mod bombs;
mod conformance;
mod ecr;
mod faults;
mod help;
mod kill;
mod ledger;
mod logins;
mod progress;
mod raw;
mod real;
mod schemas;
mod secrets;
mod signals;
mod slow;
mod snapshot;
mod story;
