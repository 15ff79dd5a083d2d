use std::io::Write as _;

use gix::{
    odb::pack::data::{self, entry::Header},
    zlib::{Compression, stream::deflate},
};

use super::{Fault, PackError};
use crate::objects::{Kind, Object};

/// A pack of these objects, each of them whole.
pub(crate) fn write(objects: &[Object]) -> Result<Vec<u8>, PackError> {
    let fault = |source| PackError::Write { source };
    let count = u32::try_from(objects.len()).map_err(|_| PackError::TooMuch)?;
    let mut pack = data::header::encode(data::Version::V2, count).to_vec();
    for Object { kind, bytes, .. } in objects {
        let header = match kind {
            Kind::Commit => Header::Commit,
            Kind::Tree => Header::Tree,
            Kind::Blob => Header::Blob,
            Kind::Tag => Header::Tag,
        };
        header.write_to(bytes.len() as u64, &mut pack).map_err(|_| fault(Fault::Header))?;
        let mut compressed = deflate::Write::new(pack, Compression::BEST_SPEED);
        let written = compressed.write_all(bytes).and_then(|()| compressed.flush());
        written.map_err(|_| fault(Fault::Compression))?;
        pack = compressed.into_inner();
    }
    with_checksum(pack)
}

/// A pack whose last part, the checksum, is not there yet.
pub(crate) fn with_checksum(mut pack: Vec<u8>) -> Result<Vec<u8>, PackError> {
    let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
    hasher.update(&pack);
    let checksum = hasher.try_finalize().map_err(|_| PackError::Write { source: Fault::Collision })?;
    pack.extend_from_slice(checksum.as_slice());
    Ok(pack)
}
