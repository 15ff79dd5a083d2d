use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};

use gix::objs::TreeRefIter;
use jiff::Timestamp;
use release::{CommitId, ObjectId};

use super::{
    Server,
    look::{DEPTHS, MOST_TREES},
    talk::is_refused,
};
use crate::{
    Branch, LedgerError, Meta, RepoPath, Unanswered,
    objects::{
        self,
        commit::{self, Commit},
        tree::Row,
    },
    run_trailer,
    wire::fetch::{Fetch, Filter},
};

/// How many commits are looked into at first, before it is known whether they are enough.
const FEWEST: usize = 16;

/// How many bytes of trees are looked into at once, as far as can be told from the trees before.
const MOST_BYTES: usize = 32 << 20;

/// How many rows of trees may differ between two commits, and how many are compared for that. A tree that has another
/// one ten times, and so on, is small and holds more files than there is memory for.
const MOST_DIFFERING: usize = 100_000;
const MOST_COMPARED: usize = 4_000_000;

/// Whether more of a commit is wanted than what it says itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looked {
    At,
    Into,
}

/// Commits that were fetched, as deep as history was asked for.
#[derive(Debug, Default)]
struct Commits(HashMap<CommitId, Commit>);

impl Commits {
    fn has_all(&self, ids: &[CommitId]) -> bool {
        ids.iter().all(|id| self.0.contains_key(id))
    }

    /// All that a commit comes from, and itself, newest first; and whether nothing is cut off.
    fn reachable(&self, from: CommitId) -> (Vec<CommitId>, bool) {
        let mut walk = Walk::default();
        walk.push(self, from);
        let (mut order, mut is_whole) = (Vec::new(), true);
        while let Some(id) = walk.pop() {
            match self.0.get(&id) {
                Some(commit) => {
                    order.push(id);
                    for parent in &commit.parents {
                        walk.push(self, *parent);
                    }
                }
                None => is_whole = false,
            }
        }
        (order, is_whole)
    }
}

/// Commits to look at, the newest of them next, each once.
#[derive(Debug, Default)]
struct Walk {
    next: BinaryHeap<(Timestamp, CommitId)>,
    seen: HashSet<CommitId>,
}

impl Walk {
    fn push(&mut self, commits: &Commits, id: CommitId) {
        if self.seen.insert(id) {
            self.next.push((commits.0.get(&id).map_or(Timestamp::MIN, |commit| commit.time), id));
        }
    }

    fn pop(&mut self) -> Option<CommitId> {
        self.next.pop().map(|(_, id)| id)
    }
}

impl Server {
    /// The newest commits that changed a path.
    pub(super) async fn history_of(
        &self,
        branch: &Branch,
        path: &RepoPath,
        limit: usize,
    ) -> Result<Vec<Meta>, LedgerError> {
        let mut found = Vec::new();
        for depth in DEPTHS {
            let (tip, commits) = self.newest(branch, depth, Looked::Into).await?;
            let is_whole;
            (found, is_whole) = self.changes_of(&commits, tip, path, limit).await?;
            if found.len() == limit || is_whole {
                break;
            }
        }
        self.metas(found).await
    }

    /// One commit with what it changed.
    pub(super) async fn one_commit(&self, id: &CommitId) -> Result<Meta, LedgerError> {
        let wants = [id.object()];
        let fetch = Fetch { wants: &wants, depth: Some(2), filter: Some(Filter::Blobs), ..Fetch::default() };
        match self.fetch(&fetch).await {
            Err(error) if !is_refused(&error) => return Err(error),
            _ => {}
        }
        let commit = self.commit_at(id).await?;
        let before = match commit.parents.first() {
            Some(parent) => Some(self.commit_at(parent).await?.tree),
            None => None,
        };
        let meta = self.metas(vec![(*id, commit, before)]).await?.pop();
        meta.ok_or(LedgerError::NoCommit { commit: *id })
    }

    /// The commit of a push among those that the branch gained.
    pub(super) async fn find_landed(
        &self,
        branch: &Branch,
        push: &Unanswered,
    ) -> Result<Option<CommitId>, LedgerError> {
        for depth in DEPTHS {
            let (_, commits) = self.newest(branch, depth, Looked::At).await?;
            let older: HashSet<CommitId> = commits.reachable(push.expected).0.into_iter().collect();
            let is_ours =
                |id: &CommitId, commit: &Commit| push.is(id, &commit.parents, run_trailer::run_of(&commit.message));
            let gained = || commits.0.iter().filter(|(id, _)| !older.contains(*id));
            if let Some((found, _)) = gained().find(|(id, commit)| is_ours(id, commit)) {
                return Ok(Some(*found));
            }
            // A merge may lead to `expected` long before the rest of what came since.
            if gained().all(|(_, commit)| commits.has_all(&commit.parents)) {
                break;
            }
        }
        Ok(None)
    }

