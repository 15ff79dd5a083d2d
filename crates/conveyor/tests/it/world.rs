//! Forge in memory: three registries, the Ledger, Azure DevOps and a clock, and clients of all that with faults.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use azure_devops::{
    AzureDevOps, AzureError, Resource,
    memory::{Answer, End, Server},
    model::{Build, BuildStatus, Release, Stage},
};
use bytes::Bytes;
use conveyor::{
    Account, Asked, Connect, Error, Outcome, Wanted, World,
    aws::Access,
    config::{self, EnvironmentConfig, LedgerPlace},
};
use guarded_http::HttpError;
use jiff::{SignedDuration, Timestamp};
use ledger::{Branch, Remote, RepoPath, memory::Repository};
use registry_copy::{InMemory, Layout, Registry, TagRule, faults::Faulty};
use release::{Actor, Authority, BuildId, CommitId, Digest, Repository as Name, RunId};
use tokio::{task::yield_now, time::Instant};

use crate::image::Image;

pub(crate) const ENVIRONMENTS: [&str; 3] = ["dev", "qa", "prod-wealth"];
pub(crate) const APPS: [&str; 3] = ["payments-api", "orders-api", "web"];
pub(crate) const LEDGER: &str = "https://git.example/ledger.git";
pub(crate) const GROUP: &str = "6f1c2b9e-7a54-4d0b-9c3f-2f8e5d1a7b60";

/// People: Ana asks for releases, Eve for builds, Bo approves.
pub(crate) const ANA: (&str, &str) = ("Ana", "3c000000-0000-4000-8000-00000000000a");
pub(crate) const BO: (&str, &str) = ("Bo", "0b000000-0000-4000-8000-00000000000b");
pub(crate) const EVE: (&str, &str) = ("Eve", "0e000000-0000-4000-8000-00000000000e");

pub(crate) fn word<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

pub(crate) fn build(number: u64) -> BuildId {
    word(&number.to_string())
}

pub(crate) fn actor((name, guid): (&str, &str)) -> Actor {
    Actor { id: word(&format!("azure-devops:{guid}")), name: name.to_owned() }
}

pub(crate) fn main_branch() -> Branch {
    word("main")
}

/// The place of an app among [`APPS`]: it decides the numbers of its definitions.
pub(crate) fn number(app: &str) -> u64 {
    APPS.iter().position(|known| *known == app).unwrap() as u64
}

pub(crate) fn manifest_path(environment: &str, app: &str) -> RepoPath {
    word(&format!("apps/{app}/{environment}/values.yaml"))
}

pub(crate) fn record_path(environment: &str, app: &str) -> RepoPath {
    word(&format!("records/{environment}/{app}.json"))
}

pub(crate) fn manifest(app: &str, value: &str) -> Bytes {
    format!("# {app}\nimage:\n  repository: forge/{app}\n  tag: {value}   # by Conveyor\nreplicas: 2\n").into()
}

/// conveyor.yaml as the Ledger begins with it.
pub(crate) fn config() -> String {
    let apps: String = APPS
        .iter()
        .map(|app| {
            let definition = number(app);
            format!(
                "  {app}:\n    repository: forge/{app}\n    build_definition: {}\n    release_definition: {}\n    \
                 branches: [refs/heads/main]\n    ledger: {{ manifest: \"apps/{{app}}/{{env}}/values.yaml\", key: \
                 image.tag }}\n",
                50 + definition,
                10 + definition
            )
        })
        .collect();
    format!(
        r##"version: 1
support: "#platform-support"
ledger: {{ url: "{LEDGER}", branch: main }}
azure_devops: {{ organization: acme, project: forge }}
environments:
  dev: {{ registry: {{ url: "https://dev.example" }}, sync: auto }}
  qa: {{ promotes_from: dev, registry: {{ url: "https://qa.example" }}, sync: auto, stage: QA }}
  prod-wealth:
    promotes_from: qa
    registry: {{ url: "https://prod-wealth.example" }}
    sync: manual
    stage: Prod-Wealth
    approval: {{ required: 1, group: "{GROUP}", max_age: 24h }}
apps:
{apps}"##
    )
}

