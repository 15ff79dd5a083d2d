//! Packs: what Git sends objects in.

pub(crate) mod delta;
mod inflate;
mod read;
#[cfg(test)]
mod tests;
mod write;

use release::ObjectId;

#[cfg(any(test, fuzzing))]
pub(crate) use self::write::with_checksum;
pub(crate) use self::{read::read, write::write};

/// The largest pack that is read: 64 MiB.
const LONGEST: usize = 64 << 20;

/// The largest object that is read: 8 MiB.
const LARGEST: u64 = 8 << 20;

/// The most that all objects and deltas of a pack may come to: 128 MiB. Each counts [`OVERHEAD`] besides its bytes.
const MOST: u64 = 128 << 20;

/// About what an object costs us however small it is.
const OVERHEAD: u64 = 128;

/// The longest chain of deltas.
const LONGEST_CHAIN: u32 = 64;

/// Why a pack cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The pack is larger than one may be.
    #[error("a pack of {bytes} bytes is larger than the {LONGEST} that one may have")]
    TooLong {
        /// Its size.
        bytes: usize,
    },
    /// The bytes do not begin as a pack of version 2 or 3 does, or are too few.
    #[error("what should be a pack is none")]
    NoPack,
    /// The pack's checksum is not that of its bytes.
    #[error("a pack was damaged: its bytes do not have the checksum at its end")]
    Damaged,
    /// The pack has fewer objects than it claims, or something behind them.
    #[error("a pack has another number of objects than the {claimed} that it claims")]
    Count {
        /// The claim.
        claimed: u32,
    },
    /// The objects are too large together.
    #[error("a pack unfolds to more than the {MOST} bytes that its objects may come to")]
    TooMuch,
    /// An object cannot be unpacked.
    #[error("a pack's object at byte {at} cannot be unpacked")]
    Object {
        /// Where it begins.
        at: u64,
        /// Why not.
        source: Fault,
    },
    /// The object that a delta builds on is nowhere.
    #[error("a pack builds on the object {base}, which is neither in it nor here")]
    NoBase {
        /// The object.
        base: ObjectId,
    },
    /// A pack could not be written.
    #[error("a pack's object could not be written")]
    Write {
        /// Why not.
        source: Fault,
    },
}

/// What is wrong with one object of a pack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It begins in no known way.
    #[error("its header is broken")]
    Header,
    /// It is larger than an object may be.
    #[error("it claims {bytes} bytes, more than the {LARGEST} that an object may have")]
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// It is not compressed as Git does, or cut off.
    #[error("its compressed bytes are broken or cut off")]
    Compression,
    /// It has another size than it claims.
    #[error("it has another size than the {claimed} bytes that it claims")]
    Size {
        /// The claim.
        claimed: u64,
    },
    /// Where its base should begin, no object does.
    #[error("no object begins where its base should")]
    NoBaseAt,
    /// Its delta has an instruction that does not fit its base or its size.
    #[error("its delta is broken")]
    Delta,
    /// Too many deltas build on one another.
    #[error("more than {LONGEST_CHAIN} deltas build on one another")]
    Chain,
    /// Its bytes were made to have the id of others.
    #[error("its bytes are an attack on SHA-1")]
    Collision,
}
