//! Two registries with a proxy before each, and an image that goes from one to the other.

use std::{
    ops::RangeBounds,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use sandbox::{
    Act, FaultProxy, Faults, RegistryOptions, RegistryServer, Script, Seen,
    image::{self, ImageSpec},
    registry_copy::{InMemory, TagRule},
};
use serde_json::json;
use tests::{Agent, Pushed, Ran, Witness};

pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const REPOSITORY: &str = "forge/app";
pub(super) const OTHER_TAG: &str = "48214";
pub(super) const TAG: &str = "48213";
/// The kinds of request that faults are set for.
pub(super) const BLOB: &str = "*/blobs/sha256:*";
pub(super) const SESSION: &str = "*/blobs/uploads/*";
pub(super) const MANIFEST: &str = "*/manifests/*";
pub(super) const TAGGED: &str = "*/manifests/48213";

pub(super) const USER: &str = "robot";
pub(super) const PASSWORD: &str = "open sesame";

/// What a scene is made of.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) source: RegistryOptions,
    pub(super) destination: RegistryOptions,
    pub(super) image: ImageSpec,
    /// Whether the destination has the repository.
    pub(super) repository: bool,
    /// Whether the source lists referrers under the fallback tag too.
    pub(super) fallback_tag: bool,
}

pub(super) struct Scene {
    pub(super) source: Side,
    pub(super) destination: Side,
    pub(super) image: Pushed,
    agent: Agent,
}

/// A registry, and what is before and behind it.
pub(super) struct Side {
    /// What the proxy does; it is not seen by the witness.
    pub(super) script: Script,
    pub(super) proxy: FaultProxy,
    pub(super) registry: RegistryServer,
    pub(super) witness: Witness,
    /// How many requests met a fault.
    met: Arc<AtomicUsize>,
    /// The same store, open to everybody: where the witness looks.
    _open: RegistryServer,
}

impl Setup {
    /// Two plain registries with a user and a password, and an image of three layers with a referrer.
    pub(super) fn plain() -> Self {
        let image = ImageSpec { layers: vec![600_000, 90_000, 20_000], referrer: true, ..ImageSpec::of_seed(1) };
        let options = RegistryOptions::for_user(USER, PASSWORD);
        Self { source: options.clone(), destination: options, image, repository: true, fallback_tag: false }
    }

    /// The same with a destination that wants chunks, and a layer of three.
    pub(super) fn in_chunks() -> Self {
        let plain = Self::plain();
        let destination = RegistryOptions { min_chunk: 5 << 20, ..plain.destination };
        let image = ImageSpec { layers: vec![11 << 20, 20_000], ..plain.image };
        Self { destination, image, ..plain }
    }
}

impl Setup {
    /// An index of two images.
    pub(super) fn of_two_platforms() -> Self {
        let plain = Self::plain();
        let architectures = ["amd64", "arm64"].map(str::to_owned).to_vec();
        let image = ImageSpec { architectures, layers: vec![40_000, 20_000], ..plain.image };
        Self { image, ..plain }
    }

    /// The source lists its referrers under the fallback tag too.
    pub(super) fn with_fallback_tag() -> Self {
        Self { fallback_tag: true, ..Self::plain() }
    }

    /// A destination that lets everybody in: who is let in is the script's business.
    pub(super) fn with_tokens() -> Self {
        Self { destination: RegistryOptions::default(), ..Self::plain() }
    }

    /// Nothing refers to the image.
    pub(super) fn without_referrer() -> Self {
        let plain = Self::plain();
        Self { image: ImageSpec { referrer: false, ..plain.image }, ..plain }
    }

    /// The destination has not got the repository.
    pub(super) fn without_repository() -> Self {
        Self { repository: false, ..Self::plain() }
    }
}

impl Scene {
    pub(super) async fn of(setup: Setup) -> Self {
        let source = Side::new("source", setup.source, true).await;
        let destination = Side::new("destination", setup.destination, setup.repository).await;
        let agent = Agent::new(Some((USER, PASSWORD)), &[&source.proxy.authority(), &destination.proxy.authority()]);
        let layout = agent.home().join("image");
        image::write(&setup.image, &layout).await.unwrap();
        let image = source.witness.push(&layout, TAG).await;
        if setup.fallback_tag {
            let listed = source.witness.referrers(&image.digest).await;
            let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": listed }).to_string();
            source.witness.push_manifest(&image.digest.replace(':', "-"), INDEX, index.into()).await;
        }
        Self { source, destination, image, agent }
    }

    /// Another image, under another tag of one side.
    pub(super) async fn another(&self, side: &Side) -> Pushed {
        let layout = self.agent.home().join("other");
        image::write(&ImageSpec { layers: vec![30_000], ..ImageSpec::of_seed(2) }, &layout).await.unwrap();
        side.witness.push(&layout, OTHER_TAG).await
    }