/// A clock that runs with tokio's and can be put forward.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    ahead: AtomicI64,
}

impl Clock {
    pub(crate) fn now(&self) -> Timestamp {
        let begin = Timestamp::from_second(1_790_000_000).unwrap();
        let ahead = SignedDuration::from_secs(self.ahead.load(Ordering::Relaxed));
        begin + SignedDuration::try_from(self.start.elapsed()).unwrap() + ahead
    }

    pub(crate) fn put_forward(&self, seconds: i64) {
        self.ahead.fetch_add(seconds, Ordering::Relaxed);
    }
}

/// The company's servers, seen by their administrator.
pub(crate) struct Forge {
    pub(crate) registries: [InMemory; 3],
    pub(crate) ledger: Repository,
    pub(crate) azure: Arc<Server>,
    pub(crate) clock: Arc<Clock>,
    place: LedgerPlace,
    caller: Actor,
    runs: AtomicU64,
}

impl Forge {
    /// Every manifest's tag is `""`; there are no images, builds and releases yet.
    pub(crate) fn new() -> Self {
        let clock = Arc::new(Clock { start: Instant::now(), ahead: AtomicI64::new(0) });
        let server_clock = Arc::clone(&clock);
        let forge = Self {
            registries: [InMemory::new(), InMemory::new(), InMemory::new()],
            ledger: Repository::new(),
            azure: Arc::new(Server::new(move || server_clock.now())),
            clock,
            place: LedgerPlace { url: word(LEDGER), branch: main_branch() },
            caller: Actor { id: word("claimed:agent"), name: "agent".to_owned() },
            runs: AtomicU64::new(1),
        };
        for (registry, app) in forge.registries.iter().flat_map(|registry| APPS.map(|app| (registry, app))) {
            registry.create(&word(&format!("forge/{app}")), TagRule::Immutable);
        }
        let mut files = vec![("conveyor.yaml".parse().unwrap(), config().into())];
        for (environment, app) in ENVIRONMENTS.iter().flat_map(|environment| APPS.map(|app| (environment, app))) {
            files.push((manifest_path(environment, app), manifest(app, "\"\"")));
        }
        forge.commit(&files);
        forge
    }

    /// Commits as somebody with a text editor does.
    pub(crate) fn commit(&self, files: &[(RepoPath, Bytes)]) -> CommitId {
        let files: Vec<_> = files.iter().map(|(path, bytes)| (path.clone(), Some(bytes.clone()))).collect();
        self.ledger.commit_files(&main_branch(), &files, "By hand\n").unwrap()
    }

    /// Writes a value into a manifest by hand.
    pub(crate) fn edit(&self, environment: &str, app: &str, value: &str) -> CommitId {
        self.commit(&[(manifest_path(environment, app), manifest(app, value))])
    }

    /// Replaces conveyor.yaml by hand.
    pub(crate) fn configure(&self, text: &str) -> CommitId {
        self.commit(&[(word("conveyor.yaml"), Bytes::copy_from_slice(text.as_bytes()))])
    }

    pub(crate) fn registry(&self, environment: &str) -> &InMemory {
        &self.registries[ENVIRONMENTS.iter().position(|known| *known == environment).unwrap()]
    }

    /// What a build's tag names.
    pub(crate) fn tag(&self, environment: &str, app: &str, number: u64) -> Option<Digest> {
        self.registry(environment).tags(&word(&format!("forge/{app}"))).get(&build(number).tag()).copied()
    }

    /// A build of main that Eve asked for and that is in progress.
    pub(crate) fn add_build(&self, app: &str, number: u64) {
        let definition = 50 + self::number(app);
        let (id, branch) = (build(number), "refs/heads/main".to_owned());
        let status = BuildStatus::InProgress;
        self.azure.add_build(Build { id, definition, branch, status, requesters: vec![actor(EVE)] }).unwrap();
    }

