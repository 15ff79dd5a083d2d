//! Who writes: ours, and the script that people write instead.

use std::{
    error::Error,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;

use super::{super::measured::alone, repository::Wanted};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bench/ledger/update.sh");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    Ours,
    /// The script with `git clone --depth 1 --single-branch`.
    Shallow,
    /// The same without files, and a sparse checkout.
    Sparse,
}

pub(super) const WRITERS: [Writer; 3] = [Writer::Ours, Writer::Shallow, Writer::Sparse];

/// Where each writer works.
pub(super) struct Workplace {
    /// `update-ledger`.
    pub(super) program: PathBuf,
    /// Below it there is a new folder for each run.
    pub(super) home: PathBuf,
}

/// What a writer says of how it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct Tries {
    /// Pushes, whatever became of them.
    pub(super) attempts: u32,
}

impl Writer {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ours => "update-ledger",
            Self::Shallow => "script",
            Self::Sparse => "script, sparse",
        }
    }

    /// The line that writes one tag; `folder` is for the script's clone.
    pub(super) fn line(self, workplace: &Workplace, url: &str, wanted: &Wanted, folder: &Path) -> Vec<String> {
        let Wanted { file, tag } = wanted;
        let program = workplace.program.display().to_string();
        let folder = folder.display().to_string();
        let words = match self {
            Self::Ours => {
                vec![&*program, "--repo", url, "--file", file, "--key", "image.tag", "--set", tag, "--output", "json"]
            }
            Self::Shallow => vec!["sh", SCRIPT, "shallow", url, file, tag, &folder],
            Self::Sparse => vec!["sh", SCRIPT, "sparse", url, file, tag, &folder],
        };
        words.into_iter().map(str::to_owned).collect()
    }

    /// A process that is measured with others, not alone.
    pub(super) fn command(self, workplace: &Workplace, url: &str, wanted: &Wanted, folder: &Path) -> Command {
        let line = self.line(workplace, url, wanted, folder);
        let mut words = line.into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        alone(command.args(words), &workplace.home);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Reads what it wrote to stdout.
    pub(super) fn tries(self, said: &[u8]) -> Result<Tries, Box<dyn Error>> {
        match self {
            Self::Ours => Ok(serde_json::from_slice(said)?),
            Self::Shallow | Self::Sparse => Ok(Tries { attempts: String::from_utf8_lossy(said).trim().parse()? }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_how_often_it_tried() {
        let ours = br#"{"schema":"conveyor/update-ledger/v1","outcome":"updated","attempts":3,"requests":9}"#;
        assert_eq!(Writer::Ours.tries(ours).unwrap().attempts, 3);
        assert_eq!(Writer::Shallow.tries(b"12\n").unwrap().attempts, 12);
        assert!(Writer::Ours.tries(b"12\n").is_err());
        assert!(Writer::Sparse.tries(b"").is_err());
    }
}
