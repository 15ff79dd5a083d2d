//! Tests of the ledger crate through its public face.

mod apply;
mod bare;
mod conformance;
mod git_program;
mod properties;
mod support;
mod update;
mod yaml;
