//! A blob that is sent in chunks, each of which is kept until the registry says that it has it.

use bytes::{Buf, Bytes, BytesMut};
use futures_util::TryStreamExt;
use guarded_http::{HttpError, Method, Response, StatusCode, header};
use release::Repository;

use super::{HttpRegistry, upload::BRIEF, wire::range};
use crate::{Chunks, Descriptor, RegistryError};

/// The size of chunks where the registry wants no larger ones. Less would be refused by ECR.
const USUAL: u64 = 5 << 20;
const MIB: usize = 1 << 20;
/// The largest chunk that is kept in memory.
const LARGEST: u64 = 64 << 20;
/// How many MiB of chunks are kept at the same time. A larger one waits until it is alone.
pub(super) const KEPT: u32 = 32;
/// How often one chunk may be sent without getting further.
const TRIES: u32 = 3;

/// The size of the chunks to send, if any are to be: where whole blobs were refused, and for more bytes than one chunk
/// where the registry says how small the smallest may be.
pub(super) fn chunk_size(least: Option<u64>, refuses_whole: bool, blob: u64) -> Option<u64> {
    let least = least.unwrap_or(0);
    let size = least.max(USUAL);
    let wanted = refuses_whole || (least > 0 && blob > size && size <= LARGEST);
    wanted.then_some(size)
}

/// How far an upload is.
struct Upload<'a> {
    registry: &'a HttpRegistry,
    repository: &'a Repository,
    session: &'a mut String,
    /// The bytes that the registry has.
    offset: u64,
    /// Whether it kept a part of a chunk, which may be less than it allows.
    mended: bool,
}

impl HttpRegistry {
    pub(super) async fn send_in_chunks(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        mut bytes: Chunks,
        session: &mut String,
        size: u64,
    ) -> Result<(), RegistryError> {
        // One byte more than a blob has shows that there are too many.
        let size = size.min(blob.size.saturating_add(1));
        let size = usize::try_from(size).ok().filter(|_| size <= LARGEST);
        let size =
            size.ok_or_else(|| self.protocol(repository, "it takes blobs only in chunks of more than 64 MiB"))?;
        let kept = u32::try_from(size.div_ceil(MIB)).map_or(KEPT, |mib| mib.min(KEPT));
        let _turn = self.chunked.acquire_many(kept).await;
        let mut upload = Upload { registry: self, repository, session, offset: 0, mended: false };
        let mut rest = Bytes::new();
        loop {
            let chunk = next(&mut rest, size, &mut bytes).await?;
            let last = chunk.len() < size;
            let found = upload.end(&chunk) + rest.len() as u64;
            if found > blob.size || (last && found != blob.size) {
                return Err(RegistryError::SizeMismatch { digest: blob.digest, expected: blob.size, found });
            }
            upload.send(chunk).await?;
            if last {
                break;
            }
        }
        let response = self.closing(repository, blob.digest, upload.session)?.send(BRIEF).await?;
        self.closed(repository, blob.digest, response)
    }
}

/// The next chunk, which is shorter than `size` at the end; what was read beyond it is in `rest`.
async fn next(rest: &mut Bytes, size: usize, bytes: &mut Chunks) -> Result<Bytes, RegistryError> {
    let mut chunk = BytesMut::with_capacity(size);
    while chunk.len() < size {
        if rest.is_empty() {
            match bytes.try_next().await? {
                Some(more) => *rest = more,
                None => break,
            }
        }
        chunk.extend_from_slice(&rest.split_to(rest.len().min(size - chunk.len())));
    }
    Ok(chunk.freeze())
}

impl Upload<'_> {
    async fn send(&mut self, mut chunk: Bytes) -> Result<(), RegistryError> {
        let mut tries = 0;
        while !chunk.is_empty() {
            let acknowledged = match self.patch(&chunk).await {
                Ok(Some(acknowledged)) => acknowledged,
                // The registry has another idea of how far this is, or was not heard.
                Ok(None) => self.status(&chunk).await?,
                Err(RegistryError::Http(error)) if error.is_retryable() => self.status(&chunk).await?,
                Err(RegistryError::Http(HttpError::Status { status: StatusCode::BAD_REQUEST, .. })) if self.mended => {
                    return Err(self.again("the registry does not go on from a part of a chunk"));
                }
                Err(error) => return Err(error),
            };
            let Some(new) = acknowledged.checked_sub(self.offset) else {
                return Err(self.again("the registry has lost a part of it"));
            };
            self.mended |= new != 0 && new != chunk.len() as u64;
            tries = if new == 0 { tries + 1 } else { 0 };
            if tries == TRIES {
                return Err(self.again("the registry takes no more of it"));
            }
            chunk.advance(usize::try_from(new).unwrap_or(usize::MAX).min(chunk.len()));
            self.offset = acknowledged;
        }
        Ok(())
    }

    /// Sends a chunk, and returns how many bytes the registry has then; `None`: it does not go on from here.
    async fn patch(&mut self, chunk: &Bytes) -> Result<Option<u64>, RegistryError> {
        let end = self.end(chunk);
        let request = self
            .registry
            .writing(self.repository, Method::PATCH, self.session)?
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header(header::CONTENT_RANGE, &format!("{}-{}", self.offset, end - 1))
            .body(chunk.clone());
        let response = request.send(BRIEF).await?;
        match response.status() {
            StatusCode::ACCEPTED | StatusCode::CREATED | StatusCode::NO_CONTENT => {
                let acknowledged = self.acknowledged(&response, end)?;
                Ok(Some(acknowledged.unwrap_or(end)))
            }
            StatusCode::RANGE_NOT_SATISFIABLE => Ok(None),
            _ => Err(self.registry.upload_refusal(self.repository, response)),
        }
    }

    /// Asks how many bytes the registry has.
    async fn status(&mut self, chunk: &Bytes) -> Result<u64, RegistryError> {
        let response = self.registry.writing(self.repository, Method::GET, self.session)?.send(BRIEF).await?;
        match response.status() {
            StatusCode::NO_CONTENT | StatusCode::ACCEPTED | StatusCode::OK => {
                let acknowledged = self.acknowledged(&response, self.end(chunk))?;
                acknowledged.ok_or_else(|| self.again("the registry does not tell how far it is"))
            }
            _ => Err(self.registry.upload_refusal(self.repository, response)),
        }
    }

    /// What an answer says of how far this is, where it says so, and where it goes on.
    fn acknowledged(&mut self, response: &Response, sent: u64) -> Result<Option<u64>, RegistryError> {
        if response.headers().contains_key(header::LOCATION) {
            *self.session = self.registry.session(self.repository, response)?;
        }
        if !response.headers().contains_key(header::RANGE) {
            return Ok(None);
        }
        match response.header(&header::RANGE).and_then(|text| range::acknowledged(text, sent)) {
            Some(acknowledged) => Ok(Some(acknowledged)),
            None => Err(self.registry.protocol(self.repository, "the Range of an upload cannot be right")),
        }
    }

    fn end(&self, chunk: &Bytes) -> u64 {
        self.offset + chunk.len() as u64
    }

    fn again(&self, why: &'static str) -> RegistryError {
        self.registry.upload_again(self.repository, why)
    }
}
