use std::fmt;

/// A scalar of a manifest as a reader of strings sees it: its text without quotes, escapes and tag.
///
/// *Empty* is one value, however it is written: `""`, `''`, `~`, a plain `null` (`Null`, `NULL`), or nothing at all
/// after the colon. A quoted `"null"` is the text null. A plain `48213` or `0x1f` is the text that stands there, not
/// a number: two scalars are equal when their texts are, so `1.0` is not `1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scalar(String);

impl Scalar {
    /// The scalar with this text. The text is never read as YAML: `Scalar::new("null")` is the text null.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The empty scalar; it is written as `""`.
    #[must_use]
    pub fn empty() -> Self {
        Self(String::new())
    }

    /// Whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text; none for the empty scalar.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
