//! `cargo xtask tidy`: the project's own rules, those that no other tool checks.

mod dependencies;
mod files;
mod manifest;
mod metadata;
mod usage;

use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::command::{ROOT, program, stdout};
use manifest::Manifest;
use metadata::Metadata;

/// One place that breaks a rule, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    file: String,
    line: usize,
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

/// A file of the project as text.
struct File {
    /// From the project's root, with `/`.
    path: String,
    text: String,
}

#[derive(Debug, thiserror::Error)]
enum TidyError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the project's rules are broken in {0} place(s), listed above")]
    Findings(usize),
}

pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let metadata = Metadata::read()?;
    let files = project_files()?;
    let manifests = Manifest::all(&files);

    let mut findings = dependencies::check(&metadata, &manifests);
    findings.extend(metadata.members().flat_map(|member| manifest::check(member, &manifests)));
    findings.extend(usage::check(&metadata, &manifests, &files));
    findings.extend(files.iter().flat_map(files::check));
    if findings.is_empty() {
        println!("{} crates and {} files keep the project's rules", metadata.members().count(), files.len());
        return Ok(());
    }
    for finding in &findings {
        println!("{finding}");
    }
    Err(TidyError::Findings(findings.len()).into())
}

/// What is committed, and what would be with `git add`.
fn project_files() -> Result<Vec<File>, Box<dyn Error>> {
    let list = stdout(program("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]))?;
    let paths = String::from_utf8(list)?;
    paths.split_terminator('\0').filter_map(|path| file(path).transpose()).collect()
}

/// None for a file that git still knows and that was deleted.
fn file(path: &str) -> Result<Option<File>, Box<dyn Error>> {
    let full = Path::new(ROOT).join(path);
    match fs::read(&full) {
        Ok(bytes) => Ok(Some(File { path: path.to_owned(), text: String::from_utf8_lossy(&bytes).into_owned() })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TidyError::Read { path: path.into(), source }.into()),
    }
}
