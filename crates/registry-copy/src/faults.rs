//! A registry that breaks on purpose, for tests of whatever must survive that.
//!
//! ```
//! use registry_copy::{InMemory, faults::{Fault, Faulty}};
//!
//! // The third call is done, but its answer is lost.
//! let registry = Faulty::new(InMemory::new(), |call| (call.number == 3).then_some(Fault::After { status: 503 }));
//! # drop(registry);
//! ```

use std::{
    fmt,
    future::pending,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use guarded_http::{HttpError, Origin, StatusCode};
use release::{Digest, Repository, Tag};
use tokio::task::yield_now;

use crate::{Chunks, Descriptor, Manifest, Put, Registry, RegistryError, TagRule};

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails with this status, and nothing was done.
    Before {
        /// 403 fails for good; 503 may be tried again.
        status: u16,
    },
    /// It is done, but fails with this status: the answer is lost.
    After {
        /// 403 fails for good; 503 may be tried again.
        status: u16,
    },
    /// The bytes of a blob break off in the middle, on their way out of or into the registry. For other calls the
    /// answer is lost with status 503.
    Cut,
    /// One bit of a blob, a manifest or a digest that is read is another, or of a blob that is stored. Nothing else.
    Flip,
    /// It never answers.
    Hang,
    /// It says that no blob is missing, whatever is. Only of [`Registry::missing`].
    Claim,
    /// It refuses a manifest for want of its first part, whether that is there or not. Only of [`Registry::put`].
    Refuse,
}

/// One call, as a schedule sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// How many calls were made until then, this one included.
    pub number: usize,
    /// Which it is.
    pub method: Method,
}

/// The methods of [`Registry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the method of that name")]
pub enum Method {
    Resolve,
    TagRule,
    Missing,
    Manifest,
    Blob,
    PutBlob,
    Put,
    Mount,
    Referrers,
}

impl Method {
    /// Whether it changes what the registry holds.
    #[must_use]
    pub fn writes(self) -> bool {
        matches!(self, Self::PutBlob | Self::Put | Self::Mount)
    }
}

/// A [`Registry`] with faults at the calls that a schedule names.
///
/// Each call also yields before and after it acts, so that others run in between.
pub struct Faulty<R> {
    inner: R,
    schedule: Box<dyn Fn(Call) -> Option<Fault> + Send + Sync>,
    calls: Mutex<Vec<Call>>,
}

impl<R: Registry> Faulty<R> {
    /// `inner`, with the faults that `schedule` gives.
    pub fn new(inner: R, schedule: impl Fn(Call) -> Option<Fault> + Send + Sync + 'static) -> Self {
        Self { inner, schedule: Box::new(schedule), calls: Mutex::default() }
    }

    /// The calls so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins a call; what is left to do wrong after that.
    async fn begin(&self, method: Method) -> Result<Option<Fault>, RegistryError> {
        let call = {
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            let call = Call { number: calls.len() + 1, method };
            calls.push(call);
            call
        };
        let fault = (self.schedule)(call);
        yield_now().await;
        match fault {
            Some(Fault::Before { status }) => Err(failure(status)),
            Some(Fault::Hang) => pending().await,
            other => Ok(other),
        }
    }

    async fn call<T>(
        &self,
        method: Method,
        act: impl Future<Output = Result<T, RegistryError>> + Send,
    ) -> Result<T, RegistryError> {
        let fault = self.begin(method).await?;
        let answer = act.await;
        end(fault).await.and(answer)
    }
}

async fn end(fault: Option<Fault>) -> Result<(), RegistryError> {
    yield_now().await;
    match fault {
        Some(Fault::After { status }) => Err(failure(status)),
        Some(Fault::Cut) => Err(failure(503)),
        _ => Ok(()),
    }
}

/// What a registry over HTTP would make of such an answer.
fn failure(status: u16) -> RegistryError {
    HttpError::Status {
        call: guarded_http::Call::new(guarded_http::Method::GET, Origin::loopback(5000), "/v2/"),
        status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        detail: String::new(),
        retry_after: None,
    }
    .into()
}

impl<R: fmt::Debug> fmt::Debug for Faulty<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Faulty").field(&self.inner).finish()
    }
}

