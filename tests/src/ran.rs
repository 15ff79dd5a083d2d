use std::{collections::BTreeMap, process::Output, sync::OnceLock};

use jsonschema::Validator;
use serde_json::Value;

/// How a binary ended and what it said.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Its exit code; a signal is 128 and more.
    pub code: i32,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
}

impl Ran {
    pub(crate) fn new(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        let killed = || 128 + output.status.signal().unwrap();
        Self {
            code: output.status.code().unwrap_or_else(killed),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The one JSON document on stdout.
    ///
    /// # Panics
    /// When there is not exactly one, or when it does not keep to its schema and to what every document promises.
    #[must_use]
    pub fn document(&self) -> Value {
        let line = self.stdout.strip_suffix('\n').unwrap_or_else(|| panic!("no line on stdout: {self:?}"));
        assert!(!line.contains('\n'), "one line: {line}");
        let document: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        validate(&document);
        let fails = matches!(self.code, 1 | 2 | 3 | 13) || self.code > 128;
        assert_eq!(document.get("error").is_some(), fails, "exit {}: {document}", self.code);
        assert_eq!(document.get("outcome").is_some(), !fails, "exit {}: {document}", self.code);
        document
    }
}

/// Checks a document against the schema that it names.
fn validate(document: &Value) {
    static VALIDATORS: OnceLock<BTreeMap<String, Validator>> = OnceLock::new();
    let validators = VALIDATORS.get_or_init(|| {
        let named = cli::schemas().into_iter().map(|(file, schema)| {
            let command = file.strip_suffix(".v1.json").unwrap();
            (format!("conveyor/{command}/v1"), jsonschema::validator_for(&schema).unwrap())
        });
        named.collect()
    });
    let name = document["schema"].as_str().unwrap_or_else(|| panic!("a document names no schema: {document}"));
    let validator = validators.get(name).unwrap_or_else(|| panic!("there is no schema {name}"));
    let errors: Vec<String> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{name}: {errors:?}\n{document}");
}
