use std::{env, fs, path::Path};

/// The variable that has the tables in docs/ written anew.
pub(crate) const UPDATE_DOCS: &str = "UPDATE_DOCS";

/// The text of a file, a path from the crate's directory; nothing where there is none.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_default()
}

/// Compares a text with the file that holds it, a path from the crate's directory. With the variable set, writes the
/// file instead: what changed is then reviewed in its diff.
pub(crate) fn compare(path: &str, text: &str, variable: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if env::var_os(variable).is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
    }
    assert_eq!(read(path), text, "{path} differs; if that is right, run the tests once with {variable}=1");
}
