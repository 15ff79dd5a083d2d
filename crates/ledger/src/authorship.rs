use std::time::{SystemTime, UNIX_EPOCH};

use release::{CommitId, ObjectId};

use crate::{
    Identity, LedgerError, Signer,
    objects::{Kind, Object, commit},
};

/// Who commits are by, and who vouches for them.
#[derive(Debug, Clone, Default)]
pub struct Authorship {
    /// Who writes the change.
    pub author: Identity,
    /// Who commits it.
    pub committer: Identity,
    /// Who signs it, if anybody.
    pub signer: Option<Signer>,
}

impl Authorship {
    /// A commit, now. A signature is of the very bytes that are pushed, but for itself.
    pub(crate) async fn commit(&self, tree: ObjectId, parent: CommitId, message: &str) -> Result<Object, LedgerError> {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let write =
            |signature| commit::write(tree, &[parent], &self.author, &self.committer, seconds, message, signature);
        let unsigned = write(None);
        let bytes = match &self.signer {
            None => unsigned,
            Some(signer) => write(Some(&signer.sign(&unsigned).await?)),
        };
        Object::new(Kind::Commit, bytes.into()).map_err(|source| LedgerError::Object { source })
    }
}
