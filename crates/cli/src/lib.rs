//! What every binary shares: flags, output, exit codes, progress. Each binary's `main` is one call into this crate.

mod agent;
mod check_policy;
mod conveyor_command;
mod copy_artifact;
mod copy_part;
mod digest_file;
mod document;
mod exit;
mod flags;
mod human;
mod manual;
mod next;
mod progress;
mod run;
mod session;
mod untrusted;
mod update_ledger;

use std::process::ExitCode;

/// The binary `copy-artifact`.
#[must_use]
pub fn copy_artifact() -> ExitCode {
    run::run::<copy_artifact::CopyArtifact>()
}

/// The binary `update-ledger`.
#[must_use]
pub fn update_ledger() -> ExitCode {
    run::run::<update_ledger::UpdateLedger>()
}

/// The binary `check-policy`.
#[must_use]
pub fn check_policy() -> ExitCode {
    run::run::<check_policy::CheckPolicy>()
}

/// The binary `conveyor`.
#[must_use]
pub fn conveyor() -> ExitCode {
    run::run::<conveyor_command::Conveyor>()
}

/// The JSON Schema of each command's document, by the name of its file in `schemas/`.
#[must_use]
pub fn schemas() -> Vec<(String, serde_json::Value)> {
    fn one<C: run::Command>() -> (String, serde_json::Value) {
        (format!("{}.v1.json", C::NAME), document::schema::<C>(C::NAME))
    }
    vec![
        one::<copy_artifact::CopyArtifact>(),
        one::<update_ledger::UpdateLedger>(),
        one::<check_policy::CheckPolicy>(),
        one::<conveyor_command::Conveyor>(),
    ]
}
