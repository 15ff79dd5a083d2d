use std::collections::{BTreeMap, BTreeSet, HashMap};

use guarded_http::HttpError;
use release::{CommitId, ObjectId};

use super::{Server, lock, talk::is_refused};
use crate::{
    Entry, Found, Kind, LedgerError, RepoPath, Said,
    apply::within_limit,
    objects::{
        self, Object,
        commit::{self, Commit},
        tree::{self, Row},
    },
    wire::{
        WireError,
        fetch::{Fetch, Filter},
    },
};

/// How many files are asked for at once by their ids: as many as at their limit fit into a pack.
const MOST_FILES: usize = 64;

/// How many folders are asked for at once.
pub(super) const MOST_TREES: usize = 512;

/// How many commits are fetched at first, and next when those are too few; at last all of them.
pub(super) const DEPTHS: [Option<u32>; 4] = [Some(16), Some(256), Some(4096), None];

/// Folders of a commit, each with all its rows.
#[derive(Debug)]
pub(super) struct Folders(pub(super) BTreeMap<Option<RepoPath>, Vec<Row>>);

impl Folders {
    /// The row of a path whose folder was looked up.
    pub(super) fn row(&self, path: &RepoPath) -> Option<&Row> {
        let name = path.as_str().rsplit('/').next()?;
        self.0.get(&path.folders().last())?.iter().find(|row| row.name == name)
    }
}

impl Server {
    /// Files and folders at a commit, in the order asked for.
    pub(super) async fn read_files(
        &self,
        at: &CommitId,
        paths: &[RepoPath],
    ) -> Result<Vec<Option<Found>>, LedgerError> {
        let folders = self.folders(at, paths).await?;
        let rows: Vec<Option<&Row>> = paths.iter().map(|path| folders.row(path)).collect();
        let files = rows.iter().flatten().filter(|row| !row.mode.is_folder()).map(|row| row.id).collect();
        let blobs = self.objects(at, files, None).await?;
        let found = |(path, row): (&RepoPath, Option<&Row>)| {
            let Some(row) = row else { return Ok(None) };
            let blob = blobs.get(&row.id).filter(|_| !row.mode.is_folder());
            if blob.is_some_and(|blob| blob.kind != objects::Kind::Blob) {
                return Err(MISPLACED.into());
            }
            let bytes = blob.map(|blob| blob.bytes.clone()).unwrap_or_default();
            within_limit(path, bytes.len() as u64)?;
            Ok(Some(Found { id: row.id, bytes }))
        };
        paths.iter().zip(rows).map(found).collect()
    }