    /// A branch's head and its newest commits.
    async fn newest(
        &self,
        branch: &Branch,
        depth: Option<u32>,
        looked: Looked,
    ) -> Result<(CommitId, Commits), LedgerError> {
        let tip = self.tip(branch).await?.ok_or_else(|| LedgerError::NoBranch { branch: branch.clone() })?;
        // Trees that cannot be had later must come with their commits.
        let without_trees = looked == Looked::At || self.sends_by_id();
        let filter = without_trees.then_some(Filter::Trees);
        let fetch = Fetch { wants: &[tip.object()], depth, filter, have: None };
        let objects = self.fetch(&fetch).await?;
        let commits = objects.iter().filter(|object| object.kind == objects::Kind::Commit);
        // A colleague's commit may be as odd as it likes: it is cut off there.
        let parsed = commits.filter_map(|object| Some((object.id().into(), commit::parse(&object.bytes).ok()?)));
        Ok((tip, Commits(parsed.collect())))
    }

    /// The newest commits that changed a path, as git-log(1) simplifies history: of a merge that has the path as one of
    /// its parents has it, only that parent counts. And whether these are all.
    async fn changes_of(
        &self,
        commits: &Commits,
        tip: CommitId,
        path: &RepoPath,
        limit: usize,
    ) -> Result<(Vec<(CommitId, Commit, Option<ObjectId>)>, bool), LedgerError> {
        let (order, mut is_whole) = commits.reachable(tip);
        let mut places = Places { path, commits, order, held: HashMap::new(), at_once: FEWEST };
        let mut walk = Walk::default();
        walk.push(commits, tip);
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(id) = walk.pop()
        {
            let Some(commit) = commits.0.get(&id) else { continue };
            if !commits.has_all(&commit.parents) {
                // Where history is cut off, a commit seems to have made every file that it has.
                is_whole = false;
                continue;
            }
            let held = places.held_by(self, &id).await?;
            let mut same = None;
            for parent in &commit.parents {
                if same.is_none() && places.held_by(self, parent).await? == held {
                    same = Some(*parent);
                }
            }
            let changed = if commit.parents.is_empty() { held.is_some() } else { same.is_none() };
            if changed {
                let before = commit.parents.first().and_then(|parent| Some(commits.0.get(parent)?.tree));
                found.push((id, commit.clone(), before));
            }
            for parent in same.map_or_else(|| commit.parents.clone(), |parent| vec![parent]) {
                walk.push(commits, parent);
            }
        }
        Ok((found, is_whole))
    }

    /// What a path is in some trees, nothing where it is absent; and the size of the largest tree on the way.
    async fn held_in(
        &self,
        at: &CommitId,
        roots: &BTreeSet<ObjectId>,
        path: &RepoPath,
    ) -> Result<(HashMap<ObjectId, Option<ObjectId>>, usize), LedgerError> {
        let mut now: HashMap<ObjectId, Option<ObjectId>> = roots.iter().map(|root| (*root, Some(*root))).collect();
        let mut largest = 1;
        let mut names = path.as_str().split('/').peekable();
        while let Some(name) = names.next() {
            let ids: BTreeSet<ObjectId> = now.values().flatten().copied().collect();
            let trees = self.objects(at, ids, Some(Filter::Trees)).await?;
            largest = trees.values().map(|tree| tree.bytes.len()).fold(largest, usize::max);
            let is_last = names.peek().is_none();
            // Many trees are looked into for one row each, to show it: nothing is written on them.
            let find = |tree: ObjectId| {
                let rows = TreeRefIter::from_bytes(&trees.get(&tree)?.bytes, gix::hash::Kind::Sha1);
                let row = rows.map_while(Result::ok).find(|row| row.filename == name)?;
                let id: [u8; 20] = row.oid.as_bytes().try_into().ok()?;
                (is_last || row.mode.is_tree()).then_some(ObjectId::from(id))
            };
            let found: HashMap<ObjectId, Option<ObjectId>> = trees.keys().map(|tree| (*tree, find(*tree))).collect();
            now.values_mut().for_each(|held| *held = held.and_then(|tree| found.get(&tree).copied().flatten()));
        }
        Ok((now, largest))
    }

