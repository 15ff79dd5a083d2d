//! A [`Remote`] in memory, for tests and for the sandbox: as strict as a Git server, and with Git's own object ids.

mod objects;
mod pull_requests;
mod turns;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use release::CommitId;

use self::{objects::Tree, pull_requests::Open};
use crate::{
    Branch, Draft, Entry, Found, Kind, LedgerError, Meta, PullRequests, Push, Refusal, Remote, RepoPath, Turn, Turns,
    Unanswered, apply::within_limit, run_trailer,
};

/// A repository in memory. Clones share it, as clients share a server.
///
/// It has a clock of its own that ticks once a commit, so the same acts give the same commit ids.
#[derive(Debug, Clone, Default)]
pub struct Repository(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    commits: HashMap<CommitId, Commit>,
    branches: BTreeMap<Branch, CommitId>,
    protected: BTreeSet<Branch>,
    turns: BTreeSet<Turn>,
    refuses_turns: bool,
    pull_requests: Vec<Open>,
}

#[derive(Debug)]
struct Commit {
    meta: Meta,
    files: BTreeMap<RepoPath, Bytes>,
    tree: Tree,
}

impl Repository {
    /// A repository without a branch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Commits as somebody else would, past every lock: each file gets its bytes, or is removed where there are none.
    /// The branch is made where it is absent.
    ///
    /// # Errors
    /// A file where a folder is, or the other way round; a file that is too large.
    pub fn commit_files(
        &self,
        branch: &Branch,
        files: &[(RepoPath, Option<Bytes>)],
        message: &str,
    ) -> Result<CommitId, LedgerError> {
        let mut state = self.lock();
        let parent = state.branches.get(branch).copied();
        state.commit(branch, parent, files, message)
    }

    /// Forces the branch to a commit, as an administrator would.
    ///
    /// # Errors
    /// [`LedgerError::NoCommit`].
    pub fn rewind(&self, branch: &Branch, to: &CommitId) -> Result<(), LedgerError> {
        let mut state = self.lock();
        state.at(to)?;
        state.branches.insert(branch.clone(), *to);
        Ok(())
    }

    /// From now on the branch takes changes through pull requests only.
    pub fn protect(&self, branch: &Branch) {
        self.lock().protected.insert(branch.clone());
    }

    /// From now on nobody may take turns.
    pub fn refuse_turns(&self) {
        self.lock().refuses_turns = true;
    }

    /// The branch's commits, newest first; none where it is absent.
    #[must_use]
    pub fn log(&self, branch: &Branch) -> Vec<Meta> {
        let state = self.lock();
        state
            .branches
            .get(branch)
            .map(|head| state.ancestors(head).map(|commit| commit.meta.clone()).collect())
            .unwrap_or_default()
    }

