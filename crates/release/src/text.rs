/// A text that is not a word of this crate, and what would have been one.
///
/// The text is shown escaped and cut at 80 characters, so that an error is safe to print wherever the text came from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is not {what}: {rule}", shown(text))]
pub struct ParseError {
    /// What was expected, with its article: `a tag`.
    pub what: &'static str,
    /// The text that was given.
    pub text: String,
    /// What the grammar asks for.
    pub rule: &'static str,
}

impl ParseError {
    pub(crate) fn new(what: &'static str, text: &str, rule: &'static str) -> Self {
        Self { what, text: text.to_owned(), rule }
    }
}

fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    let cut: String = text.chars().take(LONGEST).flat_map(char::escape_default).collect();
    if text.chars().nth(LONGEST).is_some() { format!("\"{cut}…\"") } else { format!("\"{cut}\"") }
}

/// Serialises a word as the text that [`Display`](std::fmt::Display) prints and reads it back with
/// [`FromStr`](std::str::FromStr).
macro_rules! serde_as_text {
    ($word:ty) => {
        impl serde::Serialize for $word {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $word {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use serde_as_text;
