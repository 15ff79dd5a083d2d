use std::io;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Shared,
    reply::{Error, Reply},
    store::{ZERO, is_id},
};

/// One file of a push.
struct Change {
    path: String,
    mode: String,
    bytes: Vec<u8>,
}

impl Shared {
    /// Commits on top of `oldObjectId` and moves the branch there. Where the branch is not there it is made, as the real
    /// server does.
    pub(super) async fn push(&self, push: &Value) -> io::Result<Reply> {
        let update = only(push, "refUpdates");
        let (Some(name), Some(old)) = (text(update, "name"), text(update, "oldObjectId")) else {
            return Ok(Error::Argument("refUpdates").into());
        };
        let commit = only(push, "commits");
        let (Some(comment), Some(changes)) =
            (text(commit, "comment"), commit.and_then(|commit| commit.get("changes")?.as_array()))
        else {
            return Ok(Error::Argument("commits").into());
        };
        if !name.starts_with("refs/heads/") || comment.is_empty() || changes.is_empty() {
            return Ok(Error::Argument("push").into());
        }
        let tip = self.store.tip(name).await?;
        if tip.as_deref().is_some_and(|tip| tip != old) {
            return Ok(Error::Stale(name.to_owned()).into());
        }
        if !self.store.has_commit(old).await? {
            return Ok(Error::NoCommit(old.to_owned()).into());
        }
        let mut files = Vec::new();
        for change in changes {
            match self.change(old, change).await? {
                Ok(file) => files.push(file),
                Err(error) => return Ok(error.into()),
            }
        }
        if let Some(error) = self.refused(name) {
            return Ok(error.into());
        }
        let side =
            format!("refs/sandbox/{}", std::iter::repeat_with(fastrand::alphanumeric).take(16).collect::<String>());
        let made = self.store.import(&stream(&side, old, comment, &files)).await?;
        let from = tip.as_deref().unwrap_or(ZERO);
        let moved = self.store.move_refs(&[(name, from, &made)]).await?;
        self.store.move_refs(&[(&side, &made, ZERO)]).await?;
        if !moved {
            return Ok(Error::Stale(name.to_owned()).into());
        }
        self.state().before = tip.clone().map(|tip| (name.to_owned(), tip));
        Ok(Reply::created(json!({
            "commits": [{ "commitId": made, "comment": comment }],
            "refUpdates": [{ "name": name, "oldObjectId": from, "newObjectId": made }],
            "pushId": 1,
        })))
    }

    /// Moves refs, and says of each what became of it; the answer is a 200 whatever that is.
    pub(super) async fn move_refs(&self, updates: &Value) -> io::Result<Reply> {
        let mut results = Vec::new();
        for update in updates.as_array().into_iter().flatten() {
            let part = |name| text(Some(update), name);
            let (Some(name), Some(old), Some(new)) = (part("name"), part("oldObjectId"), part("newObjectId")) else {
                return Ok(Error::Argument("refUpdates").into());
            };
            if !name.starts_with("refs/") || !is_id(old) || !is_id(new) {
                return Ok(Error::Argument("refUpdates").into());
            }
            let status = match self.refused(name) {
                Some(Error::Permission) => "writePermissionRequired",
                Some(_) => "rejectedByPolicy",
                None if self.store.move_refs(&[(name, old, new)]).await? => "succeeded",
                None => "staleOldObjectId",
            };
            results.push(json!({
                "name": name,
                "oldObjectId": old,
                "newObjectId": new,
                "success": status == "succeeded",
                "updateStatus": status,
            }));
        }
        Ok(Reply::list(&results))
    }

    fn refused(&self, name: &str) -> Option<Error> {
        let state = self.state();
        if state.read_only {
            return Some(Error::Permission);
        }
        state.protected.contains(name).then(|| Error::Policy(name.to_owned()))
    }

    /// A change, if it can be made on top of a commit.
    async fn change(&self, base: &str, change: &Value) -> io::Result<Result<Change, Error>> {
        let content = change.get("newContent");
        let path = text(change.get("item"), "path").and_then(|path| path.strip_prefix('/'));
        let bytes = text(content, "content").and_then(|encoded| match text(content, "contentType")? {
            "base64encoded" => BASE64_STANDARD.decode(encoded).ok(),
            "rawtext" => Some(encoded.as_bytes().to_vec()),
            _ => None,
        });
        let (Some(path), Some(bytes)) = (path, bytes) else { return Ok(Err(Error::Argument("changes"))) };
        if path.is_empty() || path.starts_with('"') || path.contains(char::is_control) {
            return Ok(Err(Error::Argument("path")));
        }
        for (end, _) in path.match_indices('/') {
            let folder = self.store.row(base, path.get(..end).unwrap_or_default()).await?;
            if folder.is_some_and(|folder| folder.kind != "tree") {
                return Ok(Err(Error::Argument("a file where a folder is")));
            }
        }
        let there = self.store.row(base, path).await?;
        let mode = match (text(Some(change), "changeType"), there) {
            (Some("add"), None) => "100644".to_owned(),
            (Some("edit"), Some(row)) if row.kind == "blob" => row.mode,
            _ => return Ok(Err(Error::Argument("changeType"))),
        };
        Ok(Ok(Change { path: path.to_owned(), mode, bytes }))
    }
}

/// A stream for `git fast-import` that makes one commit and prints its id.
fn stream(side: &str, parent: &str, message: &str, files: &[Change]) -> Vec<u8> {
    let now = Timestamp::now().as_second();
    let mut stream = format!(
        "commit {side}\nmark :1\ncommitter Forge <forge@sandbox.invalid> {now} +0000\ndata {}\n{message}\nfrom {parent}\n",
        message.len()
    )
    .into_bytes();
    for Change { path, mode, bytes } in files {
        stream.extend(format!("M {mode} inline {path}\ndata {}\n", bytes.len()).into_bytes());
        stream.extend(bytes);
        stream.push(b'\n');
    }
    stream.extend(b"get-mark :1\n");
    stream
}

/// The one element of a list.
fn only<'a>(document: &'a Value, name: &str) -> Option<&'a Value> {
    document.get(name)?.as_array().filter(|list| list.len() == 1)?.first()
}

fn text<'a>(document: Option<&'a Value>, name: &str) -> Option<&'a str> {
    document?.get(name)?.as_str()
}
