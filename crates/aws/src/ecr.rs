use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use aws_credential_types::provider::SharedCredentialsProvider;
use guarded_http::{Limits, Told};
use registry_copy::{Chunks, Descriptor, Manifest, Put, Registry, RegistryError, TagRule, http::HttpRegistry};
use release::{Digest, Repository, Tag};
use tokio::sync::OnceCell;

use crate::{
    Access, AwsError, EcrPlace, Identity,
    api::{Api, Image},
    chain, preflight,
    session::{self, Narrowed},
    settings::Settings,
    tokens::Tokens,
};

/// One account's registry in ECR.
///
/// Nothing is asked before the first call. Each repository has a session of its own, narrowed to it where a role is
/// assumed; before anything is asked with it, STS must say that it is of the account that the [`Identity`] names.
///
/// Images move as in any registry, with ECR's tokens. What only ECR's API tells is asked there: whether a tag may be
/// moved, which blobs are there, and whether what looks absent is only archived.
pub struct Ecr {
    identity: Identity,
    place: EcrPlace,
    access: Access,
    settings: Settings,
    chain: SharedCredentialsProvider,
    told: Option<Told>,
    sessions: Mutex<HashMap<Purpose, Arc<OnceCell<Arc<Session>>>>>,
}

impl fmt::Debug for Ecr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ecr").field("identity", &self.identity).field("place", &self.place).finish_non_exhaustive()
    }
}

/// A repository, and one that blobs are mounted from.
type Purpose = (Repository, Option<Repository>);

/// One repository, ready to be asked.
#[derive(Debug)]
struct Session {
    api: Api,
    http: HttpRegistry,
    tokens: Arc<Tokens>,
}

impl Ecr {
    /// The registry at `place`, asked as `identity`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`AwsError::Endpoint`] where an endpoint is neither HTTPS nor on loopback.
    pub fn new(identity: Identity, place: EcrPlace, access: Access, limits: Limits) -> Result<Self, AwsError> {
        let settings = Settings::new(&identity.endpoints, &identity.region, limits)?;
        let chain = chain::default_chain(&settings);
        Ok(Self { identity, place, access, settings, chain, told: None, sessions: Mutex::default() })
    }

    /// Tells `told` of each repeated request to the registry.
    #[must_use]
    pub fn telling(mut self, told: Told) -> Self {
        self.told = Some(told);
        self
    }

    /// How many requests were sent so far, repeated ones included: those to the registry and those to AWS's APIs.
    #[must_use]
    pub fn requests(&self) -> u64 {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let registry: u64 =
            sessions.values().filter_map(|session| session.get()).map(|session| session.http.requests()).sum();
        registry + self.settings.transport.requests()
    }

    async fn session(&self, repository: &Repository, from: Option<&Repository>) -> Result<Arc<Session>, RegistryError> {
        let purpose = (repository.clone(), from.cloned());
        let cell = self.sessions.lock().unwrap_or_else(PoisonError::into_inner).entry(purpose).or_default().clone();
        cell.get_or_try_init(|| self.open(repository, from)).await.cloned()
    }

    async fn open(&self, repository: &Repository, from: Option<&Repository>) -> Result<Arc<Session>, RegistryError> {
        let narrowed = Narrowed { place: &self.place, access: self.access, repository, from };
        let caller = session::open(&self.settings, &self.identity, &self.chain, &narrowed).await;
        let caller = caller.map_err(|error| self.place.error(error))?;
        let ecr = self.settings.ecr(&self.place.region, caller);
        let limits = self.settings.limits;
        let tokens = Arc::new(Tokens::new(ecr.clone(), limits));
        let http = HttpRegistry::authorized_by(&self.place.authority, tokens.clone(), limits)?.without_referrers_tag();
        let http = match &self.told {
            Some(told) => http.telling(Arc::clone(told)),
            None => http,
        };
        let api = Api { ecr, place: self.place.clone(), repository: repository.clone(), limits };
        Ok(Arc::new(Session { api, http, tokens }))
    }

    /// Fails where what was not served is there all the same. Who only reads need not be allowed to ask that.
    async fn prove_absent(&self, session: &Session, image: Image<'_>) -> Result<(), RegistryError> {
        match session.api.prove_absent(&image).await {
            Err(error) if self.access == Access::Read && error.is_denied() => Ok(()),
            proven => proven,
        }
    }
}