    /// A file's bytes at a commit.
    #[must_use]
    pub fn file(&self, at: &CommitId, path: &RepoPath) -> Option<Bytes> {
        self.lock().commits.get(at)?.files.get(path).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn head(&self, branch: &Branch) -> Result<CommitId, LedgerError> {
        self.branches.get(branch).copied().ok_or_else(|| LedgerError::NoBranch { branch: branch.clone() })
    }

    fn at(&self, id: &CommitId) -> Result<&Commit, LedgerError> {
        self.commits.get(id).ok_or(LedgerError::NoCommit { commit: *id })
    }

    /// A commit and those before it, newest first.
    fn ancestors(&self, from: &CommitId) -> impl Iterator<Item = &Commit> {
        std::iter::successors(self.commits.get(from), |commit| self.commits.get(commit.meta.parents.first()?))
    }

    /// Commits a draft on top of a commit and makes that the branch's head.
    fn commit_draft(&mut self, branch: &Branch, parent: &CommitId, draft: &Draft) -> Result<CommitId, LedgerError> {
        let folder = self.at(parent)?.tree.folder_among(draft.files.iter().map(|(path, _)| path));
        if let Some(path) = folder {
            return Err(LedgerError::WrongKind { path, kind: Kind::Folder });
        }
        let files: Vec<_> = draft.files.iter().map(|(path, bytes)| (path.clone(), Some(bytes.clone()))).collect();
        self.commit(branch, Some(*parent), &files, &draft.message)
    }

    fn push(&mut self, branch: &Branch, expected: &CommitId, draft: &Draft) -> Result<Push, LedgerError> {
        self.at(expected)?;
        if self.head(branch)? != *expected {
            return Ok(Push::Stale);
        }
        if self.protected.contains(branch) {
            return Ok(Push::Refused(Refusal::BranchPolicy));
        }
        self.commit_draft(branch, expected, draft).map(Push::Accepted)
    }

    fn commit(
        &mut self,
        branch: &Branch,
        parent: Option<CommitId>,
        files: &[(RepoPath, Option<Bytes>)],
        message: &str,
    ) -> Result<CommitId, LedgerError> {
        let before =
            parent.and_then(|parent| self.commits.get(&parent)).map(|parent| parent.files.clone()).unwrap_or_default();
        let mut after = before.clone();
        for (path, bytes) in files {
            match bytes {
                Some(bytes) => {
                    within_limit(path, bytes.len() as u64)?;
                    after.insert(path.clone(), bytes.clone());
                }
                None => drop(after.remove(path)),
            }
        }
        for path in after.keys() {
            if let Some(folder) = path.folders().find(|folder| after.contains_key(folder)) {
                return Err(LedgerError::WrongKind { path: folder, kind: Kind::File });
            }
        }
        let tree = Tree::of(&after)?;
        let time = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(1_800_000_000 + self.commits.len() as i64);
        let id = objects::commit(&tree, parent, time, message)?;
        let changed = |path: &&RepoPath| before.get(*path) != after.get(*path);
        let meta = Meta {
            id,
            parents: parent.into_iter().collect(),
            time,
            message: message.to_owned(),
            run: run_trailer::run_of(message),
            changed: before.keys().chain(after.keys()).filter(changed).cloned().collect(),
            changed_others: false,
        };
        self.commits.insert(id, Commit { meta, files: after, tree });
        self.branches.insert(branch.clone(), id);
        Ok(id)
    }
}

#[async_trait]
impl Remote for Repository {
    async fn head(&self, branch: &Branch) -> Result<CommitId, LedgerError> {
        self.lock().head(branch)
    }

    async fn read(&self, at: &CommitId, paths: &[RepoPath]) -> Result<Vec<Option<Found>>, LedgerError> {
        let state = self.lock();
        let commit = state.at(at)?;
        let found = |path| {
            let bytes = commit.files.get(path).cloned().unwrap_or_default();
            commit.tree.entry(path).map(|entry| Found { id: entry.id, bytes })
        };
        Ok(paths.iter().map(found).collect())
    }

    async fn list(&self, at: &CommitId, folder: &RepoPath) -> Result<Vec<Entry>, LedgerError> {
        let state = self.lock();
        let commit = state.at(at)?;
        if commit.files.contains_key(folder) {
            return Err(LedgerError::WrongKind { path: folder.clone(), kind: Kind::File });
        }
        Ok(commit.tree.children(folder))
    }

    async fn history(&self, branch: &Branch, path: &RepoPath, limit: usize) -> Result<Vec<Meta>, LedgerError> {
        let state = self.lock();
        let head = state.head(branch)?;
        let touches = |meta: &&Meta| meta.changed.iter().any(|changed| changed.is_within(path));
        Ok(state.ancestors(&head).map(|commit| &commit.meta).filter(touches).take(limit).cloned().collect())
    }

    async fn commit(&self, id: &CommitId) -> Result<Meta, LedgerError> {
        Ok(self.lock().at(id)?.meta.clone())
    }

    async fn push(&self, branch: &Branch, expected: &CommitId, draft: &Draft) -> Result<Push, LedgerError> {
        self.lock().push(branch, expected, draft)
    }

    async fn landed(&self, branch: &Branch, push: &Unanswered) -> Result<Option<CommitId>, LedgerError> {
        let state = self.lock();
        let head = state.head(branch)?;
        let known: BTreeSet<CommitId> = state.ancestors(&push.expected).map(|commit| commit.meta.id).collect();
        let mut gained = state.ancestors(&head).map(|commit| &commit.meta).take_while(|meta| !known.contains(&meta.id));
        Ok(gained.find(|meta| push.is(&meta.id, &meta.parents, meta.run)).map(|meta| meta.id))
    }
    fn turns(&self) -> Option<&dyn Turns> {
        Some(self)
    }

    fn pull_requests(&self) -> Option<&dyn PullRequests> {
        Some(self)
    }
}
