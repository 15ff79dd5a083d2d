use std::path::Path;

use release::{CommitId, ObjectId};
use tempfile::TempDir;

use super::{Settings, command::Git};
use crate::{LedgerError, LedgerUrl, Said};

/// A bare repository in a temporary folder, which goes when this does.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) git: Git,
    pub(super) url: LedgerUrl,
    folder: TempDir,
}

impl Store {
    pub(super) async fn create(url: &LedgerUrl, settings: &Settings) -> Result<Self, LedgerError> {
        let operation = "make a temporary store";
        let made = tempfile::Builder::new().prefix("conveyor-ledger-").tempdir();
        let folder = made.map_err(|source| LedgerError::Io { operation, source })?;
        let git = Git::new(folder.path(), url, settings)?;
        let store = Self { git, url: url.clone(), folder };
        let init = ["init", "--quiet", "--bare", "--template=", "--object-format=sha1"];
        store.local(operation, &init, b"").await?;
        Ok(store)
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command that touches only the store, and must succeed. Its output.
    pub(super) async fn local(
        &self,
        operation: &'static str,
        arguments: &[&str],
        stdin: &[u8],
    ) -> Result<Vec<u8>, LedgerError> {
        let output = self.git.run(operation, arguments, stdin).await?;
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(LedgerError::Git { operation, said: Said::new(&output.stderr) })
        }
    }

    /// Whether the store has a commit.
    pub(super) async fn has(&self, commit: &CommitId) -> Result<bool, LedgerError> {
        let found =
            self.git.run("look for a commit", &["cat-file", "-e", &format!("{commit}^{{commit}}")], b"").await?;
        Ok(found.status.success())
    }

    /// Objects of one kind, in the order asked for. All of them must be there.
    pub(super) async fn objects(&self, kind: &str, ids: &[ObjectId]) -> Result<Vec<Vec<u8>>, LedgerError> {
        let asked: Vec<(&str, String)> = ids.iter().map(|id| (kind, id.to_string())).collect();
        self.named(&asked).await
    }

    /// Objects by their kinds and names (gitrevisions(7)), in the order asked for. All of them must be there.
    pub(super) async fn named(&self, asked: &[(&str, String)]) -> Result<Vec<Vec<u8>>, LedgerError> {
        let operation = "read objects";
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let names: String = asked.iter().map(|(_, name)| format!("{name}\n")).collect();
        let answer = self.local(operation, &["cat-file", "--batch"], names.as_bytes()).await?;
        let mut rest = &*answer;
        let mut next = |kind: &str| {
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            let (head, after) = rest.split_at_checked(end)?;
            let (_id, kind_and_size) = std::str::from_utf8(head).ok()?.split_once(' ')?;
            let size = kind_and_size.strip_prefix(kind)?.strip_prefix(' ')?.parse().ok()?;
            let (body, after) = after.get(1..)?.split_at_checked(size)?;
            rest = after.strip_prefix(b"\n")?;
            Some(body.to_vec())
        };
        asked.iter().map(|(kind, _)| next(kind).ok_or(LedgerError::Garbled { operation })).collect()
    }
}
