use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Act, ActResult, Close, EntryError, Subject, unique, wire};

/// The longest line of an entry, in bytes.
const LONGEST: usize = 64 << 10;
/// The most signatures of an entry.
const SIGNATURES: usize = 16;

/// One line of a record file: `{"statement":S,"signatures":[…]}`.
///
/// S is kept as it was read: a signature is over DSSE's pre-authentication encoding of
/// `application/vnd.in-toto+json` and exactly these bytes
/// (<https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>), so nothing writes it anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    predicate: Predicate,
    statement: String,
    signatures: Vec<Signature>,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Predicate {
    /// An environment changed.
    Act(Box<Act>),
    /// What came of an act.
    Result(ActResult),
    /// An emergency was closed.
    Close(Close),
}

impl Predicate {
    /// What it is about.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        match self {
            Self::Act(act) => &act.subject,
            Self::Result(result) => &result.subject,
            Self::Close(close) => &close.subject,
        }
    }
}

impl From<Act> for Predicate {
    fn from(act: Act) -> Self {
        Self::Act(Box::new(act))
    }
}

impl From<ActResult> for Predicate {
    fn from(result: ActResult) -> Self {
        Self::Result(result)
    }
}

impl From<Close> for Predicate {
    fn from(close: Close) -> Self {
        Self::Close(close)
    }
}

/// A signature over an entry's statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Which key it is of; a hint.
    pub keyid: String,
    /// The signature, in base64.
    pub sig: String,
}

impl Entry {
    /// An entry that says this, unsigned.
    ///
    /// # Errors
    /// [`EntryError::TooLong`] where its line would be longer than 64 KiB.
    pub fn new(predicate: impl Into<Predicate>) -> Result<Self, EntryError> {
        let predicate = predicate.into();
        let statement = wire::write(&predicate)?;
        let entry = Self { predicate, statement, signatures: Vec::new() };
        limit(&entry.to_line())?;
        Ok(entry)
    }

    /// Reads one line, without its line end and comma.
    ///
    /// Keys that this version does not know are passed over, as in-toto asks; a kind that it does not know is an error,
    /// and so is a key that stands twice or does not belong to the kind.
    ///
    /// # Errors
    /// Whatever makes the line no entry.
    pub fn parse(line: &str) -> Result<Self, EntryError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Envelope<'a> {
            #[serde(borrow)]
            statement: &'a RawValue,
            signatures: Vec<Signature>,
        }

        limit(line)?;
        if line.contains(['\n', '\r']) {
            return Err(EntryError::SeveralLines);
        }
        unique::check(line)?;
        let Envelope { statement, signatures } = serde_json::from_str(line)?;
        if signatures.len() > SIGNATURES {
            return Err(EntryError::TooManySignatures { count: signatures.len(), limit: SIGNATURES });
        }
        Ok(Self { predicate: wire::read(statement.get())?, statement: statement.get().to_owned(), signatures })
    }

    /// What it says.
    #[must_use]
    pub fn predicate(&self) -> &Predicate {
        &self.predicate
    }

    /// The statement's exact bytes: what is signed, verified and parsed.
    #[must_use]
    pub fn statement(&self) -> &str {
        &self.statement
    }

    /// The signatures, not verified.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The entry's line, without line end and comma.
    #[must_use]
    pub fn to_line(&self) -> String {
        let signature = |Signature { keyid, sig }: &Signature| {
            format!(r#"{{"keyid":{},"sig":{}}}"#, serde_json::Value::from(&**keyid), serde_json::Value::from(&**sig))
        };
        let signatures: Vec<String> = self.signatures.iter().map(signature).collect();
        format!(r#"{{"statement":{},"signatures":[{}]}}"#, self.statement, signatures.join(","))
    }
}

fn limit(line: &str) -> Result<(), EntryError> {
    if line.len() > LONGEST { Err(EntryError::TooLong { bytes: line.len(), limit: LONGEST }) } else { Ok(()) }
}
