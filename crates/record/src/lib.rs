//! The account of one act, and what a file of them says. No I/O.
//!
//! Each change of an environment is an [`Act`]; what came of it, when somebody saw it, an [`ActResult`]; the second
//! person's word on an emergency a [`Close`]. An [`Entry`] holds one of them as an in-toto Statement
//! (<https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>, predicate type `urn:conveyor:act:v1`), and
//! the signatures over its exact bytes. The file [`path`] of one environment and app has one entry a line, newest
//! first; the Ledger keeps [`FILE_ENTRIES`] of them there, older ones are in the file's history. [`parse_file`] reads
//! it, and [`fold`] says what it comes to.
//!
//! ```
//! let environment = "qa".parse()?;
//! let app = "payments-api".parse()?;
//! assert_eq!(record::path(&environment, &app), "records/qa/payments-api.json");
//!
//! let state = record::fold(&record::parse_file(b"[]\n", &environment, &app)?);
//! assert!(state.newest_act().is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod act;
mod entry;
mod error;
mod file;
mod outcome;
mod state;
mod unique;
mod wire;

pub use act::{Act, ActKind, Approval, Approvals, Copied, CopyOutcome, Decided, ReleaseStage, Replaced, Subject};
pub use entry::{Entry, Predicate, Signature};
pub use error::{EntryError, RecordError};
pub use file::{FILE_ENTRIES, FOLDER, parse_file, path};
pub use outcome::{ActResult, Close, HostOutcome, HostResult, ResultOutcome, Seen};
pub use state::{DigestConflict, Previous, State, fold};
