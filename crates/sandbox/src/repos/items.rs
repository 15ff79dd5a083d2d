use std::io;

use serde_json::{Value, json};

use super::{
    Shared,
    reply::{Error, Reply, put},
    store::{Row, is_id},
};
use crate::query::Query;

/// How the server marks the text of a file, which it does not tell.
const BYTE_ORDER_MARK: char = '\u{feff}';

impl Shared {
    /// One item, or with `scopePath` and `recursionLevel=OneLevel` a folder and what is in it.
    pub(super) async fn items(&self, query: &Query<'_>) -> io::Result<Reply> {
        let version = query.get("versionDescriptor.version").unwrap_or_default();
        let kind = query.get("versionDescriptor.versionType").unwrap_or_else(|| "branch".to_owned());
        let commit = match kind.as_str() {
            "branch" => self.store.tip(&format!("refs/heads/{version}")).await?,
            "commit" if self.store.has_commit(&version).await? => Some(version.clone()),
            "commit" => None,
            _ => return Ok(Error::Argument("versionType").into()),
        };
        let Some(commit) = commit else { return Ok(Error::NoVersion(self.version_of(&version)).into()) };
        let (path, scope) = (query.get("path"), query.get("scopePath"));
        let Some(full) = path.as_deref().or(scope.as_deref()) else { return Ok(Error::Argument("path").into()) };
        let wanted = full.trim_matches('/');
        let Some(row) = self.store.row(&commit, wanted).await? else {
            return Ok(Error::NoItem(full.to_owned()).into());
        };
        if path.is_some() {
            let mut document = item(&commit, &row);
            if row.kind == "blob" && query.get("includeContent").as_deref() == Some("true") {
                let bytes = self.store.blob(&row.id).await?.unwrap_or_default();
                let text = String::from_utf8_lossy(&bytes);
                put(&mut document, "content", text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text));
            }
            return Ok(Reply::ok(document));
        }
        let mut all = vec![item(&commit, &row)];
        if row.kind == "tree" && query.get("recursionLevel").as_deref() == Some("OneLevel") {
            all.extend(self.store.children(&commit, wanted).await?.iter().map(|row| item(&commit, row)));
        }
        Ok(Reply::list(&all))
    }

    pub(super) async fn blob(&self, id: &str, query: &Query<'_>) -> io::Result<Reply> {
        let bytes = if is_id(id) { self.store.blob(id).await? } else { None };
        let Some(bytes) = bytes else { return Ok(Error::NoCommit(id.to_owned()).into()) };
        Ok(match query.get("$format").as_deref() {
            Some("octetStream") => Reply::Bytes(bytes.into()),
            _ => Reply::ok(json!({ "objectId": id, "size": bytes.len() })),
        })
    }
}

/// `GitItem`: what is false is left out.
fn item(commit: &str, row: &Row) -> Value {
    let mut item = json!({
        "objectId": row.id,
        "gitObjectType": row.kind,
        "commitId": commit,
        "path": format!("/{}", row.path),
    });
    if row.kind == "tree" {
        put(&mut item, "isFolder", true);
    }
    if row.mode == "120000" {
        put(&mut item, "isSymLink", true);
    }
    item
}
