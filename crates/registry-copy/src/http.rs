//! A registry over HTTP (OCI distribution-spec 1.1).

mod answer;
mod chunks;
mod given;
mod hosts;
mod learnt;
mod paths;
mod patience;
mod pull;
mod push;
mod referrers;
mod subject;
mod token;
mod token_server;
mod upload;
pub(crate) mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use guarded_http::{Authorize, Client, Credentials, HttpError, Limits, Method, Origin, Request, Told};
use release::{Authority, Digest, Repository, Tag};
use secrecy::SecretString;
use tokio::sync::{Mutex, Semaphore};

pub use self::hosts::origin;
use self::{given::Given, learnt::Learnt, push::Listed, token::Tokens};
use crate::{Chunks, Descriptor, Manifest, Put, Registry, RegistryError, TagRule};

/// A registry that is spoken to over HTTP, with Basic authentication, with tokens or anonymously, as it asks.
///
/// Nothing it says is believed: digests are computed, and a `Docker-Content-Digest` that disagrees is an error; upload
/// locations and further pages are followed on its own origin alone, and only the bytes of blobs may come from another
/// one, which gets no credentials. A call that is harmless when repeated is repeated on temporary faults until the
/// deadline of the [`Limits`]; transfers of blobs are not.
///
/// A blob is offered before it is sent, so that one the registry has costs one request and any other two. That the
/// registry has it is believed once: stored a second time, it is sent whatever the registry says. A registry that
/// refuses whole blobs, or says how long a chunk has to be, gets chunks of 5 MiB or of what it says; each is kept in
/// memory until it is acknowledged, 32 MiB of them at most or one that is longer; none is longer than 64 MiB.
#[derive(Debug)]
pub struct HttpRegistry {
    client: Client,
    tokens: Option<Arc<Tokens>>,
    learnt: Learnt,
    given: Given,
    chunked: Semaphore,
    listing: Mutex<()>,
    referrers_tag: bool,
}

impl HttpRegistry {
    /// The registry at `authority`: over HTTPS, except on loopback. No connection is made yet.
    ///
    /// The credentials are sent at once. Where it challenges for a token, they go to the server that it names for that,
    /// if that is the registry itself, one of [`with_token_hosts`](Self::with_token_hosts), or Docker Hub's for Docker
    /// Hub; a registry of ECR may challenge for none. (Distribution, "Token Authentication Specification".)
    ///
    /// # Errors
    /// [`RegistryError::Http`] when the credentials fit into no header or the system's certificates cannot be read.
    pub fn new(authority: &Authority, credentials: &Credentials, limits: Limits) -> Result<Self, RegistryError> {
        let tokens = Arc::new(Tokens::new(authority, credentials, limits)?);
        let registry = Self::authorized_by(authority, tokens.clone(), limits)?;
        Ok(Self { tokens: Some(tokens), ..registry })
    }

    /// The registry at `authority`, with the credentials that `authorize` gives: it answers challenges alone, and
    /// neither token hosts nor an identity token mean anything. No connection is made yet.
    ///
    /// # Errors
    /// [`RegistryError::Http`] when the system's certificates cannot be read.
    pub fn authorized_by(
        authority: &Authority,
        authorize: Arc<dyn Authorize>,
        limits: Limits,
    ) -> Result<Self, RegistryError> {
        let client = Client::authorized_by(origin(authority), authorize, limits)?;
        let learnt = Learnt::default();
        if hosts::is_ecr(authority) {
            // What ECR lacks is known before, and what an offer means there is not.
            learnt.refuses_offers();
        }
        let chunked = Semaphore::new(chunks::KEPT as usize);
        let (given, listing) = (Given::default(), Mutex::default());
        Ok(Self { client, tokens: None, learnt, given, chunked, listing, referrers_tag: true })
    }

    /// Lets the registry name these servers too as those that give its tokens: they receive its credentials.
    #[must_use]
    pub fn with_token_hosts(self, hosts: Vec<Origin>) -> Self {
        if let Some(tokens) = &self.tokens {
            tokens.allow(hosts);
        }
        self
    }

    /// Asks for tokens with this refresh token, which `docker login` keeps as `identitytoken`.
    #[must_use]
    pub fn with_identity_token(self, token: SecretString) -> Self {
        if let Some(tokens) = &self.tokens {
            tokens.identify(token);
        }
        self
    }

    /// Neither reads nor writes `sha256-<hex>` tags, under which clients keep lists of referrers where a registry has no
    /// referrers API: anybody who may write a tag could say there what belongs to an image. Such a registry answers
    /// [`RegistryError::NoReferrersApi`] then.
    #[must_use]
    pub fn without_referrers_tag(mut self) -> Self {
        self.referrers_tag = false;
        self
    }

    /// Tells `told` of each repetition.
    #[must_use]
    pub fn telling(mut self, told: Told) -> Self {
        if let Some(tokens) = &self.tokens {
            tokens.tell(Arc::clone(&told));
        }
        self.client = self.client.telling(told);
        self
    }

    /// How many requests were sent to the registry so far, repeated ones included. Those for tokens and behind redirects
    /// are not counted.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.client.requests()
    }

    fn reading(&self, repository: &Repository, method: Method, reference: &str) -> Result<Request<'_>, HttpError> {
        Ok(self.client.request(method, reference)?.scope(paths::read_scope(repository)))
    }

    fn writing(&self, repository: &Repository, method: Method, reference: &str) -> Result<Request<'_>, HttpError> {
        Ok(self.client.request(method, reference)?.scope(paths::write_scope(repository)))
    }
}

#[async_trait]
impl Registry for HttpRegistry {
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>, RegistryError> {
        self.resolve_tag(repository, tag).await
    }

    /// Always unknown: the protocol has no word for it.
    async fn tag_rule(&self, _repository: &Repository, _tag: &Tag) -> Result<TagRule, RegistryError> {
        Ok(TagRule::Unknown)
    }

    async fn missing(&self, repository: &Repository, blobs: &[Descriptor]) -> Result<Vec<Digest>, RegistryError> {
        self.missing_blobs(repository, blobs).await
    }

    async fn manifest(&self, repository: &Repository, digest: &Digest) -> Result<Option<Manifest>, RegistryError> {
        self.manifest_by_digest(repository, digest).await
    }

    async fn blob(&self, repository: &Repository, blob: &Descriptor) -> Result<Chunks, RegistryError> {
        self.download_blob(repository, blob).await
    }

    async fn put_blob(&self, repository: &Repository, blob: &Descriptor, bytes: Chunks) -> Result<(), RegistryError> {
        self.upload_blob(repository, blob, bytes).await
    }

    async fn put(&self, repository: &Repository, manifest: &Manifest, tag: Option<&Tag>) -> Result<Put, RegistryError> {
        let (put, listed) = match tag {
            Some(tag) => self.put_under_tag(repository, manifest, tag).await?,
            None => (Put::Stored, self.put_by_digest(repository, manifest).await?),
        };
        if (put, listed) == (Put::Stored, Listed::Unknown) {
            self.list_under_subject(repository, manifest).await?;
        }
        Ok(put)
    }

    async fn mount(
        &self,
        repository: &Repository,
        from: &Repository,
        blob: &Descriptor,
    ) -> Result<bool, RegistryError> {
        self.mount_blob(repository, from, blob).await
    }

    async fn referrers(&self, repository: &Repository, digest: &Digest) -> Result<Vec<Descriptor>, RegistryError> {
        self.referrers_of(repository, digest).await
    }
}
