use release::{CommitId, ObjectId};

use super::store::Store;
use crate::{Authorship, Draft, Kind, LedgerError, RepoPath, apply::within_limit};

const OPERATION: &str = "write a commit";

impl Store {
    /// Writes the draft's commit on top of `parent` into the store.
    pub(super) async fn write_commit(
        &self,
        parent: &CommitId,
        draft: &Draft,
        by: &Authorship,
    ) -> Result<CommitId, LedgerError> {
        let tree = self.write_tree(parent, draft).await?;
        let commit = by.commit(tree, *parent, &draft.message).await?;
        let id = self.local(OPERATION, &["hash-object", "-t", "commit", "-w", "--stdin"], &commit.bytes).await?;
        let is_ours = id.trim_ascii_end() == commit.id().to_string().as_bytes();
        if is_ours { Ok(commit.id().into()) } else { Err(LedgerError::Garbled { operation: OPERATION }) }
    }

    async fn write_tree(&self, parent: &CommitId, draft: &Draft) -> Result<ObjectId, LedgerError> {
        let paths: Vec<RepoPath> = draft.files.iter().map(|(path, _)| path.clone()).collect();
        let rows = self.rows(parent, &paths).await?;
        // git-fast-import(1): one process writes the blobs and the trees above them, and no index. Its commit is left.
        let by = Authorship::default().committer;
        let stream = format!("commit refs/ledger/draft\ncommitter {by} 0 +0000\ndata 0\nfrom {parent}\n");
        let mut stream = stream.into_bytes();
        for (path, bytes) in &draft.files {
            within_limit(path, bytes.len() as u64)?;
            let is_file = |folder: &RepoPath| rows.get(folder).is_some_and(|row| !row.is_folder());
            if let Some(path) = path.folders().find(is_file) {
                return Err(LedgerError::WrongKind { path, kind: Kind::File });
            }
            let mode = match rows.get(path) {
                None => "100644",
                Some(row) => {
                    row.file_mode().ok_or(LedgerError::WrongKind { path: path.clone(), kind: Kind::Folder })?
                }
            };
            stream.extend(format!("M {mode} inline {path}\ndata {}\n", bytes.len()).into_bytes());
            stream.extend_from_slice(bytes);
            stream.push(b'\n');
        }
        stream.extend(b"ls \"\"\n\ndone\n");
        let row = self.local(OPERATION, &["fast-import", "--quiet", "--done", "--force"], &stream).await?;
        let row = String::from_utf8_lossy(&row);
        let id = row.strip_prefix("040000 tree ").and_then(|rest| rest.trim_end().parse().ok());
        id.ok_or(LedgerError::Garbled { operation: OPERATION })
    }
}
