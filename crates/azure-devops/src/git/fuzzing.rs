//! The bodies of the fuzz targets of this module's documents.

use ::http::StatusCode;
use ledger::Meta;
use serde_json::Value;

use super::{
    documents,
    server_error::{Kind, ServerError},
};

/// The first byte chooses the status. What an error means is in its key or its status, and what it says is one line.
pub(crate) fn a_push_error(bytes: &[u8]) {
    let Some((first, body)) = bytes.split_first() else { return };
    let status = [400, 403, 404, 409, 413].map(|status| StatusCode::from_u16(status).unwrap_or_default());
    let Some(status) = status.get(usize::from(*first) % status.len()) else { return };
    let error = ServerError::parse(*status, body);
    let said = error.said.to_string();
    assert!(said.len() <= 300 && said.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{said:?}");
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    let key = document.get("typeKey").and_then(Value::as_str);
    match error.kind {
        Kind::Other => assert_ne!(*status, StatusCode::FORBIDDEN),
        Kind::Permission if *status == StatusCode::FORBIDDEN => {}
        _ => assert!(key.is_some_and(|key| key.ends_with("Exception"))),
    }
}

/// An item has the id and path that stand in its document.
pub(crate) fn an_item(bytes: &[u8]) {
    let Ok(item) = documents::read("item", bytes, documents::item) else { return };
    let document: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let text = |name| document.get(name).and_then(Value::as_str);
    assert_eq!(text("objectId"), Some(item.id.to_string().as_str()));
    assert_eq!(text("path"), Some(item.path.as_str()));
    assert_eq!(text("content"), item.content.as_deref());
    let path = documents::repo_path(&item.path);
    assert!(path.is_none_or(|path| item.path == format!("/{path}") && !item.path.contains("/../")));
}

/// A commit's run is that of its message, and it has no more files than changes, a renamed one counting twice.
pub(crate) fn a_commit(bytes: &[u8]) {
    let Ok(told) = documents::read("commit", bytes, documents::commit) else { return };
    assert_eq!(told.meta.run, Meta::run_of(&told.meta.message));
    assert!(told.meta.changed.len() <= 2 * told.changes);
}
