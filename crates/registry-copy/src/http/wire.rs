//! Parsers of what a server sends: pure functions of untrusted bytes.

pub(crate) mod challenge;
pub(crate) mod few;
pub(crate) mod grant;
pub(crate) mod link;
pub(crate) mod range;
pub(crate) mod realm;
pub(crate) mod refusals;