    /// The command that copies what the source has under `:TAG` or `@DIGEST`.
    pub(super) fn line(&self, what: &str, timeout: &str) -> String {
        let (from, to) = (self.source.proxy.authority(), self.destination.proxy.authority());
        format!("copy-artifact {from}/{REPOSITORY}{what} {to}/{REPOSITORY}:{TAG} --output json --timeout {timeout}")
    }

    pub(super) fn agent(&self) -> &Agent {
        &self.agent
    }

    /// Copies the image by its tag.
    pub(super) async fn run(&self, timeout: &str) -> Ran {
        self.agent.run(&self.line(&format!(":{TAG}"), timeout)).await
    }

    /// The blobs that were read from the source more often than once, and how often in all that was too much.
    pub(super) fn read_again(&self) -> usize {
        let mut reads = self.source.asked("GET", "*/blobs/*");
        reads.sort_unstable();
        let all = reads.len();
        reads.dedup();
        all - reads.len()
    }

    /// The path of the largest blob.
    pub(super) fn largest(&self) -> String {
        format!("*/blobs/{}", self.image.largest())
    }

    /// How many requests met a fault.
    pub(super) fn faults_met(&self) -> usize {
        [&self.source, &self.destination].map(|side| side.met.load(Ordering::Relaxed)).iter().sum()
    }

    /// That the destination's tag names the image, all of which is there with the right bytes.
    pub(super) async fn is_whole(&self) {
        assert_eq!(self.destination.witness.tag(TAG).await.as_ref(), Some(&self.image.digest));
        assert_eq!(self.destination.witness.wrong(&self.image).await, Vec::<String>::new());
    }
}

impl Side {
    async fn new(name: &'static str, options: RegistryOptions, repository: bool) -> Self {
        let memory = InMemory::new();
        if repository {
            memory.create(&REPOSITORY.parse().unwrap(), TagRule::Immutable);
        }
        let registry = RegistryServer::start(memory.clone(), options).await.unwrap();
        let open = RegistryServer::start(memory, RegistryOptions::default()).await.unwrap();
        let script = Script::new();
        let proxy = FaultProxy::start(name, registry.authority(), &script).await.unwrap();
        let witness = Witness::new(&open.authority(), REPOSITORY, None);
        Self { script, proxy, registry, witness, met: Arc::default(), _open: open }
    }

    /// The first request of a kind meets this fault.
    pub(super) fn once(&self, method: &str, path: &str, act: impl Fn() -> Act + Send + Sync + 'static) {
        self.nth(method, path, 1..=1, act);
    }

    /// Every request of a kind meets it.
    pub(super) fn always(&self, method: &str, path: &str, act: impl Fn() -> Act + Send + Sync + 'static) {
        self.nth(method, path, 1.., act);
    }

    /// The requests of a kind meet it whose turn it is.
    pub(super) fn nth(
        &self,
        method: &str,
        path: &str,
        nth: impl RangeBounds<usize> + Send + Sync + 'static,
        act: impl Fn() -> Act + Send + Sync + 'static,
    ) {
        self.script.set(Faults::new().on(method, path, nth, self.counted(act)).rule());
    }

    /// The first request of each of these kinds meets it.
    pub(super) fn once_each(&self, kinds: &[(&str, &str)], act: fn() -> Act) {
        let faults = kinds
            .iter()
            .fold(Faults::new(), |faults, (method, path)| faults.on(method, path, 1..=1, self.counted(act)));
        self.script.set(faults.rule());
    }

    fn counted(&self, act: impl Fn() -> Act + Send + Sync + 'static) -> impl Fn(&Seen) -> Act + Send + Sync + 'static {
        let met = Arc::clone(&self.met);
        move |_| {
            met.fetch_add(1, Ordering::Relaxed);
            act()
        }
    }

    /// Counts a fault that a rule of its own has caused.
    pub(super) fn count(&self) -> impl Fn() + Send + Sync + 'static {
        let met = Arc::clone(&self.met);
        move || {
            met.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Resets the next connections.
    pub(super) fn refuse(&self, connections: usize) {
        self.met.fetch_add(connections, Ordering::Relaxed);
        self.proxy.refuse_connections(connections);
    }

    /// Nobody listens any more.
    pub(super) fn unplug(&mut self) {
        self.met.fetch_add(1, Ordering::Relaxed);
        self.proxy.stop_listening();
    }

    /// The paths that were asked for by requests of a kind, without their queries.
    pub(super) fn asked(&self, method: &str, path: &str) -> Vec<String> {
        let seen = self.script.seen().into_iter().filter(|seen| seen.is(method, path));
        seen.map(|seen| seen.path.split('?').next().unwrap().to_owned()).collect()
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.script.seen()
    }
}
