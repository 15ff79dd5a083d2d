use std::time::{SystemTime, UNIX_EPOCH};

use release::CommitId;

use super::{Identity, store::Store};
use crate::{Draft, Kind, LedgerError, RepoPath, apply::within_limit};

const OPERATION: &str = "write a commit";

impl Store {
    /// Writes the draft's commit on top of `parent` into the store.
    pub(super) async fn import(
        &self,
        parent: &CommitId,
        draft: &Draft,
        by: &Identity,
    ) -> Result<CommitId, LedgerError> {
        let paths: Vec<RepoPath> = draft.files.iter().map(|(path, _)| path.clone()).collect();
        let rows = self.rows(parent, &paths).await?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        // git-fast-import(1): one process writes the blobs, the trees above them and the commit, and no index.
        let mut stream =
            format!("commit refs/ledger/draft\nmark :1\nauthor {by} {now} +0000\ncommitter {by} {now} +0000\n");
        stream += &format!("data {}\n{}\nfrom {parent}\n", draft.message.len(), draft.message);
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
        stream.extend(b"\nget-mark :1\ndone\n");
        let mark = self.local(OPERATION, &["fast-import", "--quiet", "--done", "--force"], &stream).await?;
        let id = std::str::from_utf8(&mark).ok().and_then(|id| id.trim_end().parse().ok());
        id.ok_or(LedgerError::Garbled { operation: OPERATION })
    }
}
