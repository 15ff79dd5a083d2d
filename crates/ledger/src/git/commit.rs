use std::collections::BTreeSet;

use jiff::Timestamp;
use release::{CommitId, ObjectId};

use super::store::Store;
use crate::{LedgerError, Meta, Unanswered, run_trailer};

const OPERATION: &str = "read commits";

/// A commit as its bytes have it.
pub(super) struct Commit {
    pub(super) id: CommitId,
    pub(super) parents: Vec<CommitId>,
    pub(super) time: Timestamp,
    pub(super) message: String,
}

impl Store {
    /// The commits' own bytes, parsed.
    pub(super) async fn commits(&self, ids: &[CommitId]) -> Result<Vec<Commit>, LedgerError> {
        let objects: Vec<ObjectId> = ids.iter().map(|id| id.object()).collect();
        let bodies = self.objects("commit", &objects).await?;
        let parsed = ids.iter().zip(&bodies).map(|(id, body)| parse(*id, body));
        parsed.map(|commit| commit.ok_or(LedgerError::Garbled { operation: OPERATION })).collect()
    }

    /// The push's commit among these.
    pub(super) async fn find(&self, ids: &[CommitId], push: &Unanswered) -> Result<Option<CommitId>, LedgerError> {
        let objects: Vec<ObjectId> = ids.iter().map(|id| id.object()).collect();
        let bodies = self.objects("commit", &objects).await?;
        let ours = |(id, body): (&CommitId, &Vec<u8>)| {
            let body = String::from_utf8_lossy(body);
            let (headers, message) = split(&body);
            // A colleague's commit may be as odd as it likes: it is not ours then.
            let parents = parents(headers).unwrap_or_default();
            push.is(id, &parents, run_trailer::run_of(message)).then_some(*id)
        };
        Ok(ids.iter().zip(&bodies).find_map(ours))
    }

    /// A commit with the paths that it changed. Its first parent must be in the store.
    pub(super) async fn meta(&self, commit: Commit) -> Result<Meta, LedgerError> {
        let id = commit.id.to_string();
        let parent = commit.parents.first().map(CommitId::to_string);
        let mut arguments = vec!["diff-tree", "-r", "-z", "--no-commit-id", "--name-only", "--no-renames", "--root"];
        arguments.extend(parent.as_deref());
        arguments.push(&id);
        let names = self.local("compare two commits", &arguments, b"").await?;
        let changed: BTreeSet<_> =
            names.split(|byte| *byte == 0).filter_map(|name| std::str::from_utf8(name).ok()?.parse().ok()).collect();
        let run = run_trailer::run_of(&commit.message);
        let Commit { id, parents, time, message } = commit;
        Ok(Meta { id, parents, time, message, run, changed })
    }
}

/// Reads a commit. One with a header twice is refused: programs differ in which one counts.
fn parse(id: CommitId, body: &[u8]) -> Option<Commit> {
    let body = String::from_utf8_lossy(body);
    let (headers, message) = split(&body);
    let (trees, committers) = (all(headers, "tree"), all(headers, "committer"));
    let ([_tree], [committer]) = (&*trees, &*committers) else { return None };
    let time = time(committer.rsplit(' ').nth(1).unwrap_or_default());
    Some(Commit { id, parents: parents(headers)?, time, message: message.to_owned() })
}

/// A commit's headers and its message.
fn split(body: &str) -> (&str, &str) {
    body.split_once("\n\n").unwrap_or((body.trim_end(), ""))
}

fn all<'a>(headers: &'a str, name: &str) -> Vec<&'a str> {
    headers.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).collect()
}

fn parents(headers: &str) -> Option<Vec<CommitId>> {
    all(headers, "parent").into_iter().map(|parent| parent.parse().ok()).collect()
}

/// A commit's date is its author's claim, for display only: an impossible one becomes the nearest possible, and what is
/// no number is the epoch, as git has it.
fn time(seconds: &str) -> Timestamp {
    let seconds = seconds.parse::<i128>().unwrap_or_default();
    let (first, last) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    let nearest = seconds.clamp(first.into(), last.into()).try_into().unwrap_or_default();
    Timestamp::from_second(nearest).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n";
    const BY: &str = "author A <a@b> 1 +0000\ncommitter B <b@c> 1800000000 -0930\n";

    fn read(text: &str) -> Option<Commit> {
        parse("1a6ffd3c1abfc78f8dcd8c03b9885af0c7f87767".parse().unwrap(), text.as_bytes())
    }

    #[test]
    fn a_commit_is_read_and_one_with_two_trees_is_not() {
        let parent = "parent 587be6b4c3f93f93c489c0111bba5596147a26cb\n";
        let commit = read(&format!("{TREE}{parent}{BY}gpgsig x\n y\n\ntitle\n\nbody\n")).unwrap();
        assert_eq!(commit.time.as_second(), 1_800_000_000);
        assert_eq!((commit.parents.len(), &*commit.message), (1, "title\n\nbody\n"));
        assert!(read(&format!("{TREE}{BY}\ntitle")).is_some());
        let odd = read(&format!("{TREE}author A <a@b> x\ncommitter B <b@c>\n\ntitle")).unwrap();
        assert_eq!(odd.time, Timestamp::UNIX_EPOCH);
        assert!(read(&format!("{TREE}{TREE}{BY}\ntitle")).is_none());
        assert!(read(&format!("{TREE}{BY}{BY}\ntitle")).is_none());
        assert!(read(&format!("{BY}\ntitle")).is_none());
    }
}
