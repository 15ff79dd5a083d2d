use std::{fmt, str::FromStr, sync::Arc};

use release::ParseError;
use serde::{Deserialize, Serialize};

const HEADS: &str = "refs/heads/";

/// A branch. It is always spoken of by its full name, `refs/heads/main`: a tag of the same name must not be taken for
/// it. `main` is read as that too.
///
/// The grammar is narrower than `git check-ref-format`: segments of `[A-Za-z0-9._-]` joined by `/`, none of which
/// begins with `.` or `-` or ends with `.` or `.lock`, no `..`, 200 bytes at most, and never `HEAD`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Branch(Arc<str>);

impl Branch {
    /// The name without `refs/heads/`, for people to read.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HEADS}{}", self.0)
    }
}

impl fmt::Debug for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Branch {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let short = text.strip_prefix(HEADS).unwrap_or(text);
        // `refs/tags/x` is a mistake for a branch's name, and `HEAD` would be ambiguous to every Git client.
        let reserved = short == "refs" || short.starts_with("refs/") || short.eq_ignore_ascii_case("HEAD");
        if short.len() <= 200 && !reserved && short.split('/').all(is_segment) {
            Ok(Self(short.into()))
        } else {
            let rule = "write its name, such as main, in letters, digits, . _ - and /";
            Err(ParseError { what: "a branch", text: text.to_owned(), rule })
        }
    }
}

impl TryFrom<String> for Branch {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl From<Branch> for String {
    fn from(branch: Branch) -> Self {
        branch.to_string()
    }
}

fn is_segment(segment: &str) -> bool {
    !segment.is_empty()
        && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        && !segment.starts_with(['.', '-'])
        && !segment.ends_with('.')
        && !segment.to_ascii_lowercase().ends_with(".lock")
        && !segment.contains("..")
}
