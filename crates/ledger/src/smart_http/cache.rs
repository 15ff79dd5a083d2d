use std::{collections::HashMap, fmt};

use release::{CommitId, ObjectId};

use crate::objects::Object;

/// When the newer half of what is kept has this many bytes, the older half is forgotten.
const HALF: usize = 64 << 20;

/// About what an object costs besides its bytes.
const OVERHEAD: usize = 128;

/// Objects that were fetched or made. What is asked for again counts as new.
#[derive(Default)]
pub(super) struct Cache {
    newer: HashMap<ObjectId, Object>,
    older: HashMap<ObjectId, Object>,
    bytes: usize,
    /// The last commit whose trees are all here, but for what was forgotten.
    pub(super) whole: Option<CommitId>,
}

impl Cache {
    pub(super) fn get(&mut self, id: &ObjectId) -> Option<Object> {
        if let Some(object) = self.newer.get(id) {
            return Some(object.clone());
        }
        let object = self.older.remove(id)?;
        self.put(object.clone());
        Some(object)
    }

    pub(super) fn put(&mut self, object: Object) {
        self.bytes += object.bytes.len() + OVERHEAD;
        if self.bytes > HALF {
            self.bytes = object.bytes.len() + OVERHEAD;
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(object.id(), object);
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("bytes", &self.bytes).field("whole", &self.whole).finish_non_exhaustive()
    }
}
