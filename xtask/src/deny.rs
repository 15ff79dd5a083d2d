//! `cargo xtask deny` and `cargo xtask advisories`: cargo-deny with the rules of deny.toml.

use std::error::Error;

use crate::cached_tool::CachedTool;
use crate::command::{program, run as run_command};

const CARGO_DENY: CachedTool = CachedTool { name: "cargo-deny", version: "0.20.2" };

/// Why the advisories were not checked.
#[derive(Debug, thiserror::Error)]
enum DenyError {
    #[error("SKIPPED: no dependency was checked, since the advisory database cannot be had ({reason})")]
    NoDatabase { reason: String },
}

/// Licences, bans and sources.
pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    Ok(run_command(program(CARGO_DENY.installed()?).args(["--locked", "check", "licenses", "bans", "sources"]))?)
}

/// Advisories, against a database that was fetched just now: an old one would say "ok" and mean nothing.
pub(crate) fn advisories() -> Result<(), Box<dyn Error>> {
    let cargo_deny = CARGO_DENY.installed()?;
    let fetched = program(&cargo_deny).args(["fetch", "db"]).output()?;
    if !fetched.status.success() {
        let stderr = String::from_utf8_lossy(&fetched.stderr);
        return Err(DenyError::NoDatabase { reason: cause(&stderr) }.into());
    }
    Ok(run_command(program(cargo_deny).args(["--locked", "check", "advisories"]))?)
}

/// The innermost reason in what cargo-deny wrote: the last line that is not blank.
fn cause(stderr: &str) -> String {
    stderr.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("no reason was given").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_reason_is_the_last_line() {
        let stderr = "[ERROR] failed to fetch database\nCloning into 'x'...\nfatal: Could not resolve host\n\n";
        assert_eq!(cause(stderr), "fatal: Could not resolve host");
        assert_eq!(cause(" \n"), "no reason was given");
    }
}
