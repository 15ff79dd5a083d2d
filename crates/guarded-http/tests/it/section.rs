//! The tables of `docs/origins.md`: each test that makes some of them replaces one section of the document.

use std::{env, fs, path::Path};

/// Compares the section that begins behind the line `<!-- NAME -->` and ends before the next such line. With
/// `UPDATE_DOCS` set, writes it instead: what changed is then reviewed in its diff.
pub(crate) fn compare(name: &str, tables: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/origins.md");
    let document = fs::read_to_string(&file).unwrap();
    let (before, section) = document.split_once(&format!("<!-- {name} -->\n")).unwrap();
    let (known, after) = section.split_at(section.find("<!-- ").unwrap_or(section.len()));
    let tables = format!("\n{}\n", tables.trim());
    let tables = if after.is_empty() { tables } else { tables + "\n" };
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, format!("{before}<!-- {name} -->\n{tables}{after}")).unwrap();
    } else {
        assert_eq!(known, tables, "docs/origins.md differs; if that is right, run the tests once with UPDATE_DOCS=1");
    }
}
