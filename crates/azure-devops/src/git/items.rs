use bytes::Bytes;
use futures_util::future::try_join_all;
use guarded_http::{HttpError, Response};
use ledger::{Entry, FILE_LIMIT, Found, Kind, LedgerError, RepoPath, Said};
use release::{CommitId, ObjectId};

use super::{
    GitError, Repository,
    api::Failure,
    documents::{self, Item},
    places::Place,
    server_error,
};

/// The longest answer about one file: each of its bytes may be escaped in six.
const LONGEST_FILE: usize = 6 * FILE_LIMIT + LONGEST;
/// The longest answer about one thing.
const LONGEST: usize = 64 << 10;
/// The longest listing of a folder: some 80,000 entries.
const LONGEST_LIST: usize = 32 << 20;

impl Repository {
    pub(super) async fn read_files(
        &self,
        at: &CommitId,
        paths: &[RepoPath],
    ) -> Result<Vec<Option<Found>>, LedgerError> {
        try_join_all(paths.iter().map(|path| self.read_file(at, path))).await
    }

    async fn read_file(&self, at: &CommitId, path: &RepoPath) -> Result<Option<Found>, LedgerError> {
        let item = match self.item(at, path, true).await {
            Err(LedgerError::Http { source: HttpError::TooLarge { .. } }) => self.item(at, path, false).await?,
            item => item?,
        };
        let Some(item) = item else {
            self.nothing(at, path).await?;
            return Ok(None);
        };
        let place = place_of(path, &item)?;
        self.seen().places.note(at, path, place.clone());
        if place == Place::Folder {
            return Ok(Some(Found { id: item.id, bytes: Bytes::new() }));
        }
        self.file(path, item).await.map(Some)
    }

    /// A file's bytes. The server tells them as text, which it decodes as it thinks best: whether they are all there is
    /// seen by their id, and where they are not they are asked for as they are.
    async fn file(&self, path: &RepoPath, item: Item) -> Result<Found, LedgerError> {
        let told = item.content.map(|text| Found::file(text.into())).transpose()?;
        let found = match told.filter(|found| found.id == item.id) {
            Some(found) => found,
            None => self.blob(path, &item.id).await?,
        };
        if found.bytes.len() > FILE_LIMIT {
            return Err(LedgerError::TooLarge { path: path.clone(), bytes: found.bytes.len() as u64 });
        }
        if found.id == item.id { Ok(found) } else { Err(GitError::Mistaken { what: "file" }.into()) }
    }

    async fn blob(&self, path: &RepoPath, id: &ObjectId) -> Result<Found, LedgerError> {
        let resource = format!("blobs/{id}");
        match self.api.bytes(&resource, &[("$format", "octetStream")], FILE_LIMIT).await {
            Ok(bytes) => Found::file(bytes),
            Err(Failure::Unheard(LedgerError::Http { source: HttpError::TooLarge { .. } })) => {
                let told = self.api.get(&resource, &[("$format", "json")], LONGEST).await?;
                let bytes = documents::read("blob", told.bytes(), documents::size)?;
                Err(LedgerError::TooLarge { path: path.clone(), bytes })
            }
            Err(failure) => Err(failure.into()),
        }
    }

    pub(super) async fn list_folder(&self, at: &CommitId, folder: &RepoPath) -> Result<Vec<Entry>, LedgerError> {
        let scope = format!("/{folder}");
        let query = [("scopePath", scope.as_str()), ("recursionLevel", "OneLevel")];
        let Some(answer) = self.at_commit(at, &query, LONGEST_LIST).await? else {
            self.nothing(at, folder).await?;
            return Ok(Vec::new());
        };
        let mut entries = Vec::new();
        for item in documents::read("folder", answer.bytes(), documents::items)? {
            if item.path == scope {
                if place_of(folder, &item)? != Place::Folder {
                    return Err(LedgerError::WrongKind { path: folder.clone(), kind: Kind::File });
                }
                continue;
            }
            let path = documents::repo_path(&item.path).ok_or_else(|| {
                let name = item.path.rsplit('/').next().unwrap_or_default();
                LedgerError::OddName { folder: folder.clone(), name: Said::new(name) }
            })?;
            if path.folders().last().as_ref() != Some(folder) {
                return Err(GitError::Mistaken { what: "folder" }.into());
            }
            let is_folder = place_of(&path, &item)? == Place::Folder;
            entries.push(Entry { path, id: item.id, is_folder });
        }
        entries.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(entries)
    }

