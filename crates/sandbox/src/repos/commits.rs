use std::io;

use serde_json::{Value, json};

use super::{
    Shared,
    reply::{Error, Reply, put},
    store::{Commit, Person},
};
use crate::query::Query;

/// How many refs are on a page.
const REFS: usize = 100;
/// How much of a message a list has.
const SHORT: usize = 200;

impl Shared {
    /// The refs whose names, after `refs/`, begin with the filter.
    pub(super) async fn refs(&self, query: &Query<'_>) -> io::Result<Reply> {
        let prefix = format!("refs/{}", query.get("filter").unwrap_or_default());
        let after = query.get("continuationToken").unwrap_or_default();
        let mut refs = self.store.refs().await?;
        if let Some((name, before)) = self.not_yet() {
            refs.iter_mut().filter(|(known, _)| *known == name).for_each(|(_, id)| id.clone_from(&before));
        }
        refs.retain(|(name, _)| name.starts_with(&prefix) && *name > after);
        let more = refs.len() > REFS;
        refs.truncate(REFS);
        let next = refs.last().filter(|_| more).map(|(name, _)| name.clone());
        let value: Vec<Value> = refs.iter().map(|(name, id)| json!({ "name": name, "objectId": id })).collect();
        Ok(Reply::list(&value).with_next(next))
    }

    /// A ref and where it was before the last push, if this read shall not see that yet.
    fn not_yet(&self) -> Option<(String, String)> {
        let mut state = self.state();
        state.stale_reads = state.stale_reads.checked_sub(1)?;
        state.before.clone()
    }

    /// A branch's commits, a hundred a page, newest first.
    pub(super) async fn commits(&self, query: &Query<'_>) -> io::Result<Reply> {
        let get = |name: &str| query.get(&format!("searchCriteria.{name}"));
        let number = |name, default: usize| get(name).map_or(Some(default), |text| text.parse().ok());
        let (Some(top), Some(skip)) = (number("$top", 100), number("$skip", 0)) else {
            return Ok(Error::Argument("searchCriteria").into());
        };
        let version = get("itemVersion.version").unwrap_or_default();
        let Some(tip) = self.store.tip(&format!("refs/heads/{version}")).await? else {
            return Ok(Error::NoVersion(self.version_of(&version)).into());
        };
        let path = get("itemPath").unwrap_or_default();
        let mut value = Vec::new();
        for id in self.store.log(&tip, path.trim_matches('/'), skip, top).await? {
            let Some(commit) = self.store.commit(&id).await? else { continue };
            let short: String = commit.message.chars().take(SHORT).collect();
            let mut listed = summary(&commit);
            if short.len() < commit.message.len() {
                put(&mut listed, "commentTruncated", true);
            }
            put(&mut listed, "comment", short);
            value.push(listed);
        }
        Ok(Reply::list(&value))
    }

    pub(super) async fn commit(&self, id: &str, query: &Query<'_>) -> io::Result<Reply> {
        let Some(commit) = self.store.commit(id).await? else { return Ok(Error::NoCommit(id.to_owned()).into()) };
        let top = query.get("changeCount").map_or(Some(0), |count| count.parse().ok());
        let Some(top) = top else { return Ok(Error::Argument("changeCount").into()) };
        let mut document = summary(&commit);
        put(&mut document, "comment", commit.message.clone());
        put(&mut document, "treeId", commit.tree.clone());
        put(&mut document, "parents", commit.parents.clone());
        put(&mut document, "changes", self.page_of(&commit, 0, top).await?);
        Ok(Reply::ok(document))
    }

    pub(super) async fn changes(&self, id: &str, query: &Query<'_>) -> io::Result<Reply> {
        let Some(commit) = self.store.commit(id).await? else { return Ok(Error::NoCommit(id.to_owned()).into()) };
        let number = |name, default: usize| query.get(name).map_or(Some(default), |text| text.parse().ok());
        let (Some(top), Some(skip)) = (number("top", 100), number("skip", 0)) else {
            return Ok(Error::Argument("top").into());
        };
        Ok(Reply::ok(json!({ "changes": self.page_of(&commit, skip, top).await? })))
    }

    /// A page of a commit's changes; the folders that they are in are changes too.
    async fn page_of(&self, commit: &Commit, skip: usize, top: usize) -> io::Result<Vec<Value>> {
        let files = self.store.changes(commit).await?;
        let folders = files.iter().filter_map(|(_, path)| path.rsplit_once('/')).map(|(folder, _)| folder.to_owned());
        let mut folders: Vec<String> = folders.collect();
        folders.dedup();
        let folder = |path: &String| json!({ "item": { "path": format!("/{path}"), "isFolder": true, "gitObjectType": "tree" }, "changeType": "edit" });
        let file = |(status, path): &(String, String)| {
            let kind = match status.as_str() {
                "A" => "add",
                "D" => "delete",
                _ => "edit",
            };
            json!({ "item": { "path": format!("/{path}"), "gitObjectType": "blob" }, "changeType": kind })
        };
        let all = folders.iter().map(folder).chain(files.iter().map(file));
        Ok(all.skip(skip).take(top).collect())
    }
}

fn summary(commit: &Commit) -> Value {
    let person =
        |person: &Person| json!({ "name": person.name, "email": person.email, "date": person.date.to_string() });
    json!({ "commitId": commit.id, "author": person(&commit.author), "committer": person(&commit.committer) })
}
