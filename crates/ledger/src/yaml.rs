mod difference;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod locate;
mod position;
mod second;
mod splice;
mod tree;

pub(crate) use difference::{ChangedScalar, changed_scalars};
pub use error::{Construct, EditError, ParserMessage};
use locate::{Target, locate};
pub use position::position;
use serde_yaml::Value;
use splice::Splice;
use tree::Tree;

use crate::{Document, FILE_LIMIT, KeyPath, Scalar};

/// Reads one scalar of a manifest. It reads exactly the scalars that [`set_scalar`] can change.
///
/// Without `document`, exactly one document must have the key.
///
/// # Errors
/// [`EditError`]: the scalar is not there, not the only one, or written in a way that cannot be changed safely; or
/// the file is no YAML that all parsers read alike.
pub fn get_scalar(bytes: &[u8], document: Option<&Document>, key: &KeyPath) -> Result<Scalar, EditError> {
    let source = text(bytes)?;
    let tree = Tree::parse(source)?;
    let target = locate(&tree, document, key)?;
    agreed(source, &target)?;
    Ok(target.place.scalar)
}

/// Gives one scalar of a manifest a new value, and returns the file with no other byte changed.
///
/// The value keeps its style: quotes stay, and a plain value stays plain where every reader takes the new one for a
/// string; else it gets double quotes, as it does where nothing stood. The result is parsed again by two parsers:
/// both must read the scalar as this string and everything else as before. Setting a value twice is setting it once.
///
/// # Errors
/// [`EditError`], as for [`get_scalar`], and where the result could not be proven. Keys are never created.
pub fn set_scalar(
    bytes: &[u8],
    document: Option<&Document>,
    key: &KeyPath,
    value: &Scalar,
) -> Result<Vec<u8>, EditError> {
    let source = text(bytes)?;
    let tree = Tree::parse(source)?;
    let target = locate(&tree, document, key)?;
    let before = agreed(source, &target)?;
    let splice = Splice::new(&target, value.as_str());
    let unproven = || EditError::NotProven { line: target.line };
    let edited = splice.apply(source).ok_or_else(unproven)?;
    within_limit(edited.len())?;
    if first_parser_proves(&tree, &edited, &target, &splice, value)
        && second_parser_proves(before, &edited, &target, value)
    {
        Ok(edited.into_bytes())
    } else {
        Err(unproven())
    }
}

/// Whether a manifest has more than one document.
pub(crate) fn has_several_documents(bytes: &[u8]) -> bool {
    text(bytes).is_ok_and(|source| Tree::parse(source).is_ok_and(|tree| tree.documents.len() > 1))
}

/// A manifest's text, without any character that parsers disagree on.
fn text(bytes: &[u8]) -> Result<&str, EditError> {
    within_limit(bytes.len())?;
    let source = str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        EditError::NotUtf8 { line: 1 + good.iter().filter(|byte| **byte == b'\n').count() }
    })?;
    let refused = |(offset, c): &(usize, char)| match c {
        '\t' | '\n' | '\r' => false,
        '\u{feff}' => *offset > 0,
        // libyaml and go-yaml end a line, and a comment, at the last two and at U+0085; granit-parser does not.
        _ => c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'),
    };
    let Some((offset, character)) = source.char_indices().find(refused) else { return Ok(source) };
    let before = source.get(..offset).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    Err(EditError::Character {
        line: 1 + before.matches('\n').count(),
        column: 1 + before.get(line_start..).unwrap_or_default().chars().count(),
        character,
    })
}

fn within_limit(bytes: usize) -> Result<(), EditError> {
    if bytes > FILE_LIMIT { Err(EditError::TooLarge { bytes }) } else { Ok(()) }
}

/// What the second parser reads, if it agrees on the target and on what its document was chosen by.
fn agreed(source: &str, target: &Target<'_>) -> Result<Vec<Value>, EditError> {
    let mut documents = second::documents(source)?;
    let mut agrees = |place| second::at(&mut documents, place).is_some_and(|value| second::agrees(value, place));
    if target.conditions.iter().chain([&target.place]).all(&mut agrees) {
        Ok(documents)
    } else {
        Err(EditError::NotProven { line: target.line })
    }
}

