//! Git's objects: their ids, their bytes, and packs of them. Each parser here takes bytes of anybody.

pub(crate) mod commit;
pub(crate) mod pack;
#[cfg(test)]
mod tests;
pub(crate) mod tree;

use bytes::Bytes;
pub(crate) use gix::objs::Kind;
use release::ObjectId;

use crate::Said;

/// Why an object of the Ledger cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// The bytes were made to have the id of others.
    #[error("its bytes are an attack on SHA-1")]
    Collision,
    /// A tree ends within a row.
    #[error("a tree is cut off")]
    CutOff,
    /// A tree's row has a mode that Git does not write.
    #[error("a tree has an entry whose mode is written as {mode}")]
    Mode {
        /// The mode's digits.
        mode: Said,
    },
    /// A tree's row has no name, or one of several segments.
    #[error("a tree has an entry with an empty name or a slash in it: {name}")]
    Name {
        /// The name.
        name: Said,
    },
    /// A tree's rows are not in Git's order, so that programs differ in which of them they find.
    #[error("a tree has its entry {name} out of order")]
    Unsorted {
        /// The name of the row that comes too late.
        name: Said,
    },
    /// A tree has two rows of one name, so that programs differ in which of them counts.
    #[error("a tree has two entries of the name {name}")]
    Repeated {
        /// The name.
        name: Said,
    },
    /// A commit has no such header where it must be, or one that cannot be read.
    #[error("a commit has no {header} where one must be")]
    Header {
        /// The header.
        header: &'static str,
    },
    /// A commit has a NUL byte among its headers, where some programs stop to read.
    #[error("a commit has a NUL byte among its headers")]
    Nul,
    /// A commit has a header twice, so that programs differ in which of them counts.
    #[error("a commit has the header {header} twice")]
    RepeatedHeader {
        /// The header.
        header: &'static str,
    },
}

/// An object whose id is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) kind: Kind,
    pub(crate) bytes: Bytes,
    id: ObjectId,
}

impl Object {
    /// Hashes the bytes. An error is an attack on SHA-1, and none of the sender's words are to be believed then.
    pub(crate) fn new(kind: Kind, bytes: Bytes) -> Result<Self, ObjectError> {
        let id = gix::objs::compute_hash(gix::hash::Kind::Sha1, kind, &bytes).ok().and_then(ours);
        Ok(Self { kind, bytes, id: id.ok_or(ObjectError::Collision)? })
    }

    pub(crate) fn id(&self) -> ObjectId {
        self.id
    }
}

fn ours(id: gix::ObjectId) -> Option<ObjectId> {
    <[u8; 20]>::try_from(id.as_slice()).ok().map(ObjectId::from)
}
