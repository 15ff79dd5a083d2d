use std::collections::BTreeMap;

use ledger::RepoPath;
use release::CommitId;

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// Nothing; where one of its folders is a file, that.
    Nothing {
        /// The file that is in the way.
        under: Option<RepoPath>,
    },
}

/// The places that were seen at one commit, the last that was looked at.
#[derive(Debug, Default)]
pub(super) struct Places {
    at: Option<CommitId>,
    seen: BTreeMap<RepoPath, Place>,
}

impl Places {
    pub(super) fn get(&self, at: &CommitId, path: &RepoPath) -> Option<Place> {
        self.seen.get(path).filter(|_| self.at == Some(*at)).cloned()
    }

    pub(super) fn note(&mut self, at: &CommitId, path: &RepoPath, place: Place) {
        if self.at != Some(*at) {
            self.seen.clear();
            self.at = Some(*at);
        }
        self.seen.insert(path.clone(), place);
    }
}
