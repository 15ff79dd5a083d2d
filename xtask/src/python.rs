//! Programs from PyPI, each in a virtual environment of its own below `target/tools`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::command::{CommandError, ROOT, program, run as run_command};

#[derive(Debug, thiserror::Error)]
pub(crate) enum PythonError {
    #[error(
        "{requirement} cannot be installed: the tests need python3 with its module venv (on Debian: apt-get install \
         python3-venv)"
    )]
    NoVenv { requirement: &'static str, source: CommandError },
    #[error(
        "{requirement} cannot be installed: pip must reach PyPI, or an index that it is configured for, for {requirement}"
    )]
    NoPackage { requirement: &'static str, source: CommandError },
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Whether Python cannot make a virtual environment. Debian has that in a package apart.
pub(crate) fn lacks_venv() -> bool {
    let made = program("python3").args(["-c", "import ensurepip, venv"]).stderr(Stdio::null()).status();
    !made.is_ok_and(|status| status.success())
}

/// The environment below `target/tools` that has this package, installed first where it is missing or of another
/// version.
pub(crate) fn require(name: &str, requirement: &'static str) -> Result<PathBuf, PythonError> {
    let directory = Path::new(ROOT).join("target/tools").join(name);
    let installed = directory.join("installed");
    if fs::read_to_string(&installed).is_ok_and(|what| what == requirement) {
        return Ok(directory);
    }
    println!("Installing {requirement} into target/tools/{name}");
    run_command(program("python3").args(["-m", "venv", "--clear"]).arg(&directory))
        .map_err(|source| PythonError::NoVenv { requirement, source })?;
    run_command(program(directory.join("bin/pip")).args(["install", "--quiet", requirement]))
        .map_err(|source| PythonError::NoPackage { requirement, source })?;
    // Last, so that an installation that was cut short is begun anew.
    fs::write(&installed, requirement).map_err(|source| PythonError::Write { path: installed, source })?;
    Ok(directory)
}
