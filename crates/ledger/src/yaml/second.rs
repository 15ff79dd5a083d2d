//! The second opinion: a port of libyaml, which reads as most consumers of manifests do.

use serde::Deserialize as _;
use serde_yaml::{Deserializer, Value};

use super::{
    error::{EditError, ParserMessage},
    locate::Place,
    tree::Style,
};
use crate::key_path::Step;

/// All documents of a file, aliases written out.
pub(super) fn documents(text: &str) -> Result<Vec<Value>, EditError> {
    // This port takes a byte order mark for a column of indentation; libyaml itself does not.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Past an error this iterator never ends: collecting into a `Result` stops at the first.
    Deserializer::from_str(text).map(Value::deserialize).collect::<Result<_, _>>().map_err(|error| {
        let place = error.location();
        EditError::Rejected {
            line: place.as_ref().map_or(1, serde_yaml::Location::line),
            column: place.as_ref().map_or(1, serde_yaml::Location::column),
            source: ParserMessage(error.to_string()),
        }
    })
}

/// The value at a place, if the second parser finds the key path's keys on the way there.
pub(super) fn at<'v>(documents: &'v mut [Value], place: &Place<'_>) -> Option<&'v mut Value> {
    let root = documents.get_mut(place.document)?;
    place.key.steps().iter().zip(&place.route).try_fold(root, |value, (step, position)| match (step, value) {
        (Step::Key(name), Value::Mapping(entries)) => {
            let (key, value) = entries.iter_mut().nth(*position)?;
            reads_as(key, name, true).then_some(value)
        }
        (Step::Entry { field, value: wanted }, Value::Sequence(items)) => {
            let item = items.get_mut(*position)?;
            let mut fields = item.as_mapping()?.iter();
            fields.any(|(key, value)| reads_as(key, field, true) && reads_as(value, wanted, true)).then_some(item)
        }
        _ => None,
    })
}

/// Whether the second parser reads a value as the first does.
pub(super) fn agrees(value: &Value, place: &Place<'_>) -> bool {
    match value {
        Value::Null => place.scalar.is_empty(),
        value => reads_as(value, place.scalar.as_str(), place.style == Style::Plain),
    }
}

/// Whether a value is this text; a plain one may also be the number or boolean that the text stands for.
fn reads_as(value: &Value, text: &str, plain: bool) -> bool {
    match value {
        Value::String(string) => string == text,
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            plain && serde_yaml::from_str::<Value>(text).is_ok_and(|alone| alone == *value)
        }
        Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => false,
    }
}
