//! The Ledger on real Git servers. The clients of the library, and the binary.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![expect(clippy::print_stdout, reason = "--nocapture shows what was measured")]

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
