use release::{App, Environment};
use serde_json::value::RawValue;

use crate::{Entry, RecordError};

/// The Ledger's folder that the records are in.
pub const FOLDER: &str = "records";

/// How many entries a record file keeps.
pub const FILE_ENTRIES: usize = 32;

/// The longest record file, in bytes. Thirty-two of the longest entries would not fit; entries are about 1 KiB.
const LONGEST: usize = 1 << 20;

/// Where the Ledger has the record of an app in an environment.
#[must_use]
pub fn path(environment: &Environment, app: &App) -> String {
    format!("{FOLDER}/{environment}/{app}.json")
}

/// Reads the record file of an app in an environment: a JSON array of entries, newest first, each on a line of its own.
/// One that is not readable makes the whole file unreadable: what it would have said is not known.
///
/// # Errors
/// [`RecordError`], at the first thing that is wrong.
pub fn parse_file(bytes: &[u8], environment: &Environment, app: &App) -> Result<Vec<Entry>, RecordError> {
    if bytes.len() > LONGEST {
        return Err(RecordError::TooLong { bytes: bytes.len(), limit: LONGEST });
    }
    let text = std::str::from_utf8(bytes).map_err(RecordError::NotUtf8)?;
    let items: Vec<&RawValue> = serde_json::from_str(text).map_err(RecordError::NotAnArray)?;
    let mut rest = text;
    let mut entries = Vec::with_capacity(items.len());
    for (number, item) in (1..).zip(items) {
        let (before, after) = rest.split_once(item.get()).unwrap_or_default();
        if !before.contains('\n') {
            return Err(RecordError::SharedLine { entry: number });
        }
        rest = after;
        let entry = Entry::parse(item.get()).map_err(|source| RecordError::Entry { entry: number, source })?;
        let subject = entry.predicate().subject();
        if subject.environment != *environment || subject.artifact.app != *app {
            let (app, environment) = (subject.artifact.app.clone(), subject.environment.clone());
            return Err(RecordError::Misplaced { entry: number, app, environment });
        }
        entries.push(entry);
    }
    Ok(entries)
}