    pub(crate) fn succeed(&self, number: u64) {
        self.azure.set_build_status(build(number), BuildStatus::Succeeded).unwrap();
    }

    /// A build that succeeded, and whose image is in dev's registry.
    pub(crate) async fn built(&self, app: &str, number: u64) -> Digest {
        self.add_build(app, number);
        self.succeed(number);
        let image = Image::of(&format!("{app}:{number}"));
        self.put("dev", app, number, &image).await;
        image.digest()
    }

    /// Puts an image into an environment's registry past every rule.
    pub(crate) async fn put(&self, environment: &str, app: &str, number: u64, image: &Image) {
        image.put(self.registry(environment), &word(&format!("forge/{app}")), &build(number).tag()).await;
    }

    /// A release of a build that Ana asked for: QA has succeeded, and production is being deployed.
    pub(crate) fn add_release(&self, app: &str, number: u64) -> u64 {
        let stage = |number: u64, name: &str| Stage {
            id: number,
            definition: number,
            name: name.to_owned(),
            creator_can_approve: false,
            attempts: Vec::new(),
            approvals: Vec::new(),
        };
        let definition = self::number(app);
        self.azure
            .add_release(Release {
                id: number,
                definition: 10 + definition,
                build: Some(build(number)),
                build_definition: Some(50 + definition),
                created_by: actor(ANA),
                created_for: actor(ANA),
                stages: vec![stage(1, "QA"), stage(2, "Prod-Wealth")],
            })
            .unwrap();
        self.azure.begin(number, "QA", &actor(ANA)).unwrap();
        self.azure.end(number, "QA", End::Succeeded).unwrap();
        self.azure.begin(number, "Prod-Wealth", &actor(ANA)).unwrap();
        number
    }

    /// Asks the group, or whoever it is, to approve production, and lets somebody do so.
    pub(crate) fn approve(&self, release: u64, whom: &str, by: (&str, &str)) -> u64 {
        let approval = self.azure.ask(release, "Prod-Wealth", whom).unwrap();
        self.azure.answer(approval, &actor(by), Answer::Approve).unwrap();
        approval
    }

    pub(crate) fn head(&self) -> CommitId {
        self.ledger.log(&main_branch())[0].id
    }

    pub(crate) fn commits(&self) -> usize {
        self.ledger.log(&main_branch()).len()
    }

    /// The tag in a manifest now, read by eye.
    pub(crate) fn value(&self, environment: &str, app: &str) -> String {
        value_at(&self.ledger, &self.head(), environment, app)
    }

    /// The newest act on record.
    pub(crate) fn act(&self, environment: &str, app: &str) -> Option<record::Act> {
        let file = self.ledger.file(&self.head(), &record_path(environment, app))?;
        let entries = record::parse_file(&file, &word(environment), &word(app)).unwrap();
        record::fold(&entries).newest_act().cloned()
    }

    pub(crate) fn client(&self) -> Client<'_> {
        self.client_with(Faults::default())
    }

    /// A client of all servers, whose calls go wrong as `faults` says.
    pub(crate) fn client_with(&self, faults: Faults) -> Client<'_> {
        let server: Arc<dyn Remote> = Arc::new(self.ledger.clone());
        let ledger = faults
            .ledger
            .into_iter()
            .fold(ledger::faults::Faulty::new(server), |client, (call, fault)| client.with(call, fault));
        let mut of_registries = faults.registries.into_iter();
        let registries = self.registries.each_ref().map(|registry| {
            let faults = of_registries.next().unwrap_or_default();
            Arc::new(Faulty::new(registry.clone(), move |call| faults.get(&call.number).copied()))
        });
        let azure = FaultyAzure { server: Arc::clone(&self.azure), faults: faults.azure, calls: AtomicUsize::new(0) };
        Client {
            forge: self,
            ledger,
            servers: Servers { registries, azure: Arc::new(azure), may_write: AtomicBool::new(false) },
            run: RunId::new(1_790_000_000_000, self.runs.fetch_add(1, Ordering::Relaxed).into()),
            release: None,
            config: None,
            observer: Box::new(()),
            expect: None,
            dry_run: false,
            propose: false,
            patience: Duration::from_mins(10),
        }
    }
}

