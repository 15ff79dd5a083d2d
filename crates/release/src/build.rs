use std::{fmt, num::NonZeroU64, str::FromStr};

use crate::{
    App, Digest, Tag,
    text::{ParseError, serde_as_text},
};

/// The number that CI gave a build: 1 to 18 decimal digits, no leading zero. Ordered as a number, so a newer build is
/// the greater one.
///
/// In JSON it is a string: some readers (jq 1.6) round numbers above 2^53.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BuildId(NonZeroU64);

impl BuildId {
    /// The tag that the build's image carries: its number.
    #[must_use]
    pub fn tag(self) -> Tag {
        Tag::of_build(self)
    }

    /// The number itself.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for BuildId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let grammar =
            (1..=18).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        grammar.then(|| text.parse().ok()).flatten().map(Self).ok_or_else(|| {
            ParseError::new("a build id", text, "write CI's build number: 1 to 18 digits, no leading zero")
        })
    }
}

serde_as_text!(BuildId);

/// One app's build, pinned to its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Artifact {
    /// Whose image it is.
    pub app: App,
    /// The build that made it.
    pub build: BuildId,
    /// The digest of the image's manifest or index.
    pub digest: Digest,
}
