use std::collections::{BTreeMap, BTreeSet};

use gix::bstr::BString;
use release::{CommitId, ObjectId};

use super::{Server, connection::was_sent, lock, look::Folders};
use crate::{
    Branch, Draft, Kind, LedgerError, ObjectError, Push, Refusal, RepoPath, Said, Turn,
    apply::within_limit,
    objects::{
        self, Object, pack,
        tree::{self, Mode, Row},
    },
    settle::{Pushed, refusal},
    wire::{
        receive_pack::{self, Command},
        report_status::Report,
    },
};

/// A commit that the server does not have yet, and all that is new in it.
struct Made {
    commit: CommitId,
    objects: Vec<Object>,
}

impl Server {
    /// Commits a draft on top of `expected` and moves the branch there, or leaves the branch alone.
    pub(super) async fn push_draft(
        &self,
        branch: &Branch,
        expected: &CommitId,
        draft: &Draft,
    ) -> Result<Push, LedgerError> {
        let made = self.make(expected, draft).await?;
        self.push_made(branch, expected, &made).await
    }

    /// The same, and the turn's ref goes in the same transaction. Where that does not work the turn plays no part, and
    /// goes afterwards.
    pub(super) async fn push_draft_and_end(
        &self,
        turn: &Turn,
        expected: &CommitId,
        draft: &Draft,
    ) -> Result<Push, LedgerError> {
        let made = self.make(expected, draft).await?;
        let (branch, commit) = (&turn.branch, made.commit);
        let stands = lock(&self.turns).get(turn).copied();
        if let Some(stands) = stands {
            let pushed = Pushed { branch, expected: *expected, commit };
            let update = Command { name: branch.to_string(), from: Some(*expected), to: Some(commit) };
            let end = Command { name: turn.to_string(), from: Some(stands), to: None };
            let answer = self.send(&[update, end], &made).await;
            match answer {
                Ok(report) if report.is_taken(&branch.to_string()) => return Ok(self.ended(turn, &made)),
                Ok(_) => {}
                Err(LedgerError::Denied { .. }) => {}
                Err(error) if no(&error).is_some() => {}
                Err(error) if was_sent(&error) => return Err(pushed.in_doubt(error)),
                Err(error) => return Err(error),
            }
            match self.tip(branch).await.map_err(|source| pushed.in_doubt(source))? {
                None => return Err(LedgerError::NoBranch { branch: branch.clone() }),
                Some(tip) if tip == commit => return Ok(self.ended(turn, &made)),
                Some(tip) if tip != *expected => return Ok(Push::Stale),
                // Nobody has moved the branch, so it may have been about the turn.
                Some(_) => {}
            }
        }
        let push = self.push_made(branch, expected, &made).await?;
        if matches!(push, Push::Accepted(_)) {
            // What is left behind is found by who comes next, and expires.
            drop(self.end_turn(turn).await);
        }
        Ok(push)
    }

    fn ended(&self, turn: &Turn, made: &Made) -> Push {
        lock(&self.turns).remove(turn);
        self.accepted(made)
    }

    async fn push_made(&self, branch: &Branch, expected: &CommitId, made: &Made) -> Result<Push, LedgerError> {
        let pushed = Pushed { branch, expected: *expected, commit: made.commit };
        let name = branch.to_string();
        let update = Command { name: name.clone(), from: Some(*expected), to: Some(made.commit) };
        let refusal = match self.send(&[update], made).await {
            Ok(report) if report.is_taken(&name) => return Ok(self.accepted(made)),
            Ok(report) => refusal(report.reason(&name), &report.words),
            Err(denied @ LedgerError::Denied { .. }) => {
                let tip = self.tip(branch).await.map_err(|source| pushed.in_doubt(source))?;
                return pushed.settle_denied(denied, tip);
            }
            Err(error) => match no(&error) {
                Some(refusal) => Some(refusal),
                None if was_sent(&error) => return Err(pushed.in_doubt(error)),
                None => return Err(error),
            },
        };
        pushed.settle(refusal, || self.tip(branch)).await
    }

