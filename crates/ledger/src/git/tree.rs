use std::collections::BTreeMap;

use release::{CommitId, ObjectId};

use super::store::Store;
use crate::{
    Entry, Found, Kind, LedgerError, RepoPath, Said,
    apply::within_limit,
    objects::{commit, tree},
};

/// A row of a tree as `git ls-tree` prints it.
#[derive(Debug)]
pub(super) struct Row {
    mode: String,
    id: ObjectId,
    size: u64,
}

impl Row {
    pub(super) fn is_folder(&self) -> bool {
        self.mode == "040000"
    }

    /// The mode of an ordinary file, executable or not.
    pub(super) fn file_mode(&self) -> Option<&str> {
        matches!(&*self.mode, "100644" | "100755").then_some(&self.mode)
    }

    /// What it is, where it is neither an ordinary file nor a folder.
    pub(super) fn oddity(&self) -> Option<Kind> {
        match &*self.mode {
            "040000" | "100644" | "100755" => None,
            "120000" => Some(Kind::SymbolicLink),
            "160000" => Some(Kind::Submodule),
            _ => Some(Kind::Other),
        }
    }
}

impl Store {
    /// Files and folders at a commit, in the order asked for.
    pub(super) async fn read(&self, at: &CommitId, paths: &[RepoPath]) -> Result<Vec<Option<Found>>, LedgerError> {
        self.require(at).await?;
        let rows = self.rows(at, paths).await?;
        let found: Vec<Option<&Row>> = paths.iter().map(|path| rows.get(path)).collect();
        for (path, row) in paths.iter().zip(&found) {
            within_limit(path, row.map_or(0, |row| row.size))?;
        }
        let files: Vec<ObjectId> = found.iter().flatten().filter(|row| !row.is_folder()).map(|row| row.id).collect();
        let mut blobs = self.objects("blob", &files).await?.into_iter();
        let mut filled = |row: &Row| {
            let bytes = if row.is_folder() { Vec::new() } else { blobs.next().unwrap_or_default() };
            Found { id: row.id, bytes: bytes.into() }
        };
        Ok(found.into_iter().map(|row| row.map(&mut filled)).collect())
    }

    /// A folder's entries at a commit.
    pub(super) async fn list(&self, at: &CommitId, folder: &RepoPath) -> Result<Vec<Entry>, LedgerError> {
        self.require(at).await?;
        let rows = self.rows(at, std::slice::from_ref(folder)).await?;
        let Some(row) = rows.get(folder) else { return Ok(Vec::new()) };
        if !row.is_folder() {
            return Err(LedgerError::WrongKind { path: folder.clone(), kind: Kind::File });
        }
        let children = self.ls_tree(&row.id.to_string(), &[], Some(folder)).await?;
        let entry = |(path, row): (RepoPath, Row)| match row.oddity() {
            Some(kind) => Err(LedgerError::WrongKind { path, kind }),
            None => Ok(Entry { path, id: row.id, is_folder: row.is_folder() }),
        };
        children.into_iter().map(entry).collect()
    }

    /// The rows of paths that are there, and of the folders that they lie in. Each of them is an ordinary file or a
    /// folder, or it is an error.
    pub(super) async fn rows(&self, at: &CommitId, paths: &[RepoPath]) -> Result<BTreeMap<RepoPath, Row>, LedgerError> {
        if paths.is_empty() {
            return Ok(BTreeMap::new());
        }
        let asked: Vec<RepoPath> = paths.iter().flat_map(|path| path.folders().chain([path.clone()])).collect();
        let rows = self.ls_tree(&at.to_string(), &asked, None).await?;
        let odd = asked.iter().find_map(|path| Some((path, rows.get(path)?.oddity()?)));
        if let Some((path, kind)) = odd {
            return Err(LedgerError::WrongKind { path: path.clone(), kind });
        }
        let folders = rows.values().filter(|row| row.is_folder()).map(|row| row.id);
        self.require_canonical(at, folders).await?;
        Ok(rows)
    }

    /// Makes sure that the commit and these trees of it, besides its own, say the same to every program.
    async fn require_canonical(
        &self,
        at: &CommitId,
        folders: impl Iterator<Item = ObjectId>,
    ) -> Result<(), LedgerError> {
        let trees = folders.map(|id| ("tree", id.to_string()));
        let asked: Vec<_> =
            [("commit", at.to_string()), ("tree", format!("{at}^{{tree}}"))].into_iter().chain(trees).collect();
        let objects = self.named(&asked).await?;
        let judged = objects.iter().zip(&asked).try_for_each(|(bytes, (kind, _))| match *kind {
            "commit" => commit::parse(bytes).map(drop),
            _ => tree::parse(bytes).map(drop),
        });
        judged.map_err(|source| LedgerError::Object { source })
    }

    /// The rows of some paths of a tree, or of all of its own entries where it is the tree of `folder`.
    async fn ls_tree(
        &self,
        tree: &str,
        paths: &[RepoPath],
        folder: Option<&RepoPath>,
    ) -> Result<BTreeMap<RepoPath, Row>, LedgerError> {
        let operation = "list a tree";
        let garbled = || LedgerError::Garbled { operation };
        let mut arguments = vec!["ls-tree", "-z", "-t", "-l", "--full-tree", tree, "--"];
        arguments.extend(paths.iter().map(RepoPath::as_str));
        let listing = self.local(operation, &arguments, b"").await?;
        let listing = listing.strip_suffix(b"\0").unwrap_or(&listing);
        let mut rows = BTreeMap::new();
        for line in listing.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
            let line = String::from_utf8_lossy(line);
            let (row, name) = line.split_once('\t').ok_or_else(garbled)?;
            let row = parse_row(row).ok_or_else(garbled)?;
            let path = match folder {
                None => match name.parse() {
                    Ok(path) => path,
                    // A neighbour of what was asked for.
                    Err(_) => continue,
                },
                Some(folder) => format!("{folder}/{name}")
                    .parse()
                    .map_err(|_| LedgerError::OddName { folder: folder.clone(), name: Said::new(name) })?,
            };
            // A tree with two entries of one name is read differently by different programs.
            if rows.insert(path, row).is_some() {
                return Err(garbled());
            }
        }
        Ok(rows)
    }
}

/// `MODE TYPE ID SIZE`, where the size of all but blobs is `-`.
fn parse_row(text: &str) -> Option<Row> {
    let mut words = text.split_ascii_whitespace();
    let (mode, _kind, id, size) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let size = if size == "-" { 0 } else { size.parse().ok()? };
    Some(Row { mode: mode.to_owned(), id: id.parse().ok()?, size })
}
