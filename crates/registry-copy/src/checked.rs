use bytes::Bytes;
use futures_util::{StreamExt, stream};
use release::Hasher;

use crate::{Chunks, Descriptor, RegistryError};

/// The same bytes, but the last chunk comes only when all of them are those that `blob` describes.
///
/// Where they are not, the stream ends with an error instead, so that nobody who reads it can store a wrong blob as a
/// whole one.
pub(crate) fn checked(blob: &Descriptor, chunks: Chunks) -> Chunks {
    let start = Check { blob: blob.clone(), chunks, hasher: Hasher::default(), seen: 0, held: None };
    Box::pin(stream::try_unfold(start, Check::next))
}

struct Check {
    blob: Descriptor,
    chunks: Chunks,
    hasher: Hasher,
    seen: u64,
    held: Option<Bytes>,
}

impl Check {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, RegistryError> {
        while let Some(chunk) = self.chunks.next().await.transpose()? {
            self.seen = self.seen.saturating_add(chunk.len() as u64);
            if self.seen > self.blob.size {
                return Err(self.size_mismatch());
            }
            self.hasher.update(&chunk);
            if let Some(before) = self.held.replace(chunk) {
                return Ok(Some((before, self)));
            }
        }
        if self.seen != self.blob.size {
            return Err(self.size_mismatch());
        }
        let found = self.hasher.clone().finish();
        if found != self.blob.digest {
            return Err(RegistryError::DigestMismatch { what: "the blob", expected: self.blob.digest, found });
        }
        Ok(self.held.take().map(|last| (last, self)))
    }

    fn size_mismatch(&self) -> RegistryError {
        RegistryError::SizeMismatch { digest: self.blob.digest, expected: self.blob.size, found: self.seen }
    }
}
