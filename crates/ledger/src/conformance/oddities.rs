//! What no push of ours can write, but a colleague's can: the part of the contract that needs a seeded repository.

use release::CommitId;

use super::{Breach, UNKNOWN, draft, ensure, got, path};
use crate::{Branch, FILE_LIMIT, Kind, LedgerError, Push, Remote, RepoPath};

/// A stream for `git fast-import` that commits to the branch what [`check_oddities`] looks at.
#[must_use]
pub fn oddities(branch: &Branch) -> Vec<u8> {
    let submodule = CommitId::from(release::ObjectId::from(UNKNOWN));
    let mut stream = format!(
        "commit {branch}\ncommitter Somebody <somebody@localhost> 1800000000 +0000\ndata 9\nOddities\n\
         from {branch}^0\n\
         M 120000 inline {ROOT}/link\ndata 9\nREADME.md\n\
         M 120000 inline {ROOT}/apps/out\ndata 5\n../..\n\
         M 160000 {submodule} {ROOT}/sub\n\
         M 100755 inline {ROOT}/modes/run\ndata 3\n#!\n\n\
         M 100644 inline \"{ROOT}/names/r\\303\\250gle.rego\"\ndata 5\ndeny\n\
         M 100644 inline {ROOT}/names/plain\ndata 5\ndeny\n\
         M 100644 inline {ROOT}/large\ndata {}\n",
        FILE_LIMIT + 1
    )
    .into_bytes();
    stream.resize(stream.len() + FILE_LIMIT + 1, b'x');
    stream.extend(b"\n\n");
    stream
}

/// Runs the clauses about symbolic links, submodules, modes, sizes and names on a branch that [`oddities`] was
/// committed to.
///
/// # Errors
/// The first [`Breach`].
pub async fn check_oddities(remote: &dyn Remote, branch: &Branch) -> Result<(), Breach> {
    let head = got(remote.head(branch).await, "the branch has a head")?;
    let odd = Oddities { remote, branch, head };
    odd.kinds().await?;
    odd.listings().await?;
    odd.sizes().await?;
    odd.modes().await
}

const ROOT: &str = "conformance-odd";

/// What `git write-tree` says of a folder that has only an executable file `run` of the bytes [`SCRIPT`].
const MODES_ID: &str = "6f2c44ec570e49318e3d2f293795575fcf8c1f01";
const SCRIPT: &str = "#!/bin/sh\n";

struct Oddities<'a> {
    remote: &'a dyn Remote,
    branch: &'a Branch,
    head: CommitId,
}

impl Oddities<'_> {
    async fn kinds(&self) -> Result<(), Breach> {
        let clause = "a symbolic link and a submodule are never read, followed or written over";
        for (name, wrong) in [
            ("link", Kind::SymbolicLink),
            ("link/x", Kind::SymbolicLink),
            ("apps/out/x", Kind::SymbolicLink),
            ("sub", Kind::Submodule),
            ("sub/x", Kind::Submodule),
        ] {
            let place = at(name, clause)?;
            let read = self.remote.read(&self.head, &[at("names/plain", clause)?, place.clone()]).await;
            let is_wrong = |error: &LedgerError| matches!(error, LedgerError::WrongKind { kind, .. } if *kind == wrong);
            ensure(read.as_ref().is_err_and(is_wrong), clause, &(name, &read))?;
            let push = self.remote.push(self.branch, &self.head, &draft(1, "odd", &[(place, "x".into())])).await;
            ensure(push.as_ref().is_err_and(is_wrong), clause, &(name, &push))?;
        }
        self.unmoved(clause).await
    }

    async fn listings(&self) -> Result<(), Breach> {
        let clause = "a folder with a symbolic link in it is not listed";
        let listed = self.remote.list(&self.head, &at("apps", clause)?).await;
        ensure(matches!(listed, Err(LedgerError::WrongKind { kind: Kind::SymbolicLink, .. })), clause, &listed)?;
        let clause = "an entry whose name cannot be written as a path is not left out of a listing, but an error";
        let names = at("names", clause)?;
        let listed = self.remote.list(&self.head, &names).await;
        ensure(matches!(&listed, Err(LedgerError::OddName { folder, .. }) if *folder == names), clause, &listed)
    }

    async fn sizes(&self) -> Result<(), Breach> {
        let clause = "a file above the limit is not read";
        let read = self.remote.read(&self.head, &[at("large", clause)?]).await;
        let size = FILE_LIMIT as u64 + 1;
        ensure(matches!(read, Err(LedgerError::TooLarge { bytes, .. }) if bytes == size), clause, &read)
    }

    async fn modes(&self) -> Result<(), Breach> {
        let clause = "a push keeps a file's mode";
        let draft = draft(2, "A new script", &[(at("modes/run", clause)?, SCRIPT.into())]);
        let push = self.remote.push(self.branch, &self.head, &draft).await;
        let Ok(Push::Accepted(commit)) = push else { return super::breach(clause, &push) };
        let found = got(self.remote.read(&commit, &[at("modes", clause)?]).await, clause)?;
        let id = found.first().and_then(|found| found.as_ref()).map(|folder| folder.id.to_string());
        ensure(id.as_deref() == Some(MODES_ID), clause, &found)
    }

    async fn unmoved(&self, clause: &'static str) -> Result<(), Breach> {
        let head = self.remote.head(self.branch).await;
        ensure(matches!(head, Ok(head) if head == self.head), clause, &head)
    }
}

fn at(name: &str, clause: &'static str) -> Result<RepoPath, Breach> {
    path(&format!("{ROOT}/{name}"), clause)
}
