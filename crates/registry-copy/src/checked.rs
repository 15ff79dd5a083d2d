use bytes::Bytes;
use futures_util::{StreamExt, stream};
use release::Hasher;

use crate::{Chunks, Descriptor, RegistryError};

/// The same bytes in chunks that are not empty, but the last one comes only when all of them are those that `blob`
/// describes. No other is kept back.
///
/// Where they are not, the stream ends with an error instead, so that nobody who reads it can store a wrong blob as a
/// whole one.
pub(crate) fn checked(blob: &Descriptor, chunks: Chunks) -> Chunks {
    let start = Check { blob: blob.clone(), chunks, hasher: Hasher::default(), seen: 0, ended: false };
    Box::pin(stream::try_unfold(start, Check::next))
}

struct Check {
    blob: Descriptor,
    chunks: Chunks,
    hasher: Hasher,
    seen: u64,
    ended: bool,
}

impl Check {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, RegistryError> {
        let mut last = None;
        while !self.ended {
            let Some(chunk) = self.chunks.next().await.transpose()? else {
                self.ended = true;
                self.judge()?;
                break;
            };
            if chunk.is_empty() {
                continue;
            }
            self.seen = self.seen.saturating_add(chunk.len() as u64);
            if self.seen > self.blob.size {
                return Err(self.size_mismatch());
            }
            self.hasher.update(&chunk);
            if self.seen < self.blob.size {
                return Ok(Some((chunk, self)));
            }
            last = Some(chunk);
        }
        Ok(last.map(|last| (last, self)))
    }

    fn judge(&self) -> Result<(), RegistryError> {
        if self.seen != self.blob.size {
            return Err(self.size_mismatch());
        }
        match self.hasher.clone().finish() {
            found if found == self.blob.digest => Ok(()),
            found => Err(RegistryError::DigestMismatch { what: "the blob", expected: self.blob.digest, found }),
        }
    }

    fn size_mismatch(&self) -> RegistryError {
        RegistryError::SizeMismatch { digest: self.blob.digest, expected: self.blob.size, found: self.seen }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;
    use proptest::prelude::*;
    use release::Digest;

    use super::*;

    /// What comes out, and the error at its end.
    async fn run(blob: &Descriptor, bytes: &[u8], chunk: usize, empty: usize) -> (Vec<u8>, Option<RegistryError>) {
        let empty = std::iter::repeat_n(Bytes::new(), empty);
        let whole = bytes.chunks(chunk).map(Bytes::copy_from_slice);
        let chunks: Vec<_> = whole.flat_map(|part| empty.clone().chain([part])).chain(empty.clone()).map(Ok).collect();
        let mut stream = checked(blob, stream::iter(chunks).boxed());
        let mut out = Vec::new();
        loop {
            match stream.try_next().await {
                Ok(Some(part)) => {
                    assert!(!part.is_empty(), "who reads it may stop at the last byte that was promised");
                    out.extend_from_slice(&part);
                }
                Ok(None) => return (out, None),
                Err(error) => return (out, Some(error)),
            }
        }
    }

    proptest! {
        #[test]
        fn all_the_bytes_come_only_when_they_are_right(
            right in prop::collection::vec(any::<u8>(), 0..40),
            wrong in prop::collection::vec(any::<u8>(), 0..40),
            flip in any::<prop::sample::Index>(),
            cut in any::<prop::sample::Index>(),
            chunk in 1_usize..45,
            empty in 0_usize..3,
        ) {
            let blob = Descriptor {
                media_type: "a/b".to_owned(),
                digest: Digest::of(&right),
                size: right.len() as u64,
                artifact_type: None,
            };
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (out, error) = runtime.block_on(run(&blob, &right, chunk, empty));
            prop_assert!(error.is_none(), "{error:?}");
            prop_assert_eq!(out, &right[..]);

            let mut flipped = right.clone();
            if !right.is_empty() {
                flipped[flip.index(right.len())] ^= 4;
            }
            let longer = [&right[..], &[0]].concat();
            let shorter = right[..right.len().saturating_sub(1 + cut.index(right.len().max(1)))].to_vec();
            for bytes in [wrong, flipped, longer, shorter] {
                if bytes == right {
                    continue;
                }
                let (out, error) = runtime.block_on(run(&blob, &bytes, chunk, empty));
                prop_assert!(out.len() < right.len().max(1), "{} of {}", out.len(), right.len());
                let by_size = matches!(error, Some(RegistryError::SizeMismatch { .. }));
                let by_digest = matches!(error, Some(RegistryError::DigestMismatch { .. }));
                prop_assert!(if bytes.len() == right.len() { by_digest } else { by_size }, "{error:?}");
            }
        }
    }
}
