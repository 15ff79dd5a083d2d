//! moto, which the tests of `aws` ask as STS and ECR: from PyPI, in a virtual environment below `target/tools`.

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::command::{CommandError, ROOT, program, run as run_command};

/// What the tests were written against.
const REQUIREMENT: &str = "moto[server]==5.2.5";

#[derive(Debug, thiserror::Error)]
enum MotoError {
    #[error(
        "moto cannot be installed: the tests need python3 with its module venv (on Debian: apt-get install python3-venv)"
    )]
    NoVenv { source: CommandError },
    #[error("moto cannot be installed: pip must reach PyPI, or an index that it is configured for, for {REQUIREMENT}")]
    NoPackage { source: CommandError },
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Whether Python cannot make a virtual environment. Debian has that in a package apart.
pub(crate) fn lacks_venv() -> bool {
    let made = program("python3").args(["-c", "import ensurepip, venv"]).stderr(Stdio::null()).status();
    !made.is_ok_and(|status| status.success())
}

/// Installs moto where it is missing or of another version.
pub(crate) fn require() -> Result<(), Box<dyn Error>> {
    let directory = Path::new(ROOT).join("target/tools/moto");
    let installed = directory.join("installed");
    if fs::read_to_string(&installed).is_ok_and(|what| what == REQUIREMENT) {
        return Ok(());
    }
    println!("Installing {REQUIREMENT} into target/tools/moto");
    run_command(program("python3").args(["-m", "venv", "--clear"]).arg(&directory))
        .map_err(|source| MotoError::NoVenv { source })?;
    run_command(program(directory.join("bin/pip")).args(["install", "--quiet", REQUIREMENT]))
        .map_err(|source| MotoError::NoPackage { source })?;
    // Last, so that an installation that was cut short is begun anew.
    Ok(fs::write(&installed, REQUIREMENT).map_err(|source| MotoError::Write { path: installed, source })?)
}