#[async_trait]
impl<R: Registry> Registry for Faulty<R> {
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>, RegistryError> {
        let fault = self.begin(Method::Resolve).await?;
        let answer = self.inner.resolve(repository, tag).await;
        end(fault).await?;
        let lie = |digest: Digest| if fault == Some(Fault::Flip) { another(&digest) } else { digest };
        answer.map(|found| found.map(lie))
    }

    async fn tag_rule(&self, repository: &Repository, tag: &Tag) -> Result<TagRule, RegistryError> {
        self.call(Method::TagRule, self.inner.tag_rule(repository, tag)).await
    }

    async fn cautions(&self, repository: &Repository, tag: &Tag) -> Result<Vec<String>, RegistryError> {
        self.inner.cautions(repository, tag).await
    }

    fn answers_in_bulk(&self) -> bool {
        self.inner.answers_in_bulk()
    }

    async fn missing(&self, repository: &Repository, blobs: &[Descriptor]) -> Result<Vec<Digest>, RegistryError> {
        let fault = self.begin(Method::Missing).await?;
        let answer = self.inner.missing(repository, blobs).await;
        end(fault).await?;
        if fault == Some(Fault::Claim) { Ok(Vec::new()) } else { answer }
    }

    async fn manifest(&self, repository: &Repository, digest: &Digest) -> Result<Option<Manifest>, RegistryError> {
        let fault = self.begin(Method::Manifest).await?;
        let answer = self.inner.manifest(repository, digest).await?;
        end(fault).await?;
        match answer {
            Some(manifest) if fault == Some(Fault::Flip) => {
                let bytes = flipped(manifest.bytes());
                Ok(Some(Manifest::parse(Some(manifest.media_type()), bytes)?))
            }
            other => Ok(other),
        }
    }

    async fn blob(&self, repository: &Repository, blob: &Descriptor) -> Result<Chunks, RegistryError> {
        let fault = self.begin(Method::Blob).await?;
        let answer = self.inner.blob(repository, blob).await?;
        end(fault.filter(|fault| *fault != Fault::Cut)).await?;
        Ok(damaged(answer, fault))
    }

    async fn put_blob(&self, repository: &Repository, blob: &Descriptor, bytes: Chunks) -> Result<(), RegistryError> {
        let fault = self.begin(Method::PutBlob).await?;
        let answer = self.inner.put_blob(repository, blob, damaged(bytes, fault)).await;
        end(fault).await.and(answer)
    }

    async fn put(&self, repository: &Repository, manifest: &Manifest, tag: Option<&Tag>) -> Result<Put, RegistryError> {
        let fault = self.begin(Method::Put).await?;
        let part = manifest.blobs().iter().chain(manifest.children()).find(|part| !part.is_foreign());
        if let (Some(Fault::Refuse), Some(part)) = (fault, part) {
            return Err(RegistryError::PartMissing { repository: repository.clone(), part: part.digest });
        }
        let answer = self.inner.put(repository, manifest, tag).await;
        end(fault).await.and(answer)
    }

    async fn mount(
        &self,
        repository: &Repository,
        from: &Repository,
        blob: &Descriptor,
    ) -> Result<bool, RegistryError> {
        self.call(Method::Mount, self.inner.mount(repository, from, blob)).await
    }

    async fn referrers(&self, repository: &Repository, digest: &Digest) -> Result<Vec<Descriptor>, RegistryError> {
        self.call(Method::Referrers, self.inner.referrers(repository, digest)).await
    }
}

fn another(digest: &Digest) -> Digest {
    Digest::of(digest.to_string().as_bytes())
}

fn flipped(bytes: &Bytes) -> Bytes {
    let mut copy = bytes.to_vec();
    let middle = copy.len() / 2;
    if let Some(byte) = copy.get_mut(middle) {
        *byte ^= 1;
    }
    copy.into()
}

fn damaged(chunks: Chunks, fault: Option<Fault>) -> Chunks {
    match fault {
        Some(Fault::Flip) => Box::pin(chunks.map(|chunk| chunk.map(|bytes| flipped(&bytes)))),
        Some(Fault::Cut) => {
            let half = chunks.take(1).map(|chunk| chunk.map(|bytes| bytes.slice(..bytes.len() / 2)));
            Box::pin(half.chain(stream::once(async { Err(failure(503)) })))
        }
        _ => chunks,
    }
}
