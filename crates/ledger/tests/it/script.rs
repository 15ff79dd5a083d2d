//! A stand-in for the git program.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use ledger::git::Settings;
use tempfile::TempDir;

/// A program by a script, in a folder of its own, which writes down how it was called.
pub(crate) struct Script {
    folder: TempDir,
}

impl Script {
    pub(crate) fn new(body: &str) -> Self {
        let script = Self { folder: TempDir::new().unwrap() };
        let log = script.log();
        let text = format!("#!/bin/sh\nLOG='{}'\n(echo \"ARGS $*\"; env) >>\"$LOG\"\n{body}\n", log.display());
        executable(&script.program(), &text);
        script
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.folder.path().join("git")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub(crate) fn calls(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings { program: self.program(), ..Settings::default() }
    }
}

/// Writes a script. Another process does it: a file that this one had open for writing may be "busy" when it is run,
/// for a child that another test has just forked has it open too.
pub(crate) fn executable(path: &Path, text: &str) {
    let plain = path.with_extension("txt");
    fs::write(&plain, text).unwrap();
    assert!(Command::new("install").args(["-m", "755"]).args([&*plain, path]).status().unwrap().success());
}
