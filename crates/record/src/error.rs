use release::{App, Environment};

/// A record file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It is larger than record files are.
    #[error("the record is {bytes} bytes long, above the limit of {limit}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// It is no UTF-8.
    #[error("the record is not UTF-8")]
    NotUtf8(#[source] std::str::Utf8Error),
    /// It is no JSON array.
    #[error("the record is not a JSON array")]
    NotAnArray(#[source] serde_json::Error),
    /// Two entries share a line, so that a diff cannot tell them apart.
    #[error("entry {entry} of the record does not begin on a line of its own")]
    SharedLine {
        /// Which, from 1, the newest first.
        entry: usize,
    },
    /// An entry cannot be read.
    #[error("entry {entry} of the record cannot be read")]
    Entry {
        /// Which, from 1, the newest first.
        entry: usize,
        /// What is wrong with it.
        source: EntryError,
    },
    /// An entry is about another environment or app than the file is for.
    #[error("entry {entry} of the record is about {app} in {environment}, which this file is not for")]
    Misplaced {
        /// Which, from 1, the newest first.
        entry: usize,
        /// Its app.
        app: App,
        /// Its environment.
        environment: Environment,
    },
}

/// A line that is no entry, or something that no entry can say.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// It is longer than entries are.
    #[error("the entry is {bytes} bytes long, above the limit of {limit}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// It spans lines.
    #[error("the entry spans several lines")]
    SeveralLines,
    /// It has more signatures than entries have.
    #[error("the entry has {count} signatures, above the limit of {limit}")]
    TooManySignatures {
        /// How many.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// It is no JSON, or not the JSON of an entry; or a key stands twice; or its kind is unknown.
    #[error("the entry is not of the form that this version knows")]
    Form(#[from] serde_json::Error),
    /// It is another statement than Conveyor writes.
    #[error("{field} is {found:?}, not {expected:?}")]
    OtherType {
        /// `_type` or `predicateType`.
        field: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        expected: &'static str,
    },
    /// Its subject is no image in a registry.
    #[error("the subject {name:?} with sha256 {sha256:?} is not REGISTRY/REPOSITORY with 64 lower-case digits")]
    Subject {
        /// The subject's name.
        name: String,
        /// Its digest.
        sha256: String,
    },
    /// Its kind needs a field that it lacks.
    #[error("the field {field} is missing")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// It has a field that its kind does not have.
    #[error("the entry has a field that its kind does not have")]
    Misfit,
}

impl RecordError {
    /// Whether reading the same bytes again may succeed: never.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        false
    }
}
