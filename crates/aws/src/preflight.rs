//! What a repository's settings mean for one tag.

mod lifecycle;
mod mutability;
mod wildcard;

pub(crate) use lifecycle::expiries;
pub(crate) use mutability::tag_rule;
