//! Every scalar of the manifests in `tests/manifests` is edited or refused with a reason. The scalars are listed by the
//! other parser, and the edits are judged by it and by the text alone.

use std::{collections::BTreeMap, fs, path::Path};

use ledger::{Document, EditError, KeyPath, Scalar, get_scalar, set_scalar};
use serde_yaml::Value;

use super::documents;

/// What is not edited, and why. Everything else in these files is.
const REFUSED: &[(&str, &str, &str)] = &[
    ("anchors.yaml", "cron.pull", "Alias in line 12"),
    ("anchors.yaml", "cron.tag", "Alias in line 12"),
    ("anchors.yaml", "defaults.pull", "Shared in line 2"),
    ("anchors.yaml", "defaults.tag", "Shared in line 2"),
    ("anchors.yaml", "web.<<.pull", "Alias in line 6"),
    ("anchors.yaml", "web.<<.tag", "Alias in line 6"),
    ("anchors.yaml", "worker.<<.pull", "Alias in line 9"),
    ("anchors.yaml", "worker.<<.tag", "Alias in line 9"),
    ("anchors.yaml", "worker.pull", "Alias in line 11"),
    ("argocd-application.yaml", "spec.source.helm.values", "BlockScalar in line 25"),
    ("compose.yaml", "services.dagster-daemon.<<.logging.driver", "Alias in line 19"),
    ("compose.yaml", "services.dagster-daemon.<<.logging.options.max-file", "Alias in line 19"),
    ("compose.yaml", "services.dagster-daemon.<<.logging.options.max-size", "Alias in line 19"),
    ("compose.yaml", "services.dagster-daemon.<<.restart", "Alias in line 19"),
    ("compose.yaml", "services.dagster-daemon.entrypoint", "BlockScalar in line 21"),
    ("compose.yaml", "services.dagster-webserver.<<.logging.driver", "Alias in line 9"),
    ("compose.yaml", "services.dagster-webserver.<<.logging.options.max-file", "Alias in line 9"),
    ("compose.yaml", "services.dagster-webserver.<<.logging.options.max-size", "Alias in line 9"),
    ("compose.yaml", "services.dagster-webserver.<<.restart", "Alias in line 9"),
    ("compose.yaml", "x-common.logging.driver", "Shared in line 2"),
    ("compose.yaml", "x-common.logging.options.max-file", "Shared in line 2"),
    ("compose.yaml", "x-common.logging.options.max-size", "Shared in line 2"),
    ("compose.yaml", "x-common.restart", "Shared in line 2"),
    ("config-map.yaml", r#"data."application.properties""#, "BlockScalar in line 7"),
    ("config-map.yaml", "data.folded", "BlockScalar in line 10"),
    ("config-map.yaml", "data.plain", "MultiLinePlain in line 15"),
    ("config-map.yaml", "data.script", "BlockScalar in line 13"),
    ("directives.yaml", "custom", "Tag in line 7"),
    ("directives.yaml", "nothing", "EmptyProperties in line 11"),
    ("directives.yaml", "number", "Tag in line 6"),
    ("directives.yaml", "odd.a", "Tag in line 10"),
    ("odd-layout.yaml", "image.bare", "NoColon in line 9"),
];

#[test]
fn every_scalar_is_edited_alone_or_refused_with_a_reason() {
    let mut refused = BTreeMap::new();
    let mut unread = Vec::new();
    let mut edited = 0;
    for (file, bytes) in manifests() {
        let Some(documents) = documents(&bytes) else {
            unread.push(file);
            continue;
        };
        for (number, root) in documents.iter().enumerate() {
            let document = Document::Nth(number);
            for place in places(root) {
                // The fields that choose list entries are no key paths.
                let Ok(key) = place.key.parse::<KeyPath>() else { continue };
                match set_scalar(&bytes, Some(&document), &key, &Scalar::new("77031")) {
                    Ok(_) => {
                        edits(&bytes, &documents, number, &place);
                        edited += 1;
                    }
                    Err(error) => {
                        assert_eq!(get_scalar(&bytes, Some(&document), &key), Err(error.clone()), "{file} {key}");
                        refused.insert((file.clone(), key.to_string()), reason(&error));
                    }
                }
            }
        }
    }
    let expected: BTreeMap<_, _> =
        REFUSED.iter().map(|(file, key, why)| (((*file).to_owned(), (*key).to_owned()), (*why).to_owned())).collect();
    assert_eq!(refused, expected);
    assert_eq!(unread, ["duplicate-keys.yaml", "template.yaml"]);
    assert_eq!(edited, 164);
}

#[test]
fn files_that_parsers_do_not_agree_on_are_refused_whole() {
    let outcome = |file: &str, key: &str| {
        let bytes = fs::read(folder().join(file)).unwrap();
        set_scalar(&bytes, None, &key.parse().unwrap(), &Scalar::new("77031")).unwrap_err()
    };
    assert!(matches!(outcome("template.yaml", "image.tag"), EditError::Syntax { line: 1, .. }));
    assert!(
        matches!(outcome("duplicate-keys.yaml", "image.tag"), EditError::DuplicateKey { lines, .. } if lines == [2, 4])
    );
    assert!(matches!(outcome("duplicate-keys.yaml", "other"), EditError::Rejected { line: 2, .. }));
}

fn reason(error: &EditError) -> String {
    match error {
        EditError::Unsupported { what, line, .. } => format!("{what:?} in line {line}"),
        other => panic!("{other:?}"),
    }
}

/// Sets several values at one place, and checks the results by text and by the second parser.
fn edits(bytes: &[u8], documents: &[Value], number: usize, place: &Place) {
    let document = Document::Nth(number);
    let key: KeyPath = place.key.parse().unwrap();
    let source = str::from_utf8(bytes).unwrap();
    let set = |value: &str| {
        let edited = set_scalar(bytes, Some(&document), &key, &Scalar::new(value)).unwrap();
        let mut expected = documents.to_vec();
        *at(&mut expected[number], &place.route) = Value::String(value.to_owned());
        assert_eq!(super::documents(&edited), Some(expected), "{key} = {value}");
        assert_eq!(get_scalar(&edited, Some(&document), &key), Ok(Scalar::new(value)));
        assert_eq!(set_scalar(&edited, Some(&document), &key, &Scalar::new(value)).as_ref(), Ok(&edited));
        String::from_utf8(edited).unwrap()
    };

    let edited = set("77031");
    let start = edited.find("77031").unwrap();
    // A number is never written plain: one character of quote on each side.
    let (before, after) = (&edited[..start - 1], &edited[start + "77031".len() + 1..]);
    let quotes = [&edited[start - 1..start], &edited[start + 5..start + 6]];
    assert!(quotes == ["\"", "\""] || quotes == ["'", "'"], "{key}: {quotes:?}");
    // Where nothing stood, a blank came with the value.
    let outside = if before.len() + after.len() > source.len() { before.strip_suffix(' ').unwrap() } else { before };
    let old = source.strip_prefix(outside).unwrap().strip_suffix(after).unwrap();
    let mut documents = documents.to_vec();
    let was = at(&mut documents[number], &place.route);
    assert!(was.as_str() == Some(old) || serde_yaml::from_str::<Value>(old).unwrap() == *was, "{key}: {old:?}");

    for value in ["zz-next", "", "null", "it's \"both\" \\ and \u{e9}\n\u{2028}", "a: b # c", "- x", "latest:", "[x"] {
        let edited = set(value);
        assert!(edited.starts_with(before) && edited.ends_with(after), "{key} = {value}");
    }
}

struct Place {
    key: String,
    route: Vec<usize>,
}

/// All scalars below a root that a key path can name.
fn places(root: &Value) -> Vec<Place> {
    let mut found = Vec::new();
    walk(root, "", &[], &mut found);
    found
}

fn walk(value: &Value, key: &str, route: &[usize], found: &mut Vec<Place>) {
    let inside = |position: usize| [route, &[position]].concat();
    match value {
        Value::Tagged(tagged) if tagged.value.is_mapping() => walk(&tagged.value, key, route, found),
        Value::Mapping(entries) => {
            for (position, (name, value)) in entries.iter().enumerate() {
                let Some(name) = word(name) else { continue };
                let dot = if key.is_empty() { "" } else { "." };
                walk(value, &format!("{key}{dot}{name}"), &inside(position), found);
            }
        }
        Value::Sequence(items) => {
            for (position, item) in items.iter().enumerate() {
                let fields = item.as_mapping().into_iter().flatten();
                // The first field whose value tells this item from the others.
                let naming = fields.filter(|(field, value)| {
                    word(value).is_some() && items.iter().filter(|other| other.get(field) == Some(value)).count() == 1
                });
                let Some((field, value)) = naming.filter_map(|(f, v)| Some((word(f)?, word(v)?))).next() else {
                    continue;
                };
                walk(item, &format!("{key}[{field}={value}]"), &inside(position), found);
            }
        }
        _ => found.push(Place { key: key.to_owned(), route: route.to_vec() }),
    }
}

/// A key or value as a quoted word of a key path.
fn word(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) if !text.is_empty() => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

pub(super) fn at<'v>(root: &'v mut Value, route: &[usize]) -> &'v mut Value {
    route.iter().fold(root, |value, position| match value {
        Value::Mapping(entries) => entries.values_mut().nth(*position).unwrap(),
        Value::Sequence(items) => &mut items[*position],
        other => panic!("{other:?}"),
    })
}

fn manifests() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files.iter().map(|file| (file.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(file).unwrap())).collect()
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/manifests"))
}
