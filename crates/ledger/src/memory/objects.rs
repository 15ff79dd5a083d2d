use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use release::{CommitId, ObjectId};

use crate::{
    Entry, Identity, LedgerError, RepoPath,
    objects::{
        Kind, Object, commit,
        tree::{self, Mode, Row},
    },
};

/// The blobs and trees of a commit, by path.
#[derive(Debug)]
pub(super) struct Tree {
    root: ObjectId,
    entries: BTreeMap<RepoPath, Entry>,
}

impl Tree {
    pub(super) fn of(files: &BTreeMap<RepoPath, Bytes>) -> Result<Self, LedgerError> {
        let mut root = Folder::default();
        for (path, bytes) in files {
            root.add(path.as_str(), id(Kind::Blob, bytes.clone())?);
        }
        let mut entries = BTreeMap::new();
        let root = root.write("", &mut entries)?;
        Ok(Self { root, entries })
    }

    pub(super) fn entry(&self, path: &RepoPath) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// The entries directly in a folder, sorted by path.
    pub(super) fn children(&self, folder: &RepoPath) -> Vec<Entry> {
        let inside = |entry: &&Entry| entry.path.folders().last().as_ref() == Some(folder);
        self.entries.values().filter(inside).cloned().collect()
    }

    /// The first of these paths that is a folder.
    pub(super) fn folder_among<'a>(&self, mut paths: impl Iterator<Item = &'a RepoPath>) -> Option<RepoPath> {
        paths.find(|path| self.entry(path).is_some_and(|entry| entry.is_folder)).cloned()
    }
}

/// The id that git gives such a commit by `Conveyor <conveyor@localhost>` without a signature.
pub(super) fn commit(
    tree: &Tree,
    parent: Option<CommitId>,
    time: Timestamp,
    message: &str,
) -> Result<CommitId, LedgerError> {
    let (by, seconds) = (Identity::default(), time.as_second().unsigned_abs());
    let bytes = commit::write(tree.root, parent.as_slice(), &by, &by, seconds, message, None);
    id(Kind::Commit, bytes.into()).map(CommitId::from)
}

#[derive(Default)]
struct Folder {
    files: BTreeMap<String, ObjectId>,
    folders: BTreeMap<String, Folder>,
}

impl Folder {
    fn add(&mut self, path: &str, blob: ObjectId) {
        match path.split_once('/') {
            Some((folder, rest)) => self.folders.entry(folder.to_owned()).or_default().add(rest, blob),
            None => drop(self.files.insert(path.to_owned(), blob)),
        }
    }

    /// Notes all that is inside under its path and returns the tree's id.
    fn write(&self, prefix: &str, entries: &mut BTreeMap<RepoPath, Entry>) -> Result<ObjectId, LedgerError> {
        let mut rows = Vec::new();
        for (name, id) in &self.files {
            rows.push(Row { mode: Mode::FILE, name: name.as_str().into(), id: *id });
        }
        for (name, folder) in &self.folders {
            let id = folder.write(&format!("{prefix}{name}/"), entries)?;
            rows.push(Row { mode: Mode::FOLDER, name: name.as_str().into(), id });
        }
        for Row { mode, name, id } in &rows {
            // What was put together from a path's segments is a path.
            if let Ok(path) = format!("{prefix}{name}").parse::<RepoPath>() {
                entries.insert(path.clone(), Entry { path, id: *id, is_folder: mode.is_folder() });
            }
        }
        id(Kind::Tree, tree::write(&rows).into())
    }
}

fn id(kind: Kind, bytes: Bytes) -> Result<ObjectId, LedgerError> {
    let object = Object::new(kind, bytes).map_err(|source| LedgerError::Object { source })?;
    Ok(object.id())
}
