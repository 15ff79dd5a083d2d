use std::{fmt, str::FromStr, sync::Arc};

use release::ParseError;
use serde::{Deserialize, Serialize};

/// A file or folder in the Ledger, from its root: segments of `[A-Za-z0-9._-]` joined by `/`, 512 bytes at most.
///
/// No segment is `.` or `..` or begins with `.git` in any case, so that no path escapes the repository or reaches into
/// Git's own files, on any file system; none begins with `-`, which a program could take for an option.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoPath(Arc<str>);

impl RepoPath {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folders that it lies in, outermost first.
    pub fn folders(&self) -> impl Iterator<Item = Self> {
        self.0.match_indices('/').filter_map(|(slash, _)| self.0.get(..slash)).map(|folder| Self(folder.into()))
    }

    /// Whether it is `folder` or lies in it.
    #[must_use]
    pub fn is_within(&self, folder: &Self) -> bool {
        self.0.strip_prefix(&*folder.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for RepoPath {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.len() <= 512 && text.split('/').all(is_segment) {
            Ok(Self(text.into()))
        } else {
            let rule = "write segments of letters, digits, . _ - joined by /, no . or .. or .git among them";
            Err(ParseError { what: "a path in the Ledger", text: text.to_owned(), rule })
        }
    }
}

impl TryFrom<String> for RepoPath {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl From<RepoPath> for String {
    fn from(path: RepoPath) -> Self {
        path.0.as_ref().to_owned()
    }
}

fn is_segment(segment: &str) -> bool {
    let git = segment.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(".git"));
    !segment.is_empty()
        && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        && !matches!(segment, "." | "..")
        && !segment.starts_with('-')
        && !git
}