    /// Commits with the files that differ from a tree, that of their first parent.
    async fn metas(&self, commits: Vec<(CommitId, Commit, Option<ObjectId>)>) -> Result<Vec<Meta>, LedgerError> {
        let mut metas = Vec::new();
        for (id, Commit { tree, parents, time, message }, before) in commits {
            let (changed, changed_others) = self.changed(&id, before, tree).await?;
            let run = run_trailer::run_of(&message);
            metas.push(Meta { id, parents, time, message, run, changed, changed_others });
        }
        Ok(metas)
    }

    /// The files that differ between two trees, of those that have a path, and whether something without one does.
    async fn changed(
        &self,
        at: &CommitId,
        before: Option<ObjectId>,
        after: ObjectId,
    ) -> Result<(BTreeSet<RepoPath>, bool), LedgerError> {
        let (mut changed, mut others) = (BTreeSet::new(), false);
        let mut level = vec![(None, before, Some(after))];
        let (mut differing, mut compared) = (0, 0);
        while !level.is_empty() {
            let ids = level.iter().flat_map(|(_, before, after)| [*before, *after]).flatten().collect();
            let trees = self.trees(at, ids, Filter::Trees).await?;
            let mut below = Vec::new();
            for (folder, before, after) in level {
                let rows =
                    |id: Option<ObjectId>| id.and_then(|id| trees.get(&id)).map(Vec::as_slice).unwrap_or_default();
                let (before, after) = (rows(before), rows(after));
                let pairs = pairs(before, after);
                differing += pairs.len();
                compared += before.len() + after.len();
                if differing > MOST_DIFFERING || compared > MOST_COMPARED {
                    return Err(LedgerError::ManyChanges { commit: *at });
                }
                // A few trees may be many folders, all of them at hand: nothing else gives deadlines a chance.
                tokio::task::yield_now().await;
                for (name, [before, after]) in pairs {
                    let Some(path) = child(folder.as_ref(), &name) else {
                        others = true;
                        continue;
                    };
                    let is_folder = |row: &Option<&Row>| row.is_some_and(|row| row.mode.is_folder());
                    if [before, after].iter().any(|row| row.is_some() && !is_folder(row)) {
                        changed.insert(path.clone());
                    }
                    let [before, after] = [before, after].map(|row| row.filter(|row| row.mode.is_folder()));
                    if before.is_some() || after.is_some() {
                        below.push((Some(path), before.map(|row| row.id), after.map(|row| row.id)));
                    }
                }
            }
            level = below;
        }
        Ok((changed, others))
    }
}

/// The rows that differ, by name.
fn pairs<'a>(before: &'a [Row], after: &'a [Row]) -> BTreeMap<String, [Option<&'a Row>; 2]> {
    let mut pairs: BTreeMap<String, [Option<&Row>; 2]> = BTreeMap::new();
    for row in before {
        pairs.entry(row.name.to_string()).or_default()[0] = Some(row);
    }
    for row in after {
        pairs.entry(row.name.to_string()).or_default()[1] = Some(row);
    }
    pairs.retain(|_, [before, after]| before != after);
    pairs
}

fn child(folder: Option<&RepoPath>, name: &str) -> Option<RepoPath> {
    folder.map_or_else(|| name.to_owned(), |folder| format!("{folder}/{name}")).parse().ok()
}

/// What a path is in each of some commits, looked up for many of them at once.
struct Places<'a> {
    path: &'a RepoPath,
    commits: &'a Commits,
    /// Newest first: who is asked for next is likely to be next here.
    order: Vec<CommitId>,
    held: HashMap<CommitId, Option<ObjectId>>,
    at_once: usize,
}

impl Places<'_> {
    async fn held_by(&mut self, server: &Server, id: &CommitId) -> Result<Option<ObjectId>, LedgerError> {
        if let Some(held) = self.held.get(id) {
            return Ok(*held);
        }
        let place = self.order.iter().position(|other| other == id).unwrap_or_default();
        let unknown = self.order.iter().skip(place).filter(|id| !self.held.contains_key(id));
        let next: Vec<CommitId> = unknown.take(self.at_once).copied().collect();
        let tree = |id: &CommitId| self.commits.0.get(id).map(|commit| commit.tree);
        let roots = next.iter().filter_map(tree).collect();
        let (held, largest) = server.held_in(id, &roots, self.path).await?;
        let entries: Vec<_> = next.iter().filter_map(|id| Some((*id, *held.get(&tree(id)?)?))).collect();
        self.held.extend(entries);
        self.at_once = (self.at_once * 2).min(MOST_BYTES / largest).clamp(1, MOST_TREES);
        Ok(self.held.get(id).copied().flatten())
    }
}
