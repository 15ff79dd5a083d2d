use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use guarded_http::Response;
use release::{Digest, Repository};
use tokio::time::Instant;

/// How long what a tag named is as good as what its digest would name.
const FRESH: Duration = Duration::from_secs(5);

/// The manifest that a tag has just given: who asks for a tag asks for its digest next, and need not wait for the same
/// bytes again.
#[derive(Debug, Default)]
pub(super) struct Given(Mutex<Option<Answer>>);

/// Of which repository, what it held, the whole of it, and when it came.
type Answer = (Repository, Digest, Response, Instant);

impl Given {
    pub(super) fn keep(&self, repository: &Repository, digest: Digest, response: Response) {
        self.replace(Some((repository.clone(), digest, response, Instant::now())));
    }

    /// The answer that held this manifest; once.
    pub(super) fn take(&self, repository: &Repository, digest: Digest) -> Option<Response> {
        let (of, held, response, at) = self.replace(None)?;
        (of == *repository && held == digest && at.elapsed() < FRESH).then_some(response)
    }

    fn replace(&self, by: Option<Answer>) -> Option<Answer> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), by)
    }
}
