//! Tests of the ledger crate through its public face.

mod bare;
mod conformance;
mod yaml;
