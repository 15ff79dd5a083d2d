use std::{borrow::Cow, fmt, str::FromStr};

use release::ParseError;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    KeyPath, Scalar,
    key_path::{LONGEST, in_field, in_value, quoted, word},
};

const RULE: &str = "write what only this document holds, as kind=Deployment,metadata.name=web, or its number, counted \
                    from 0; put what holds an equals sign, a comma, a bracket, a blank or a quote in double quotes; \
                    512 bytes at most";

/// Which of a manifest's documents is meant. Exactly one must be.
///
/// ```
/// use ledger::Document;
///
/// for document in ["0", "kind=Deployment,metadata.name=web", r#""a=b"="c,d""#] {
///     assert_eq!(document.parse::<Document>()?.to_string(), document);
/// }
/// assert!("kind".parse::<Document>().is_err());
/// # Ok::<(), release::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// By its place in the file, counted from 0. It is another one as soon as somebody adds a document above.
    Nth(usize),
    /// By what it holds: each of these places reads as this text.
    Where(Vec<(KeyPath, Scalar)>),
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nth(number) => write!(f, "{number}"),
            Self::Where(conditions) => {
                for (index, (key, value)) in conditions.iter().enumerate() {
                    f.write_str(if index > 0 { "," } else { "" })?;
                    key.print(f, in_place)?;
                    write!(f, "={}", quoted(value.as_str(), in_text))?;
                }
                Ok(())
            }
        }
    }
}

impl FromStr for Document {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let number = text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit())).map(Self::Nth);
        number
            .or_else(|| conditions(text).map(Self::Where))
            .filter(|_| text.len() <= LONGEST)
            .ok_or_else(|| ParseError { what: "a document", text: text.to_owned(), rule: RULE })
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

fn conditions(mut rest: &str) -> Option<Vec<(KeyPath, Scalar)>> {
    let mut conditions = Vec::new();
    loop {
        let key = KeyPath::take(&mut rest, in_place)?;
        rest = rest.strip_prefix('=')?;
        conditions.push((key, Scalar::new(word(&mut rest, in_text)?)));
        if rest.is_empty() {
            return Some(conditions);
        }
        rest = rest.strip_prefix(',')?;
    }
}

fn in_place(c: char) -> bool {
    c != ',' && in_field(c)
}

fn in_text(c: char) -> bool {
    c != ',' && in_value(c)
}