impl Session {
    /// The registry over HTTP, with a token at hand: that there is none is AWS's refusal, and not the registry's.
    async fn http(&self) -> Result<&HttpRegistry, RegistryError> {
        self.tokens.header().await.map_err(|error| self.api.place.error(error))?;
        Ok(&self.http)
    }
}

#[async_trait]
impl Registry for Ecr {
    /// By the manifest's bytes. A tag that ECR knows and does not serve is an error, and so is not being allowed to ask
    /// ECR that for who would write it.
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>, RegistryError> {
        let session = self.session(repository, None).await?;
        let found = session.http().await?.resolve(repository, tag).await?;
        if found.is_none() {
            self.prove_absent(&session, Image::Tagged(tag)).await?;
        }
        Ok(found)
    }

    async fn tag_rule(&self, repository: &Repository, tag: &Tag) -> Result<TagRule, RegistryError> {
        let described = self.session(repository, None).await?.api.describe().await?;
        Ok(preflight::tag_rule(&described, tag))
    }

    async fn cautions(&self, repository: &Repository, tag: &Tag) -> Result<Vec<String>, RegistryError> {
        let session = self.session(repository, None).await?;
        let policy = match session.api.lifecycle_policy().await {
            Ok(None) => return Ok(Vec::new()),
            Ok(Some(policy)) => policy,
            Err(error) if error.is_denied() => {
                return Ok(vec![format!(
                    "whether {repository} has a lifecycle policy that deletes {tag} is not known: the role lacks \
                     ecr:GetLifecyclePolicy"
                )]);
            }
            Err(error) => return Err(error),
        };
        let unread =
            |_| vec![format!("{repository} has a lifecycle policy that cannot be read: look whether it deletes {tag}")];
        Ok(preflight::expiries(&policy, tag).unwrap_or_else(unread))
    }

    fn answers_in_bulk(&self) -> bool {
        true
    }

    async fn missing(&self, repository: &Repository, blobs: &[Descriptor]) -> Result<Vec<Digest>, RegistryError> {
        let digests: BTreeSet<Digest> = blobs.iter().map(|blob| blob.digest).collect();
        if digests.is_empty() {
            return Ok(Vec::new());
        }
        let session = self.session(repository, None).await?;
        match session.api.available(&digests).await? {
            Some(there) => Ok(blobs.iter().map(|blob| blob.digest).filter(|digest| !there.contains(digest)).collect()),
            None => session.http().await?.missing(repository, blobs).await,
        }
    }

    async fn manifest(&self, repository: &Repository, digest: &Digest) -> Result<Option<Manifest>, RegistryError> {
        let session = self.session(repository, None).await?;
        let found = session.http().await?.manifest(repository, digest).await?;
        // Who writes asks for what is not there yet, so that only who reads would be surprised.
        if found.is_none() && self.access == Access::Read {
            self.prove_absent(&session, Image::Named(digest)).await?;
        }
        Ok(found)
    }

    async fn blob(&self, repository: &Repository, blob: &Descriptor) -> Result<Chunks, RegistryError> {
        self.session(repository, None).await?.http().await?.blob(repository, blob).await
    }

    async fn put_blob(&self, repository: &Repository, blob: &Descriptor, bytes: Chunks) -> Result<(), RegistryError> {
        self.session(repository, None).await?.http().await?.put_blob(repository, blob, bytes).await
    }

    async fn put(&self, repository: &Repository, manifest: &Manifest, tag: Option<&Tag>) -> Result<Put, RegistryError> {
        self.session(repository, None).await?.http().await?.put(repository, manifest, tag).await
    }

    /// With a session of its own, which may read the other repository.
    async fn mount(
        &self,
        repository: &Repository,
        from: &Repository,
        blob: &Descriptor,
    ) -> Result<bool, RegistryError> {
        self.session(repository, Some(from)).await?.http().await?.mount(repository, from, blob).await
    }

    async fn referrers(&self, repository: &Repository, digest: &Digest) -> Result<Vec<Descriptor>, RegistryError> {
        self.session(repository, None).await?.http().await?.referrers(repository, digest).await
    }
}
