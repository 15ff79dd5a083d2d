//! What the server's documents say, as far as it is asked for. A field that is not as it must be is an error.

use std::str::FromStr;

use jiff::Timestamp;
use ledger::{Kind, LedgerError, Meta, RepoPath};
use release::CommitId;
use serde_json::Value;

use super::GitError;
use crate::document::{DocumentError, Node, Problem, parse};

/// A file, folder or something else at a commit.
#[derive(Debug)]
pub(super) struct Item {
    /// Its path, with a slash in front.
    pub(super) path: String,
    pub(super) id: release::ObjectId,
    pub(super) kind: Kind,
    /// A file's text as the server decodes it, where it was asked for.
    pub(super) content: Option<String>,
}

/// A commit in a list.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) id: CommitId,
    pub(super) message: String,
    /// Whether there is more of the message.
    pub(super) is_cut: bool,
}

/// A commit and how many changes it was told with.
#[derive(Debug)]
pub(super) struct Detailed {
    pub(super) meta: Meta,
    pub(super) changes: usize,
}

/// A page of changes.
#[derive(Debug)]
pub(super) struct Changes {
    /// The files that have a path.
    pub(super) files: Vec<RepoPath>,
    /// Whether others are on it.
    pub(super) others: bool,
    /// How many changes are on it.
    pub(super) count: usize,
}

/// Reads a document about `what`.
pub(super) fn read<T>(
    what: &'static str,
    bytes: &[u8],
    of: impl FnOnce(&Node<'_>) -> Result<T, DocumentError>,
) -> Result<T, LedgerError> {
    let document = parse(bytes).and_then(|value: Value| of(&Node::root(&value)));
    document.map_err(|source| GitError::Document { what, source }.into())
}

/// The names and heads of a list of refs.
pub(super) fn refs(list: &Node<'_>) -> Result<Vec<(String, CommitId)>, DocumentError> {
    each(list, |row| Ok((row.field("name")?.text()?.to_owned(), word(&row.field("objectId")?)?)))
}

pub(super) fn items(list: &Node<'_>) -> Result<Vec<Item>, DocumentError> {
    each(list, item)
}

pub(super) fn item(item: &Node<'_>) -> Result<Item, DocumentError> {
    let kinds = [("blob", Kind::File), ("tree", Kind::Folder), ("commit", Kind::Submodule)];
    let kind = item.field("gitObjectType")?.one_of(&kinds)?;
    let is_link = item.optional("isSymLink")?.is_some_and(|link| link.flag() != Ok(false));
    Ok(Item {
        path: item.field("path")?.text()?.to_owned(),
        id: word(&item.field("objectId")?)?,
        kind: if is_link { Kind::SymbolicLink } else { kind },
        content: item.optional("content")?.map(|content| content.text().map(str::to_owned)).transpose()?,
    })
}

/// The size of a blob.
pub(super) fn size(blob: &Node<'_>) -> Result<u64, DocumentError> {
    blob.field("size")?.number()
}

pub(super) fn listed(list: &Node<'_>) -> Result<Vec<Listed>, DocumentError> {
    each(list, |commit| {
        Ok(Listed {
            id: word(&commit.field("commitId")?)?,
            message: commit.optional("comment")?.map_or(Ok(""), |comment| comment.text())?.to_owned(),
            is_cut: commit.optional("commentTruncated")?.is_some_and(|is_cut| is_cut.flag() != Ok(false)),
        })
    })
}

pub(super) fn commit(commit: &Node<'_>) -> Result<Detailed, DocumentError> {
    let parents = commit.field("parents")?.items()?;
    let message = commit.field("comment")?.text()?.to_owned();
    let Changes { files, others, count } = changes(commit)?;
    let meta = Meta {
        id: word(&commit.field("commitId")?)?,
        parents: parents.iter().map(word).collect::<Result<_, _>>()?,
        time: time(&commit.field("committer")?)?,
        run: Meta::run_of(&message),
        message,
        changed: files.into_iter().collect(),
        changed_others: others,
    };
    Ok(Detailed { meta, changes: count })
}

pub(super) fn changes(of: &Node<'_>) -> Result<Changes, DocumentError> {
    let changes = of.field("changes")?.items()?;
    let (mut files, mut others) = (Vec::new(), false);
    for change in &changes {
        let item = change.field("item")?;
        if item.optional("isFolder")?.is_some_and(|folder| folder.flag() == Ok(true)) {
            continue;
        }
        let moved_from = change.optional("sourceServerItem")?;
        for path in [Some(item.field("path")?), moved_from].iter().flatten() {
            let path = repo_path(path.text()?);
            others |= path.is_none();
            files.extend(path);
        }
    }
    Ok(Changes { files, others, count: changes.len() })
}

/// The branch that a push moved and where it is now.
pub(super) fn pushed(push: &Node<'_>) -> Result<Vec<(String, CommitId)>, DocumentError> {
    let updates = push.field("refUpdates")?.items()?;
    updates
        .iter()
        .map(|update| Ok((update.field("name")?.text()?.to_owned(), word(&update.field("newObjectId")?)?)))
        .collect()
}

/// What became of the one ref that was to be moved, in the server's word.
pub(super) fn moved(list: &Node<'_>) -> Result<String, DocumentError> {
    let words = each(list, |update| Ok(update.field("updateStatus")?.text()?.to_owned()))?;
    words.into_iter().next().ok_or_else(|| list.error(Problem::NotComplete))
}

/// A pull request's number, source and target.
pub(super) fn pull_request(request: &Node<'_>) -> Result<(u64, String, String), DocumentError> {
    let text = |name| Ok::<_, DocumentError>(request.field(name)?.text()?.to_owned());
    Ok((request.field("pullRequestId")?.number()?, text("sourceRefName")?, text("targetRefName")?))
}

pub(super) fn pull_requests(list: &Node<'_>) -> Result<Vec<(u64, String, String)>, DocumentError> {
    each(list, pull_request)
}

/// A path of the server's, if it is one of the Ledger's.
pub(super) fn repo_path(path: &str) -> Option<RepoPath> {
    path.strip_prefix('/')?.parse().ok()
}

fn each<T>(list: &Node<'_>, of: impl Fn(&Node<'_>) -> Result<T, DocumentError>) -> Result<Vec<T>, DocumentError> {
    list.field("value")?.items()?.iter().map(of).collect()
}

fn word<T: FromStr>(node: &Node<'_>) -> Result<T, DocumentError> {
    node.text()?.parse().map_err(|_| node.error(Problem::Not("an id")))
}

fn time(person: &Node<'_>) -> Result<Timestamp, DocumentError> {
    person.field("date")?.time()
}
