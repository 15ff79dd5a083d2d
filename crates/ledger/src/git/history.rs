use std::collections::BTreeSet;

use release::CommitId;

use super::{store::Store, transport::WHOLE};
use crate::{Branch, LedgerError, Meta, RepoPath, Unanswered};

const OPERATION: &str = "list commits";

/// How many commits are fetched at first, and next when those are too few.
const DEPTHS: [u32; 4] = [16, 256, 4096, WHOLE];

impl Store {
    /// The newest commits that changed a path.
    pub(super) async fn history(
        &self,
        branch: &Branch,
        path: &RepoPath,
        limit: usize,
    ) -> Result<Vec<Meta>, LedgerError> {
        let mut commits = Vec::new();
        for depth in DEPTHS {
            let tip = self.fetch_branch(branch, depth).await?.to_string();
            let cut = self.cut_off().await?;
            commits = self.rev_list(&[&tip, "--", path.as_str()]).await?;
            // Where history is cut off, a commit seems to have made every file that it has.
            commits.retain(|commit| !cut.contains(commit));
            commits.truncate(limit);
            if commits.len() == limit || cut.is_empty() {
                break;
            }
        }
        let mut metas = Vec::new();
        for (id, commit) in self.commits(&commits).await? {
            metas.push(self.meta(id, commit).await?);
        }
        Ok(metas)
    }

    /// One commit with what it changed.
    pub(super) async fn commit(&self, id: &CommitId) -> Result<Meta, LedgerError> {
        self.require(id).await?;
        let (id, commit) = self.commits(&[*id]).await?.pop().ok_or(LedgerError::Garbled { operation: OPERATION })?;
        if let Some(parent) = commit.parents.first() {
            self.require(parent).await?;
        }
        self.meta(id, commit).await
    }

    /// The commit of a push among those that the branch gained.
    pub(super) async fn landed(&self, branch: &Branch, push: &Unanswered) -> Result<Option<CommitId>, LedgerError> {
        let since = &push.expected;
        for depth in DEPTHS {
            let tip = self.fetch_branch(branch, depth).await?;
            if tip == *since {
                return Ok(None);
            }
            let (tip, not_before) = (tip.to_string(), format!("^{since}"));
            let knows_since = self.has(since).await?;
            let range = if knows_since { vec![&*tip, &not_before] } else { vec![&*tip] };
            let gained = self.rev_list(&[&*range, &["--"]].concat()).await?;
            for batch in gained.chunks(1000) {
                let found = self.find(batch, push).await?;
                if found.is_some() {
                    return Ok(found);
                }
            }
            // A merge may lead to `since` long before the rest of what came since.
            let cut = self.cut_off().await?;
            if gained.iter().all(|commit| !cut.contains(commit)) {
                break;
            }
        }
        Ok(None)
    }

    async fn rev_list(&self, arguments: &[&str]) -> Result<Vec<CommitId>, LedgerError> {
        let list = self.local(OPERATION, &[&["rev-list"], arguments].concat(), b"").await?;
        let list = String::from_utf8_lossy(&list);
        let ids = list.lines().map(|line| line.parse().map_err(|_| LedgerError::Garbled { operation: OPERATION }));
        ids.collect()
    }

    /// The commits whose parents were not fetched.
    async fn cut_off(&self) -> Result<BTreeSet<CommitId>, LedgerError> {
        match tokio::fs::read_to_string(self.path().join("shallow")).await {
            Ok(ids) => Ok(ids.lines().filter_map(|line| line.parse().ok()).collect()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeSet::new()),
            Err(source) => Err(LedgerError::Io { operation: OPERATION, source }),
        }
    }
}
