//! Cargo's own tools, built once a machine and kept outside of target, since each takes minutes.

use std::env;
use std::path::PathBuf;

use crate::command::{CommandError, cargo, run as run_command};

/// A program from the package registry, in the version that this project was checked with.
pub(crate) struct CachedTool {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum CachedToolError {
    #[error("no place to install {name}: set HOME or XDG_CACHE_HOME")]
    NoCache { name: &'static str },
    #[error(transparent)]
    Install(#[from] CommandError),
}

impl CachedTool {
    /// The program, installed first where it is missing.
    pub(crate) fn installed(&self) -> Result<PathBuf, CachedToolError> {
        let Self { name, version } = *self;
        let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || env::home_dir().map(|home| home.join(".cache"));
        let cache = cache.or_else(home).ok_or(CachedToolError::NoCache { name })?;
        let root = cache.join("conveyor").join(format!("{name}-{version}"));
        let tool = root.join("bin").join(name);
        if !tool.is_file() {
            println!("Installing {name} {version}: some minutes, once.");
            let mut install = cargo();
            install.args(["install", "--quiet", name, "--version", version, "--locked", "--root"]).arg(&root);
            run_command(&mut install)?;
        }
        Ok(tool)
    }
}
