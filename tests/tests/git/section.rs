//! The parts of docs/ledger.md that the tests write.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

static FILE: Mutex<()> = Mutex::new(());

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ledger.md")
}

/// The file up to a part, the part, and what follows it.
fn split(file: &str, name: &str) -> [String; 3] {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n"));
    let (before, rest) = file.split_once(&begin).unwrap_or_else(|| panic!("docs/ledger.md has no {begin}"));
    let (part, after) = rest.split_once(&end).unwrap_or_else(|| panic!("docs/ledger.md has no {end}"));
    [format!("{before}{begin}"), part.to_owned(), format!("{end}{after}")]
}

/// With UPDATE_DOCS set, writes a part of what was measured, which is another each time.
pub(crate) fn measured(name: &str, text: &str) {
    let _alone = FILE.lock().unwrap_or_else(PoisonError::into_inner);
    if env::var_os("UPDATE_DOCS").is_some() {
        let [before, _, after] = split(&fs::read_to_string(path()).unwrap(), name);
        fs::write(path(), format!("{before}\n{text}\n{after}")).unwrap();
    }
}

/// Compares a part, or with UPDATE_DOCS set writes it: what changed is then reviewed in its diff.
pub(crate) fn compare(name: &str, text: &str) {
    measured(name, text);
    let _alone = FILE.lock().unwrap_or_else(PoisonError::into_inner);
    let [_, part, _] = split(&fs::read_to_string(path()).unwrap(), name);
    assert_eq!(part.trim(), text.trim(), "docs/ledger.md differs; if that is right, run the tests with UPDATE_DOCS=1");
}
