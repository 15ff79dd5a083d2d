use std::{env, fs, path::Path};

/// Compares a text with the file that holds it, a path from the crate's directory. With the variable set, writes the
/// file instead: what changed is then reviewed in its diff.
pub(crate) fn compare(path: &str, text: &str, variable: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if env::var_os(variable).is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
    }
    let known = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(known, text, "{path} differs; if that is right, run the tests once with {variable}=1");
}
