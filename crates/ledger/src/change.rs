use std::collections::BTreeSet;

use bytes::Bytes;
use release::{BuildId, ObjectId, RunId};

use crate::{Document, Found, KeyPath, RepoPath, Scalar};

/// A change of the Ledger as data, so that it can be printed, judged again on a new head, and compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The run that asks for it; the commit carries it as its `Conveyor-Run` trailer.
    pub run: RunId,
    /// The scalars to change, each with the app's name that it belongs to.
    pub edits: Vec<Edit>,
    /// What the decision read. One of them differing means: decide again.
    pub reads: Vec<Read>,
    /// The record entries to add, each on behalf of one edit or of the change as a whole.
    pub prepends: Vec<Prepend>,
    /// The files that get all of their old bytes back, instead of one scalar after another; of a [revert](crate::revert).
    pub restores: Vec<Restore>,
    /// The commit's message without trailers.
    pub message: String,
}

impl Change {
    /// Every path that [`apply`](crate::apply) looks at, each once.
    #[must_use]
    pub fn paths(&self) -> BTreeSet<RepoPath> {
        let edited = self.edits.iter().map(|edit| &edit.file);
        let read = self.reads.iter().map(|read| &read.path);
        let prepended = self.prepends.iter().map(|prepend| &prepend.file);
        edited.chain(read).chain(prepended).cloned().collect()
    }
}

/// One scalar to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The manifest.
    pub file: RepoPath,
    /// Which document of the file; without it, exactly one must have the key.
    pub document: Option<Document>,
    /// The scalar's place in it.
    pub key: KeyPath,
    /// What the place must hold for the edit to be right.
    pub from: From,
    /// The new value, a string.
    pub to: Scalar,
}

/// What a place must hold, judged again on each new head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// This very value.
    Exactly(Scalar),
    /// A build older than this one, or an empty value, which is older than every build.
    OlderThan(BuildId),
    /// Whatever it holds.
    Any,
}

/// A file or folder that a decision depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Its path.
    pub path: RepoPath,
    /// The blob or tree that was read, or `None` for "absent".
    pub was: Option<ObjectId>,
}

/// What an edited file is to be again, byte for byte, where nobody has touched it since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restore {
    /// The file, which the change has edits of.
    pub file: RepoPath,
    /// The blob to replace.
    pub from: ObjectId,
    /// The file as it was.
    pub to: Found,
    /// Whether a file that is neither may get the edits by themselves: each leads to the same place there, and gives it
    /// a text back. Where not, such a file is refused.
    pub in_part: bool,
}

/// One line to put in front of a JSON array's other lines.
///
/// The file is written as `[`, then one item a line with a comma after each but the last, then `]`, each line ended by
/// a line feed; a file without items is `[]`. A file of another form is an error, and nothing is written. In a change
/// without edits, items that are the file's newest already are not written again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepend {
    /// The array's file; made where it is absent.
    pub file: RepoPath,
    /// The item, one line of JSON without its line end.
    pub item: Bytes,
    /// How many items the file keeps; older ones stay in its history.
    pub keep: usize,
    /// The index of the edit that this item records: where that edit was settled already, the item is left out.
    /// `None`: the item is written whatever the edits say.
    pub of: Option<usize>,
}
