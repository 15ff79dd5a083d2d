//! The Ledger on real Git servers. It links nothing but the ledger and the sandbox, so that it is built fast.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod conformance;
mod contention;
mod faults;
mod history;
mod hosted;
mod hostile;
mod jepsen;
mod large;
mod requests;
mod scene;
mod section;
mod turns;
mod wire;