/// Whether the edited file parses to the same tree but for the target, and the target is what was written.
fn first_parser_proves(tree: &Tree<'_>, edited: &str, target: &Target<'_>, splice: &Splice, value: &Scalar) -> bool {
    let Ok(mut after) = Tree::parse(edited) else { return false };
    let Some(found) = after.at_mut(target.place.document, &target.place.route) else { return false };
    let right = found.span == splice.written() && found.scalar().as_ref() == Some(value);
    found.content = target.place.node.content.clone();
    right && after.documents == tree.documents
}

/// Whether the second parser reads the edited file as before but for the target, and the target as this string.
fn second_parser_proves(mut before: Vec<Value>, edited: &str, target: &Target<'_>, value: &Scalar) -> bool {
    let Some(old) = second::at(&mut before, &target.place) else { return false };
    *old = Value::String(value.as_str().to_owned());
    second::documents(edited).is_ok_and(|after| after == before)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether each parser takes `edited` for `tag: v1` set to v2, where the splice would be right.
    fn proven(source: &str, edited: &str) -> (bool, bool) {
        let (tree, key, value) = (Tree::parse(source).unwrap(), "tag".parse().unwrap(), Scalar::new("v2"));
        let target = locate(&tree, None, &key).unwrap();
        let splice = Splice::new(&target, "v2");
        let before = agreed(source, &target).unwrap();
        (
            first_parser_proves(&tree, edited, &target, &splice, &value),
            second_parser_proves(before, edited, &target, &value),
        )
    }

    #[test]
    fn a_wrong_splice_is_not_proven() {
        let source = "name: web\ntag: v1 # note\nlast: 1\n";
        assert_eq!(proven(source, "name: web\ntag: v2 # note\nlast: 1\n"), (true, true));
        for wrong in [
            "name: web\ntag: v1 # note\nlast: 1\n",
            "name: web\ntag: v2# note\nlast: 1\n",
            "name: api\ntag: v2 # note\nlast: 1\n",
            "name: web\ntag: v2 # note\nlast: 2\n",
            "name: web\ntag: v2 # note\nlast: 1\nmore: 2\n",
            "name: web\ntag: v2 # note\nlast: 1\n---\nmore: 2\n",
            "name: web\nTag: v2 # note\nlast: 1\n",
            "name: web\ntag: [v2] # note\nlast: 1\n",
            "name: web\ntag: v2: # note\nlast: 1\n",
            "name: web\ntag: 'v2 # note\nlast: 1\n",
        ] {
            assert_eq!(proven(source, wrong), (false, false), "{wrong}");
        }
        // What only one of them sees: how a value is written, and what the others mean.
        assert_eq!(proven(source, "name: 'web'\ntag: v2 # note\nlast: 1\n"), (false, true));
        assert_eq!(proven(source, "name: web\ntag: &a v2 # note\nlast: 1\n"), (false, true));
        assert_eq!(proven("tag: v1\n", "tag: v2\u{2028}a: b\n"), (false, false));
    }
    #[test]
    fn two_readings_of_a_value_are_told_apart() {
        let key = "tag".parse().unwrap();
        let agrees = |source: &str, value: Value| {
            let tree = Tree::parse(source).unwrap();
            let target = locate(&tree, None, &key).unwrap();
            let mut documents = [Value::Mapping([("tag".into(), value)].into_iter().collect())];
            second::at(&mut documents, &target.place).is_some_and(|value| second::agrees(value, &target.place))
        };
        for (source, same, other) in [
            ("tag: v1", Value::from("v1"), Value::from("v2")),
            ("tag: v1", Value::from("v1"), Value::Null),
            ("tag: 0x1f", Value::from(31), Value::from(32)),
            ("tag: '31'", Value::from("31"), Value::from(31)),
            ("tag: yes", Value::from("yes"), Value::from(true)),
            ("tag: true", Value::from(true), Value::from(false)),
            ("tag: null", Value::Null, Value::from("null")),
            ("tag: ''", Value::from(""), Value::from("null")),
        ] {
            assert!(agrees(source, same), "{source}");
            assert!(!agrees(source, other), "{source}");
        }
    }
}
