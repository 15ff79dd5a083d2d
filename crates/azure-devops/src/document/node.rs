use std::fmt;

use jiff::Timestamp;
use release::{Actor, ActorId};
use serde_json::Value;

/// A document that is not what the server promises.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", if path.is_empty() { String::new() } else { format!("{path}: ") })]
pub struct DocumentError {
    /// Where: `environments[0].deploySteps`; empty for the document as a whole.
    pub path: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The document is no JSON, or not all of it is there.
    NotJson,
    /// The field is not there.
    Missing,
    /// The field is null.
    Null,
    /// The field is not of this kind: `a number`.
    Not(&'static str),
    /// The field has a value that has no known meaning.
    UnknownValue,
    /// The list is not as long as the document says.
    NotComplete,
    /// The list is longer than what was asked for.
    TooLong,
    /// More than one artifact says that it is the primary one.
    Ambiguous,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => f.write_str("not a JSON document"),
            Self::Missing => f.write_str("missing"),
            Self::Null => f.write_str("null"),
            Self::Not(kind) => write!(f, "not {kind}"),
            Self::UnknownValue => f.write_str("a value with no known meaning"),
            Self::NotComplete => f.write_str("not as long as its count"),
            Self::TooLong => f.write_str("longer than what was asked for"),
            Self::Ambiguous => f.write_str("more than one is primary"),
        }
    }
}

/// A place in a document that knows its own path.
pub(crate) struct Node<'a> {
    path: String,
    value: &'a Value,
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Value, DocumentError> {
    serde_json::from_slice(bytes).map_err(|_| DocumentError { path: String::new(), problem: Problem::NotJson })
}

impl<'a> Node<'a> {
    pub(crate) fn root(value: &'a Value) -> Self {
        Self { path: String::new(), value }
    }

    pub(crate) fn error(&self, problem: Problem) -> DocumentError {
        DocumentError { path: self.path.clone(), problem }
    }

    /// A field that must be there.
    pub(crate) fn field(&self, name: &str) -> Result<Self, DocumentError> {
        let (path, value) = self.look(name)?;
        match value {
            None => Err(DocumentError { path, problem: Problem::Missing }),
            Some(Value::Null) => Err(DocumentError { path, problem: Problem::Null }),
            Some(value) => Ok(Self { path, value }),
        }
    }

    /// A field that the server leaves out, or sends as null, where there is nothing to say.
    pub(crate) fn optional(&self, name: &str) -> Result<Option<Self>, DocumentError> {
        let (path, value) = self.look(name)?;
        Ok(value.filter(|value| !value.is_null()).map(|value| Self { path, value }))
    }

    fn look(&self, name: &str) -> Result<(String, Option<&'a Value>), DocumentError> {
        let object = self.value.as_object().ok_or_else(|| self.error(Problem::Not("an object")))?;
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Ok((path, object.get(name)))
    }

    pub(crate) fn items(&self) -> Result<Vec<Self>, DocumentError> {
        let list = self.value.as_array().ok_or_else(|| self.error(Problem::Not("a list")))?;
        let item = |(index, value)| Self { path: format!("{}[{index}]", self.path), value };
        Ok(list.iter().enumerate().map(item).collect())
    }

    pub(crate) fn text(&self) -> Result<&'a str, DocumentError> {
        self.value.as_str().ok_or_else(|| self.error(Problem::Not("a string")))
    }

    pub(crate) fn flag(&self) -> Result<bool, DocumentError> {
        self.value.as_bool().ok_or_else(|| self.error(Problem::Not("true or false")))
    }

    /// An id or a count: a whole number from 0.
    pub(crate) fn number(&self) -> Result<u64, DocumentError> {
        self.value.as_u64().ok_or_else(|| self.error(Problem::Not("a whole number")))
    }

    pub(crate) fn time(&self) -> Result<Timestamp, DocumentError> {
        self.text()?.parse().map_err(|_| self.error(Problem::Not("a time with its offset")))
    }

    /// A text that stands for one of a few meanings.
    pub(crate) fn one_of<T: Copy>(&self, meanings: &[(&str, T)]) -> Result<T, DocumentError> {
        let text = self.text()?;
        let meaning = meanings.iter().find(|(word, _)| *word == text);
        meaning.map(|(_, meaning)| *meaning).ok_or_else(|| self.error(Problem::UnknownValue))
    }

    /// A person, a service or a group (`IdentityRef`), by its GUID.
    pub(crate) fn actor(&self) -> Result<Actor, DocumentError> {
        let id = self.field("id")?;
        let guid = id.text()?;
        let actor_id =
            format!("azure-devops:{guid}").parse::<ActorId>().map_err(|_| id.error(Problem::Not("a GUID")))?;
        Ok(Actor { id: actor_id, name: self.field("displayName")?.text()?.to_owned() })
    }

    /// The GUID of an identity, in lower case.
    pub(crate) fn guid(&self) -> Result<String, DocumentError> {
        match self.actor()?.id {
            ActorId::AzureDevOps(guid) => Ok(guid),
            _ => Err(self.error(Problem::Not("a GUID"))),
        }
    }
}
