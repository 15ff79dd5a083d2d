//! The server's JSON documents, parsed from bytes. Pure; nothing is assumed of what is not there: a field that is
//! missing, null, of another type or of an unknown value is an error that names it.

mod approvals;
mod build;
mod node;
mod release;

pub use self::release::release;
pub(crate) use approvals::PAGE;
pub use approvals::{ListedApproval, approvals};
pub use build::{build, is_build_not_found};
pub use node::{DocumentError, Problem};
pub(crate) use node::{Node, parse};