/// The tag in a manifest at a commit: what stands after `tag: `, up to a comment, without quotes.
pub(crate) fn value_at(ledger: &Repository, at: &CommitId, environment: &str, app: &str) -> String {
    let file = ledger.file(at, &manifest_path(environment, app)).unwrap();
    let text = String::from_utf8(file.to_vec()).unwrap();
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix("tag:")).unwrap();
    line.split('#').next().unwrap().trim().trim_matches('"').to_owned()
}

/// What goes wrong, by backend and number of the call: the Ledger's and Azure DevOps's from 0, the registries' from 1.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    pub(crate) ledger: BTreeMap<usize, ledger::faults::Fault>,
    pub(crate) registries: [BTreeMap<usize, registry_copy::faults::Fault>; 3],
    pub(crate) azure: BTreeMap<usize, AzureFault>,
}

/// What goes wrong with a question to Azure DevOps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AzureFault {
    /// No answer.
    Away,
    /// An answer that is none.
    Strange,
    /// Neither an answer nor an end.
    Hangs,
}

#[derive(Debug)]
pub(crate) struct FaultyAzure {
    server: Arc<Server>,
    faults: BTreeMap<usize, AzureFault>,
    calls: AtomicUsize,
}

impl FaultyAzure {
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    async fn ask<T>(
        &self,
        what: Resource,
        question: impl Future<Output = Result<T, AzureError>>,
    ) -> Result<T, AzureError> {
        let fault = self.faults.get(&self.calls.fetch_add(1, Ordering::Relaxed));
        yield_now().await;
        match fault {
            None => {
                let answer = question.await;
                yield_now().await;
                answer
            }
            Some(AzureFault::Away) => {
                let origin = guarded_http::Origin::of(&word("https://dev.azure.com")).unwrap();
                let last = Box::new(HttpError::PlainHttp { origin });
                Err(AzureError::Http { what, source: HttpError::Exhausted { attempts: 3, last } })
            }
            Some(AzureFault::Strange) => Err(AzureError::Mistaken { what }),
            Some(AzureFault::Hangs) => std::future::pending().await,
        }
    }
}

#[async_trait]
impl AzureDevOps for FaultyAzure {
    async fn build(&self, id: BuildId) -> Result<Option<Build>, AzureError> {
        self.ask(Resource::Build(id), self.server.build(id)).await
    }

    async fn release(&self, id: u64, stage: &str, source: Option<&str>) -> Result<policy::Release, AzureError> {
        self.ask(Resource::Release(id), self.server.release(id, stage, source)).await
    }
}

pub(crate) struct Servers {
    registries: [Arc<Faulty<InMemory>>; 3],
    pub(crate) azure: Arc<FaultyAzure>,
    /// Whether a registry was opened to be written.
    pub(crate) may_write: AtomicBool,
}

impl Servers {
    pub(crate) fn registry(&self, environment: &str) -> &Faulty<InMemory> {
        &self.registries[ENVIRONMENTS.iter().position(|known| *known == environment).unwrap()]
    }

    fn of(&self, environment: &EnvironmentConfig) -> Arc<dyn Registry> {
        assert_eq!(environment.registry.to_string(), format!("{}.example", environment.name));
        let named = ENVIRONMENTS.iter().position(|name| *name == environment.name.as_str()).unwrap();
        Arc::<Faulty<InMemory>>::clone(&self.registries[named])
    }

