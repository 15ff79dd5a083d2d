//! `cargo xtask deny` and `cargo xtask advisories`: cargo-deny with the rules of deny.toml.

use std::env;
use std::error::Error;
use std::path::PathBuf;

use crate::command::{CommandError, cargo, program, run as run_command};

const VERSION: &str = "0.20.2";

/// Why the advisories were not checked.
#[derive(Debug, thiserror::Error)]
enum DenyError {
    #[error("SKIPPED: no dependency was checked, since the advisory database cannot be had ({reason})")]
    NoDatabase { reason: String },
    #[error("no place to install cargo-deny: set HOME or XDG_CACHE_HOME")]
    NoCache,
}

/// Licences, bans and sources.
pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    Ok(run_command(program(installed()?).args(["--locked", "check", "licenses", "bans", "sources"]))?)
}

/// Advisories, against a database that was fetched just now: an old one would say "ok" and mean nothing.
pub(crate) fn advisories() -> Result<(), Box<dyn Error>> {
    let cargo_deny = installed()?;
    let fetched = program(&cargo_deny).args(["fetch", "db"]).output()?;
    if !fetched.status.success() {
        let stderr = String::from_utf8_lossy(&fetched.stderr);
        return Err(DenyError::NoDatabase { reason: cause(&stderr) }.into());
    }
    Ok(run_command(program(cargo_deny).args(["--locked", "check", "advisories"]))?)
}

/// The program, in a cache outside of target, since it takes minutes to build.
fn installed() -> Result<PathBuf, Box<dyn Error>> {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || env::home_dir().map(|home| home.join(".cache"));
    let root = cache.or_else(home).ok_or(DenyError::NoCache)?.join("conveyor").join(format!("cargo-deny-{VERSION}"));
    let cargo_deny = root.join("bin").join("cargo-deny");
    if !cargo_deny.is_file() {
        println!("Installing cargo-deny {VERSION}: some minutes, once.");
        install(&root)?;
    }
    Ok(cargo_deny)
}

fn install(root: &std::path::Path) -> Result<(), CommandError> {
    let mut command = cargo();
    command.args(["install", "--quiet", "cargo-deny", "--version", VERSION, "--locked", "--root"]).arg(root);
    run_command(&mut command)
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