    /// A folder's entries at a commit.
    pub(super) async fn list_folder(&self, at: &CommitId, folder: &RepoPath) -> Result<Vec<Entry>, LedgerError> {
        let folders = self.folders(at, std::slice::from_ref(folder)).await?;
        let Some(row) = folders.row(folder) else { return Ok(Vec::new()) };
        if !row.mode.is_folder() {
            return Err(LedgerError::WrongKind { path: folder.clone(), kind: Kind::File });
        }
        let rows = self.trees(at, [row.id].into(), Filter::Blobs).await?.remove(&row.id).unwrap_or_default();
        let path = |row: &Row| {
            let path = format!("{folder}/{}", row.name).parse::<RepoPath>();
            path.map_err(|_| LedgerError::OddName { folder: folder.clone(), name: Said::new(&row.name.to_string()) })
        };
        let rows: Vec<(RepoPath, Row)> =
            rows.into_iter().map(|row| Ok((path(&row)?, row))).collect::<Result<_, LedgerError>>()?;
        let entry = |(path, row): (RepoPath, Row)| match row.mode.oddity() {
            Some(kind) => Err(LedgerError::WrongKind { path, kind }),
            None => Ok(Entry { path, id: row.id, is_folder: row.mode.is_folder() }),
        };
        let mut entries: Vec<Entry> = rows.into_iter().map(entry).collect::<Result<_, _>>()?;
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    /// The root and the folders that paths lie in, as far as they are there. Each of the paths and of their folders is
    /// an ordinary file or a folder, or it is an error.
    pub(super) async fn folders(&self, at: &CommitId, paths: &[RepoPath]) -> Result<Folders, LedgerError> {
        let root = self.commit_at(at).await?.tree;
        let mut folders = Folders(BTreeMap::new());
        let mut level: Vec<(Option<RepoPath>, ObjectId)> = vec![(None, root)];
        let inner: BTreeSet<RepoPath> = paths.iter().flat_map(RepoPath::folders).collect();
        while !level.is_empty() {
            let trees = self.trees(at, level.iter().map(|(_, id)| *id).collect(), Filter::Blobs).await?;
            let known: BTreeSet<Option<RepoPath>> = level.iter().map(|(path, _)| path.clone()).collect();
            for (path, id) in level {
                folders.0.insert(path, trees.get(&id).cloned().unwrap_or_default());
            }
            let below = inner.iter().filter(|folder| known.contains(&folder.folders().last()));
            let rows = below.filter_map(|folder| Some((folder, folders.row(folder)?)));
            let inside = rows.filter(|(_, row)| row.mode.is_folder());
            level = inside.map(|(folder, row)| (Some(folder.clone()), row.id)).collect();
        }
        let mut asked = paths.iter().flat_map(|path| path.folders().chain([path.clone()]));
        match asked.find_map(|path| Some((folders.row(&path)?.mode.oddity()?, path))) {
            Some((kind, path)) => Err(LedgerError::WrongKind { path, kind }),
            None => Ok(folders),
        }
    }

    /// Trees that a commit consists of; what else is fetched with them, `filter` says.
    pub(super) async fn trees(
        &self,
        at: &CommitId,
        ids: BTreeSet<ObjectId>,
        filter: Filter,
    ) -> Result<HashMap<ObjectId, Vec<Row>>, LedgerError> {
        let parsed = |(id, object): (ObjectId, Object)| {
            if object.kind != objects::Kind::Tree {
                return Err(MISPLACED.into());
            }
            Ok((id, tree::parse(&object.bytes)?))
        };
        self.objects(at, ids, Some(filter)).await?.into_iter().map(parsed).collect()
    }

    /// Objects that a commit consists of; all of them, or it is an error.
    pub(super) async fn objects(
        &self,
        at: &CommitId,
        mut missing: BTreeSet<ObjectId>,
        filter: Option<Filter>,
    ) -> Result<HashMap<ObjectId, Object>, LedgerError> {
        let mut found: HashMap<ObjectId, Object> = HashMap::new();
        {
            let mut cache = lock(&self.cache);
            found.extend(missing.iter().filter_map(|id| Some((*id, cache.get(id)?))));
            missing.retain(|id| !found.contains_key(id));
        }
        let wanted: Vec<ObjectId> = missing.iter().copied().collect();
        let commit = [at.object()];
        for wants in wanted.chunks(if filter.is_some() { MOST_TREES } else { MOST_FILES }) {
            let fetched = if self.sends_by_id() {
                self.fetch(&Fetch { wants, filter, ..Fetch::default() }).await?
            } else {
                self.fetch(&Fetch { wants: &commit, depth: Some(1), ..Fetch::default() }).await?
            };
            for object in fetched {
                if missing.remove(&object.id()) {
                    found.insert(object.id(), object);
                }
            }
            if missing.is_empty() {
                return Ok(found);
            }
        }
        if missing.is_empty() { Ok(found) } else { Err(MISPLACED.into()) }
    }

    /// A commit, with its trees in reach.
    pub(super) async fn commit_at(&self, id: &CommitId) -> Result<Commit, LedgerError> {
        let cached = lock(&self.cache).get(&id.object());
        let object = match cached {
            Some(object) => object,
            None => self.fetch_commit(id).await?,
        };
        if object.kind != objects::Kind::Commit {
            return Err(LedgerError::NoCommit { commit: *id });
        }
        Ok(commit::parse(&object.bytes)?)
    }

    async fn fetch_commit(&self, id: &CommitId) -> Result<Object, LedgerError> {
        let wants = [id.object()];
        let cold = Fetch { wants: &wants, have: None, depth: Some(1), filter: Some(Filter::Blobs) };
        let have = lock(&self.cache).whole;
        let fetched = match have {
            // What is new since then is little, and new files are likely to be the ones wanted.
            Some(_) => match self.fetch(&Fetch { have, filter: None, ..cold }).await {
                Err(LedgerError::Pack { .. } | LedgerError::Http { source: HttpError::TooLarge { .. } }) => {
                    self.fetch(&cold).await
                }
                fetched => fetched,
            },
            None => self.fetch(&cold).await,
        };
        let fetched = match fetched {
            Err(error) if is_refused(&error) => self.fetch_heads(id).await?,
            fetched => fetched?,
        };
        let object = fetched.into_iter().find(|object| object.id() == id.object());
        let object = object.ok_or(LedgerError::NoCommit { commit: *id })?;
        lock(&self.cache).whole = Some(*id);
        Ok(object)
    }

    /// What leads to a commit that a server does not hand out by its id.
    async fn fetch_heads(&self, id: &CommitId) -> Result<Vec<Object>, LedgerError> {
        if self.sends_by_id() {
            return Ok(Vec::new());
        }
        let wants: Vec<ObjectId> = self.heads().await?.into_iter().map(CommitId::object).collect();
        if wants.is_empty() {
            return Ok(Vec::new());
        }
        let mut fetched = Vec::new();
        for depth in DEPTHS {
            fetched = self.fetch(&Fetch { wants: &wants, depth, ..Fetch::default() }).await?;
            if fetched.iter().any(|object| object.id() == id.object()) {
                break;
            }
        }
        Ok(fetched)
    }
}

/// A server that sends something else than what was asked for.
const MISPLACED: WireError = WireError::Malformed { expected: "of the objects that were asked for" };