    /// How many calls changed what a registry holds, or tried to.
    pub(crate) fn writes(&self) -> usize {
        self.registries.iter().flat_map(|registry| registry.calls()).filter(|call| call.method.writes()).count()
    }
}

#[async_trait]
impl Connect for Servers {
    async fn registry(&self, environment: &EnvironmentConfig, access: Access) -> Result<Arc<dyn Registry>, Error> {
        self.may_write.fetch_or(access == Access::Write, Ordering::Relaxed);
        Ok(self.of(environment))
    }

    async fn source(&self, source: &EnvironmentConfig, _: &EnvironmentConfig) -> Result<Arc<dyn Registry>, Error> {
        Ok(self.of(source))
    }

    async fn other_registry(&self, at: &Authority, _: &Name, _: Access) -> Result<Arc<dyn Registry>, Error> {
        panic!("{at} is no environment's")
    }

    fn azure_devops(&self, _: &config::AzureDevOps) -> Result<Arc<dyn AzureDevOps>, Error> {
        Ok(Arc::<FaultyAzure>::clone(&self.azure))
    }
}

/// One process of Conveyor: one run.
pub(crate) struct Client<'f> {
    pub(crate) forge: &'f Forge,
    pub(crate) ledger: ledger::faults::Faulty,
    pub(crate) servers: Servers,
    pub(crate) run: RunId,
    pub(crate) release: Option<u64>,
    pub(crate) config: Option<String>,
    pub(crate) observer: Box<dyn conveyor::Observer>,
    pub(crate) expect: Option<Digest>,
    pub(crate) dry_run: bool,
    pub(crate) propose: bool,
    pub(crate) patience: Duration,
}

/// How a run ended, and its account.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) outcome: Result<Outcome, Error>,
    pub(crate) account: Account,
}

/// Which sequence to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sequence {
    Copy,
    Promote,
    Update,
    Check,
}

impl Client<'_> {
    pub(crate) async fn promote(&self, wanted: &[(&str, u64)], to: &str) -> Done {
        self.run(Sequence::Promote, wanted, to).await
    }

    pub(crate) async fn run(&self, sequence: Sequence, wanted: &[(&str, u64)], to: &str) -> Done {
        let mut account = Account::default();
        let (asked, now) = (self.asked(wanted, to), || self.forge.clock.now());
        let world = self.world(&now);
        let outcome = match sequence {
            Sequence::Promote => conveyor::promote(&world, &asked, &mut account).await,
            Sequence::Copy => conveyor::copy_artifacts(&world, &asked, &mut account).await,
            Sequence::Update => conveyor::update_ledger(&world, &asked, &mut account).await,
            Sequence::Check => conveyor::check(&world, &asked, &mut account).await,
        };
        Done { outcome, account }
    }

    pub(crate) async fn publish(&self, app: &str, number: u64, layout: &Layout, to: &str) -> Done {
        let mut account = Account::default();
        let (asked, now) = (self.asked(&[(app, number)], to), || self.forge.clock.now());
        let outcome = conveyor::publish(&self.world(&now), &asked, layout, &mut account).await;
        Done { outcome, account }
    }

    fn asked(&self, wanted: &[(&str, u64)], to: &str) -> Asked {
        let wanted = wanted.iter().map(|(app, number)| Wanted { app: word(app), build: build(*number) }).collect();
        Asked::new(wanted, word(to), self.expect, self.dry_run).unwrap().proposing(self.propose)
    }

    fn world<'a>(&'a self, now: &'a (dyn Fn() -> Timestamp + Send + Sync)) -> World<'a> {
        World {
            ledger: &self.ledger,
            place: &self.forge.place,
            connect: &self.servers,
            config: self.config.as_ref().map(String::as_bytes),
            observer: &*self.observer,
            now,
            deadline: Instant::now() + self.patience,
            run: self.run,
            release: self.release,
            caller: &self.forge.caller,
        }
    }
}
