use std::{borrow::Cow, fmt, str::FromStr};

use release::ParseError;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub(crate) const LONGEST: usize = 512;
const RULE: &str = "write keys joined by dots, a list's entry as list[field=value], and put what holds a dot, a bracket, \
                    a blank or a quote in double quotes; not the field that chooses the entry, no control \
                    characters, 512 bytes at most";

/// Where a scalar is in a manifest: keys joined by dots, list entries chosen by the value of one of their fields.
///
/// An index would point at another entry as soon as somebody adds one, so there is none.
///
/// ```
/// use ledger::KeyPath;
///
/// for path in [
///     "image.tag",
///     "images[name=payments-api].newTag",                  // Kustomize
///     "spec.source.helm.parameters[name=image.tag].value", // Argo CD
///     r#"metadata.labels."app.kubernetes.io/version""#,
/// ] {
///     assert_eq!(path.parse::<KeyPath>()?.to_string(), path);
/// }
/// assert!("images[0].newTag".parse::<KeyPath>().is_err());
/// # Ok::<(), release::ParseError>(())
/// ```
///
/// In quotes, `\"` and `\\` stand for a quote and a backslash. [`Display`](fmt::Display) quotes where it must and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPath(Vec<Step>);

/// One step of the way down.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Step {
    /// Into a mapping's value.
    Key(String),
    /// Into the one mapping of a list whose `field` has this value.
    Entry { field: String, value: String },
}

impl KeyPath {
    /// The steps from the document's root: at least one, the first a key, never two entries in a row.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The path of these steps, if it can be written.
    pub(crate) fn of(steps: Vec<Step>) -> Option<Self> {
        let path = Self(steps);
        path.to_string().parse().ok().filter(|read| *read == path)
    }

    /// Takes a key path off the front of `rest`, whose keys may hold what is `bare` without quotes.
    pub(crate) fn take(rest: &mut &str, bare: fn(char) -> bool) -> Option<Self> {
        let mut steps = Vec::new();
        loop {
            steps.push(Step::Key(word(rest, bare)?));
            if let Some(inside) = rest.strip_prefix('[') {
                *rest = inside;
                let field = word(rest, in_field)?;
                *rest = rest.strip_prefix('=')?;
                let value = word(rest, in_value)?;
                *rest = rest.strip_prefix(']')?;
                steps.push(Step::Entry { field, value });
            }
            let Some(next) = rest.strip_prefix('.') else { break };
            *rest = next;
        }
        (!changes_its_own_choice(&steps)).then_some(Self(steps))
    }

    /// Prints the path so that [`take`](Self::take) reads it again.
    pub(crate) fn print(&self, f: &mut fmt::Formatter<'_>, bare: fn(char) -> bool) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) => {
                    let dot = if index > 0 { "." } else { "" };
                    write!(f, "{dot}{}", quoted(key, bare))?;
                }
                Step::Entry { field, value } => {
                    write!(f, "[{}={}]", quoted(field, in_field), quoted(value, in_value))?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, in_key)
    }
}

impl FromStr for KeyPath {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut rest = text;
        Self::take(&mut rest, in_key).filter(|_| rest.is_empty() && text.len() <= LONGEST).ok_or_else(|| ParseError {
            what: "a key path",
            text: text.to_owned(),
            rule: RULE,
        })
    }
}

impl Serialize for KeyPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Whether the path ends at the very field that chooses its entry: with another value it would lead nowhere.
fn changes_its_own_choice(steps: &[Step]) -> bool {
    matches!(steps, [.., Step::Entry { field, .. }, Step::Key(key)] if field == key)
}

/// Takes a word off the front of `rest`: in quotes, or as many characters as may stand bare.
pub(crate) fn word(rest: &mut &str, bare: fn(char) -> bool) -> Option<String> {
    let mut word = String::new();
    if let Some(inside) = rest.strip_prefix('"') {
        let mut characters = inside.chars();
        loop {
            match characters.next()? {
                '"' => break,
                '\\' => word.push(characters.next().filter(|escaped| matches!(escaped, '"' | '\\'))?),
                other => word.push(other),
            }
        }
        *rest = characters.as_str();
    } else {
        let end = rest.find(|c| !bare(c)).unwrap_or(rest.len());
        let (taken, left) = rest.split_at_checked(end)?;
        word.push_str(taken);
        *rest = left;
    }
    (!word.is_empty() && !word.chars().any(char::is_control)).then_some(word)
}

pub(crate) fn quoted(word: &str, bare: fn(char) -> bool) -> Cow<'_, str> {
    if word.chars().all(bare) {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")))
    }
}

pub(crate) fn in_value(c: char) -> bool {
    !matches!(c, '[' | ']' | '"' | '\\') && !c.is_whitespace() && !c.is_control()
}

fn in_key(c: char) -> bool {
    c != '.' && in_value(c)
}

pub(crate) fn in_field(c: char) -> bool {
    c != '=' && in_key(c)
}