    async fn send(&self, commands: &[Command], made: &Made) -> Result<Report, LedgerError> {
        let pack = pack::write(&made.objects).map_err(|source| LedgerError::Pack { source })?;
        self.connection.receive_pack(receive_pack::request(commands, &pack)).await
    }

    /// What was pushed is what the next reader will want.
    fn accepted(&self, made: &Made) -> Push {
        let mut cache = lock(&self.cache);
        for object in &made.objects {
            cache.put(object.clone());
        }
        cache.whole = Some(made.commit);
        Push::Accepted(made.commit)
    }

    async fn make(&self, expected: &CommitId, draft: &Draft) -> Result<Made, LedgerError> {
        let paths: Vec<RepoPath> = draft.files.iter().map(|(path, _)| path.clone()).collect();
        let folders = self.folders(expected, &paths).await?;
        let (tree, mut objects) = written(&folders, draft)?;
        let commit = self.authorship.commit(tree, *expected, &draft.message).await?;
        let id = commit.id().into();
        objects.push(commit);
        Ok(Made { commit: id, objects })
    }
}

/// The root's tree once the draft's files are in it, and all blobs and trees that are new for that.
fn written(folders: &Folders, draft: &Draft) -> Result<(ObjectId, Vec<Object>), LedgerError> {
    let files: BTreeSet<&RepoPath> = draft.files.iter().map(|(path, _)| path).collect();
    let mut objects = Vec::new();
    let mut changed: BTreeMap<Option<RepoPath>, Vec<Row>> = BTreeMap::new();
    for (path, bytes) in &draft.files {
        within_limit(path, bytes.len() as u64)?;
        let is_file =
            |folder: &RepoPath| files.contains(folder) || folders.row(folder).is_some_and(|row| !row.mode.is_folder());
        if let Some(path) = path.folders().find(is_file) {
            return Err(LedgerError::WrongKind { path, kind: Kind::File });
        }
        let mode = folders.row(path).map_or(Mode::FILE, |row| row.mode);
        if mode.is_folder() {
            return Err(LedgerError::WrongKind { path: path.clone(), kind: Kind::Folder });
        }
        let blob = Object::new(objects::Kind::Blob, bytes.clone())?;
        set(changed.entry(path.folders().last()).or_default(), path, mode, blob.id());
        objects.push(blob);
    }
    // Inner folders first: each one's new id is a row of the one that it lies in.
    let touched: BTreeSet<RepoPath> = draft.files.iter().flat_map(|(path, _)| path.folders()).collect();
    for path in touched.iter().rev() {
        let tree = tree_of(Some(path), folders, &mut changed)?;
        set(changed.entry(path.folders().last()).or_default(), path, Mode::FOLDER, tree.id());
        objects.push(tree);
    }
    let root = tree_of(None, folders, &mut changed)?;
    let id = root.id();
    objects.push(root);
    Ok((id, objects))
}

/// A folder's tree with the rows that change in it.
fn tree_of(
    folder: Option<&RepoPath>,
    folders: &Folders,
    changed: &mut BTreeMap<Option<RepoPath>, Vec<Row>>,
) -> Result<Object, ObjectError> {
    let folder = folder.cloned();
    let new = changed.remove(&folder).unwrap_or_default();
    let mut rows = folders.0.get(&folder).cloned().unwrap_or_default();
    rows.retain(|old| new.iter().all(|row| row.name != old.name));
    rows.extend(new);
    Object::new(objects::Kind::Tree, tree::write(&rows).into())
}

fn set(rows: &mut Vec<Row>, path: &RepoPath, mode: Mode, id: ObjectId) {
    let name: BString = path.as_str().rsplit('/').next().unwrap_or_default().into();
    rows.retain(|row| row.name != name);
    rows.push(Row { mode, name, id });
}

/// What a server's status says by itself: that it did nothing, and would not next time.
fn no(error: &LedgerError) -> Option<Refusal> {
    let words = match error {
        LedgerError::NoRepository { said } => said.to_string(),
        LedgerError::Http { source } if source.status()?.is_client_error() && !source.is_retryable() => {
            source.to_string()
        }
        _ => return None,
    };
    Some(Refusal::Other(Said::new(&words).to_string()))
}
