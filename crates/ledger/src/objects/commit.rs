use std::iter::Peekable;

use jiff::Timestamp;
use release::{CommitId, ObjectId};

use super::ObjectError;
use crate::Identity;

/// A commit without who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) tree: ObjectId,
    pub(crate) parents: Vec<CommitId>,
    /// The committer's claim, for display only.
    pub(crate) time: Timestamp,
    /// The whole message; what is not UTF-8 in it is replaced.
    pub(crate) message: String,
}

/// Headers that come once after the committer, if at all. Others, such as `mergetag`, may be repeated.
const ONCE: [&str; 3] = ["encoding", "gpgsig", "gpgsig-sha256"];

/// Reads a commit whose headers stand in Git's order, each once.
pub(crate) fn parse(bytes: &[u8]) -> Result<Commit, ObjectError> {
    let text = String::from_utf8_lossy(bytes);
    let (headers, message) = text.split_once("\n\n").unwrap_or((&text, ""));
    if headers.contains('\0') {
        return Err(ObjectError::Nul);
    }
    let mut lines = headers.split('\n').peekable();
    let tree = required(&mut lines, "tree")?.parse().map_err(|_| ObjectError::Header { header: "tree" })?;
    let mut parents = Vec::new();
    while let Some(parent) = next(&mut lines, "parent") {
        parents.push(parent.parse().map_err(|_| ObjectError::Header { header: "parent" })?);
    }
    required(&mut lines, "author")?;
    let committer = required(&mut lines, "committer")?;
    // A line that begins with a space continues the one before it, which may only be one of those that follow.
    if lines.peek().is_some_and(|line| line.starts_with(' ')) {
        return Err(ObjectError::Header { header: "committer" });
    }
    let lines = lines.filter(|line| !line.starts_with(' '));
    let rest: Vec<&str> = lines.map(|line| line.split_once(' ').map_or(line, |(name, _)| name)).collect();
    let count = |header: &&str| rest.iter().filter(|name| **name == *header).count();
    let again = ["tree", "parent", "author", "committer"].into_iter().find(|header| count(header) > 0);
    if let Some(header) = again.or_else(|| ONCE.into_iter().find(|header| count(header) > 1)) {
        return Err(ObjectError::RepeatedHeader { header });
    }
    Ok(Commit { tree, parents, time: time(committer), message: message.to_owned() })
}

/// The bytes of a commit. A signature is of the same commit's bytes without one.
pub(crate) fn write(
    tree: ObjectId,
    parents: &[CommitId],
    author: &Identity,
    committer: &Identity,
    seconds: u64,
    message: &str,
    signature: Option<&str>,
) -> Vec<u8> {
    let parents: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
    let signature = signature.map(|signature| format!("gpgsig {}\n", signature.trim_end().replace('\n', "\n ")));
    let signature = signature.unwrap_or_default();
    let by = format!("author {author} {seconds} +0000\ncommitter {committer} {seconds} +0000\n");
    format!("tree {tree}\n{parents}{by}{signature}\n{message}").into_bytes()
}

fn required<'a>(
    lines: &mut Peekable<impl Iterator<Item = &'a str>>,
    header: &'static str,
) -> Result<&'a str, ObjectError> {
    next(lines, header).ok_or(ObjectError::Header { header })
}

/// The next line's value, if it is this header's.
fn next<'a>(lines: &mut Peekable<impl Iterator<Item = &'a str>>, header: &str) -> Option<&'a str> {
    let value = lines.peek()?.strip_prefix(header)?.strip_prefix(' ')?;
    lines.next();
    Some(value)
}

/// An impossible date becomes the nearest possible, and what is no number is the epoch, as git has it.
fn time(committer: &str) -> Timestamp {
    let seconds = committer.rsplit(' ').nth(1).and_then(|seconds| seconds.parse::<i128>().ok()).unwrap_or_default();
    let (first, last) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    let nearest = seconds.clamp(first.into(), last.into()).try_into().unwrap_or_default();
    Timestamp::from_second(nearest).unwrap_or_default()
}