    /// What stands at a path, as it was seen or is looked up now.
    pub(super) async fn place(&self, at: &CommitId, path: &RepoPath) -> Result<Place, LedgerError> {
        match self.look(at, path).await? {
            Some(place) => Ok(place),
            None => self.nothing(at, path).await,
        }
    }

    /// Notes that nothing stands at a path, for want of which of its folders: the innermost that is there says so.
    async fn nothing(&self, at: &CommitId, path: &RepoPath) -> Result<Place, LedgerError> {
        let mut under = None;
        let folders: Vec<RepoPath> = path.folders().collect();
        for folder in folders.into_iter().rev() {
            match self.look(at, &folder).await? {
                None => continue,
                Some(Place::File) => under = Some(folder),
                Some(Place::Nothing { under: Some(file) }) => under = Some(file),
                Some(_) => {}
            }
            break;
        }
        let nothing = Place::Nothing { under };
        self.seen().places.note(at, path, nothing.clone());
        Ok(nothing)
    }

    /// What stands at a path; `None` where nothing does and it is not known why.
    async fn look(&self, at: &CommitId, path: &RepoPath) -> Result<Option<Place>, LedgerError> {
        let seen = self.seen().places.get(at, path);
        if seen.is_some() {
            return Ok(seen);
        }
        let Some(item) = self.item(at, path, false).await? else { return Ok(None) };
        let place = place_of(path, &item)?;
        self.seen().places.note(at, path, place.clone());
        Ok(Some(place))
    }

    async fn item(&self, at: &CommitId, path: &RepoPath, with_content: bool) -> Result<Option<Item>, LedgerError> {
        let full = format!("/{path}");
        let content = if with_content { "true" } else { "false" };
        let query = [("path", full.as_str()), ("includeContent", content)];
        let cap = if with_content { LONGEST_FILE } else { LONGEST };
        let Some(answer) = self.at_commit(at, &query, cap).await? else { return Ok(None) };
        let item = documents::read("item", answer.bytes(), documents::item)?;
        if item.path == full { Ok(Some(item)) } else { Err(GitError::Mistaken { what: "item" }.into()) }
    }

    /// What the server says of items at a commit; `None` where they are not there.
    async fn at_commit(
        &self,
        at: &CommitId,
        query: &[(&str, &str)],
        cap: usize,
    ) -> Result<Option<Response>, LedgerError> {
        let version = at.to_string();
        let mut query = query.to_vec();
        query.extend([
            ("versionDescriptor.version", version.as_str()),
            ("versionDescriptor.versionType", "commit"),
            ("$format", "json"),
        ]);
        match self.api.get("items", &query, cap).await {
            Ok(answer) => Ok(Some(answer)),
            Err(Failure::Server(error)) => match error.kind {
                server_error::Kind::NoItem => Ok(None),
                server_error::Kind::NoVersion => Err(LedgerError::NoCommit { commit: *at }),
                _ => Err(error.into()),
            },
            Err(failure) => Err(failure.into()),
        }
    }
}

/// What an item is to who reads or writes at its path.
fn place_of(path: &RepoPath, item: &Item) -> Result<Place, LedgerError> {
    match item.kind {
        Kind::File => Ok(Place::File),
        Kind::Folder => Ok(Place::Folder),
        kind => Err(LedgerError::WrongKind { path: path.clone(), kind }),
    }
}
