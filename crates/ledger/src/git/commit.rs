use std::collections::BTreeSet;

use release::{CommitId, ObjectId};

use super::store::Store;
use crate::{
    LedgerError, Meta, RepoPath, Unanswered,
    objects::commit::{self, Commit},
    run_trailer,
};

impl Store {
    /// The commits' own bytes, parsed.
    pub(super) async fn commits(&self, ids: &[CommitId]) -> Result<Vec<(CommitId, Commit)>, LedgerError> {
        let objects: Vec<ObjectId> = ids.iter().map(|id| id.object()).collect();
        let bodies = self.objects("commit", &objects).await?;
        let parse = |body: &Vec<u8>| commit::parse(body).map_err(|source| LedgerError::Object { source });
        ids.iter().zip(&bodies).map(|(id, body)| Ok((*id, parse(body)?))).collect()
    }

    /// The push's commit among these.
    pub(super) async fn find(&self, ids: &[CommitId], push: &Unanswered) -> Result<Option<CommitId>, LedgerError> {
        let objects: Vec<ObjectId> = ids.iter().map(|id| id.object()).collect();
        let bodies = self.objects("commit", &objects).await?;
        let ours = |(id, body): (&CommitId, &Vec<u8>)| {
            // A colleague's commit may be as odd as it likes: it is not ours then.
            let commit = commit::parse(body).ok()?;
            push.is(id, &commit.parents, run_trailer::run_of(&commit.message)).then_some(*id)
        };
        Ok(ids.iter().zip(&bodies).find_map(ours))
    }

    /// A commit with the paths that it changed. Its first parent must be in the store.
    pub(super) async fn meta(&self, id: CommitId, commit: Commit) -> Result<Meta, LedgerError> {
        let name = id.to_string();
        let parent = commit.parents.first().map(CommitId::to_string);
        let mut arguments = vec!["diff-tree", "-r", "-z", "--no-commit-id", "--name-only", "--no-renames", "--root"];
        arguments.extend(parent.as_deref());
        arguments.push(&name);
        let names = self.local("compare two commits", &arguments, b"").await?;
        let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        let paths: BTreeSet<Option<RepoPath>> = names.map(|name| str::from_utf8(name).ok()?.parse().ok()).collect();
        let changed_others = paths.contains(&None);
        let changed = paths.into_iter().flatten().collect();
        let run = run_trailer::run_of(&commit.message);
        let Commit { parents, time, message, .. } = commit;
        Ok(Meta { id, parents, time, message, run, changed, changed_others })
    }
}
