//! The bodies of the fuzz targets of YAML. They ask the two parsers themselves.

use std::{fmt::Debug, ops::Range, str::FromStr};

use granit_parser::{Event, Parser};
use serde::Deserialize as _;
use serde_yaml::Value;

use super::{get_scalar, set_scalar};
use crate::{Document, KeyPath, Scalar};

/// A key path, a value and a file, each but the last ended by a line feed.
pub(crate) fn an_edit(bytes: &[u8]) {
    let Some((key, value, source)) = str::from_utf8(bytes).ok().and_then(|text| {
        let (key, rest) = text.split_once('\n')?;
        let (value, source) = rest.split_once('\n')?;
        Some((key.parse::<KeyPath>().ok()?, Scalar::new(value), source))
    }) else {
        return;
    };
    let Ok(edited) = set_scalar(source.as_bytes(), None, &key, &value) else { return };
    assert!(get_scalar(source.as_bytes(), None, &key).is_ok());
    assert_eq!(get_scalar(&edited, None, &key).as_ref(), Ok(&value));
    assert_eq!(set_scalar(&edited, None, &key, &value).as_ref(), Ok(&edited));
    let edited = String::from_utf8_lossy(&edited);
    only_one_event_differs(source, &edited, value.as_str());
    let (before, after) = (documents(source), documents(&edited));
    assert_eq!(before.len(), after.len());
    let differ: usize = before.iter().zip(&after).map(|(was, is)| differences(was, is, value.as_str())).sum();
    assert!(differ <= 1, "{differ} values differ");
}

/// A key path and a file: what is read is in a file that both parsers read.
pub(crate) fn a_read(bytes: &[u8]) {
    let Some(line) = bytes.iter().position(|byte| *byte == b'\n') else { return };
    let Some(key) = bytes.get(..line).and_then(|key| str::from_utf8(key).ok()?.parse().ok()) else { return };
    let source = bytes.get(line + 1..).unwrap_or_default();
    let Ok(scalar) = get_scalar(source, None, &key) else { return };
    let source = String::from_utf8_lossy(source);
    assert!(!source.contains(['\u{85}', '\u{2028}', '\u{2029}', '\0']));
    assert!(events(&source).iter().any(|(event, _)| match event {
        Event::Scalar(text, ..) => **text == *scalar.as_str() || scalar.is_empty(),
        _ => false,
    }));
    assert!(!documents(&source).is_empty());
}

/// A key path and a document selector are what they print.
pub(crate) fn words(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    again::<KeyPath>(text);
    again::<Document>(text);
}

fn again<T: FromStr + ToString + PartialEq + Debug>(text: &str) {
    let Ok(word) = text.parse::<T>() else { return };
    let printed = word.to_string();
    assert_eq!(printed.parse::<T>().ok(), Some(word), "{printed}");
}

fn only_one_event_differs(source: &str, edited: &str, value: &str) {
    let (before, after) = (events(source), events(edited));
    assert_eq!(before.len(), after.len());
    let mut differ = before.iter().zip(&after).filter(|((was, _), (is, _))| was != is);
    let Some(((was, old), (is, new))) = differ.next() else { return };
    assert!(differ.next().is_none(), "more than one event differs");
    assert_eq!((was.anchor_id(), was.tag()), (is.anchor_id(), is.tag()));
    assert!(matches!(is, Event::Scalar(text, ..) if **text == *value));
    // Where nothing stood, a blank came with the value, and the span was somewhere behind the colon.
    if !old.is_empty() {
        assert_eq!(source.get(..old.start), edited.get(..new.start));
        assert_eq!(source.get(old.end..), edited.get(new.end..));
    }
}

fn events(text: &str) -> Vec<(Event<'_>, Range<usize>)> {
    let events: Result<_, _> = Parser::new_from_str(text)
        .map(|event| event.map(|(event, span)| (event, span.byte_range().unwrap_or_default())))
        .collect();
    assert!(events.is_ok(), "the first parser refuses it");
    events.unwrap_or_default()
}

fn documents(text: &str) -> Vec<Value> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let documents = serde_yaml::Deserializer::from_str(text).map(Value::deserialize).collect::<Result<_, _>>();
    assert!(documents.is_ok(), "the second parser refuses it");
    documents.unwrap_or_default()
}

/// How many values below these two differ, each of which is to be this one now.
fn differences(was: &Value, is: &Value, value: &str) -> usize {
    match (was, is) {
        (Value::Mapping(old), Value::Mapping(new)) => {
            assert!(old.keys().eq(new.keys()));
            old.values().zip(new.values()).map(|(was, is)| differences(was, is, value)).sum()
        }
        (Value::Sequence(old), Value::Sequence(new)) => {
            assert_eq!(old.len(), new.len());
            old.iter().zip(new).map(|(was, is)| differences(was, is, value)).sum()
        }
        _ if was == is => 0,
        _ => {
            assert_eq!(is, value);
            1
        }
    }
}
