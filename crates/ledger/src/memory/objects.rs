use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use release::{CommitId, ObjectId};
use sha1::{Digest as _, Sha1};

use crate::{Entry, RepoPath};

/// The blobs and trees of a commit, by path.
#[derive(Debug)]
pub(super) struct Tree {
    root: ObjectId,
    entries: BTreeMap<RepoPath, Entry>,
}

impl Tree {
    pub(super) fn of(files: &BTreeMap<RepoPath, Bytes>) -> Self {
        let mut root = Folder::default();
        for (path, bytes) in files {
            root.add(path.as_str(), bytes);
        }
        let mut entries = BTreeMap::new();
        let root = ObjectId::from(root.write("", &mut entries));
        Self { root, entries }
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

/// The id that git gives such a commit by [`IDENTITY`] without a signature.
pub(super) fn commit(tree: &Tree, parent: Option<CommitId>, time: Timestamp, message: &str) -> CommitId {
    let parent = parent.map(|parent| format!("parent {parent}\n")).unwrap_or_default();
    let by = format!("{IDENTITY} {} +0000", time.as_second());
    let body = format!("tree {}\n{parent}author {by}\ncommitter {by}\n\n{message}", tree.root);
    ObjectId::from(hash("commit", body.as_bytes())).into()
}

const IDENTITY: &str = "Conveyor <conveyor@localhost>";

#[derive(Default)]
struct Folder {
    files: BTreeMap<String, [u8; 20]>,
    folders: BTreeMap<String, Folder>,
}

impl Folder {
    fn add(&mut self, path: &str, bytes: &[u8]) {
        match path.split_once('/') {
            Some((folder, rest)) => self.folders.entry(folder.to_owned()).or_default().add(rest, bytes),
            None => drop(self.files.insert(path.to_owned(), hash("blob", bytes))),
        }
    }

    /// Notes all that is inside under its path and returns the tree's id.
    fn write(&self, prefix: &str, entries: &mut BTreeMap<RepoPath, Entry>) -> [u8; 20] {
        // Git sorts a folder as if its name ended in a slash.
        let mut rows = BTreeMap::new();
        for (name, id) in &self.files {
            note(entries, &format!("{prefix}{name}"), *id, false);
            rows.insert(name.clone(), (format!("100644 {name}\0"), *id));
        }
        for (name, folder) in &self.folders {
            let id = folder.write(&format!("{prefix}{name}/"), entries);
            note(entries, &format!("{prefix}{name}"), id, true);
            rows.insert(format!("{name}/"), (format!("40000 {name}\0"), id));
        }
        let rows: Vec<u8> = rows.into_values().flat_map(|(row, id)| [row.into_bytes(), id.to_vec()].concat()).collect();
        hash("tree", &rows)
    }
}

fn note(entries: &mut BTreeMap<RepoPath, Entry>, path: &str, id: [u8; 20], is_folder: bool) {
    // What was put together from a path's segments is a path.
    if let Ok(path) = path.parse::<RepoPath>() {
        entries.insert(path.clone(), Entry { path, id: id.into(), is_folder });
    }
}

fn hash(kind: &str, body: &[u8]) -> [u8; 20] {
    let mut hasher = Sha1::new();
    hasher.update(format!("{kind} {}\0", body.len()));
    hasher.update(body);
    hasher.finalize().into()
}
