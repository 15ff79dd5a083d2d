use std::{collections::BTreeMap, path::PathBuf, process::Stdio};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sandbox::{
    APPROVERS, APPS, Act, ENVIRONMENTS, FaultProxy, Forge, ForgeApp, RegistryOptions, RegistryServer, Script, Seen,
    azure_devops::{memory, memory::Answer, memory::End, model::BuildStatus},
    image::{self, ImageSpec},
    registry_copy::{InMemory, TagRule},
    release::{Actor, Digest},
};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::{DockerRegistry, PASSWORD, Ran, USER, ana, binary, git};

/// The service whose builds travel.
pub const APP: ForgeApp = APPS[0];

/// The release that asks for production.
pub const RELEASE: u64 = 880;

/// Forge with its binaries: on the sandbox's servers, on the sandbox's behind proxies, or on real registries.
pub struct Company {
    forge: Forge,
    docker: Vec<DockerRegistry>,
    /// Registries that took the place of the sandbox's own.
    fresh: std::sync::Mutex<BTreeMap<&'static str, RegistryServer>>,
    script: Script,
    proxies: BTreeMap<&'static str, FaultProxy>,
    registries: [String; 3],
    ledger_url: String,
    login: (String, String),
    variables: BTreeMap<&'static str, Option<String>>,
}

/// What the servers hold: to be compared before and after what must change nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The Ledger's head.
    pub head: String,
    /// Each environment's tags of the service, and what they name.
    pub tags: BTreeMap<&'static str, BTreeMap<String, String>>,
}

impl Company {
    /// On the sandbox, with a proxy before each server.
    pub async fn behind_proxies() -> Self {
        let mut company = Self::bare().await;
        let forge = &company.forge;
        let mut upstreams = vec![
            ("ledger", authority(forge.ledger_url()).to_owned()),
            ("azure", authority(&forge.releases().url()).to_owned()),
        ];
        upstreams.extend(ENVIRONMENTS.iter().map(|name| (*name, forge.registry(name).unwrap().authority())));
        for (server, upstream) in upstreams {
            let proxy = FaultProxy::start(server, upstream, &company.script).await.unwrap();
            company.proxies.insert(server, proxy);
        }
        company.registries = ENVIRONMENTS.map(|name| company.proxies[name].authority());
        company.ledger_url = format!("http://{}/ledger.git", company.proxies["ledger"].authority());
        let azure = (company.forge.releases().url(), company.proxies["azure"].url());
        company.settle(&[azure]);
        company
    }

    /// On three docker-registry processes.
    pub async fn on_docker_registries() -> Self {
        let mut company = Self::bare().await;
        for _ in ENVIRONMENTS {
            company.docker.push(DockerRegistry::start().await);
        }
        company.registries = [0, 1, 2].map(|index: usize| company.docker[index].authority());
        company.login = (USER.to_owned(), PASSWORD.to_owned());
        company.settle(&[]);
        company
    }

    async fn bare() -> Self {
        let forge = Forge::start().await.expect("the sandbox starts: git is needed, with git http-backend");
        let credentials = forge.credentials();
        Self {
            login: (credentials.user.clone(), credentials.password.clone()),
            registries: ENVIRONMENTS.map(|name| forge.registry(name).unwrap().authority()),
            ledger_url: forge.ledger_url().to_owned(),
            docker: Vec::new(),
            fresh: std::sync::Mutex::default(),
            script: Script::new(),
            proxies: BTreeMap::new(),
            variables: BTreeMap::new(),
            forge,
        }
    }

    /// Makes conveyor.yaml and the credentials name the servers as they are reached.
    fn settle(&self, others: &[(String, String)]) {
        let mut replaced = others.to_vec();
        replaced.push((self.forge.ledger_url().to_owned(), self.ledger_url.clone()));
        for (name, registry) in ENVIRONMENTS.iter().zip(&self.registries) {
            replaced.push((self.forge.registry(name).unwrap().authority(), registry.clone()));
        }
        self.edit("conveyor.yaml", |text| {
            replaced.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
        });
        let (user, password) = &self.login;
        let auth = BASE64_STANDARD.encode(format!("{user}:{password}"));
        let auths: serde_json::Map<_, _> =
            self.registries.iter().map(|registry| (registry.clone(), json!({ "auth": auth }))).collect();
        std::fs::create_dir_all(self.docker_config()).unwrap();
        std::fs::write(self.docker_config().join("config.json"), json!({ "auths": auths }).to_string()).unwrap();
        std::fs::create_dir_all(self.temporary()).unwrap();
    }

    /// A folder of the company's own.
    #[must_use]
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.forge.scratch().join(name)
    }

    /// Where the binaries put their temporary files.
    #[must_use]
    pub fn temporary(&self) -> PathBuf {
        self.scratch("temporary")
    }

    fn docker_config(&self) -> PathBuf {
        self.scratch("docker-config")
    }

    /// The registry of an environment, as conveyor.yaml names it.
    #[must_use]
    pub fn registry(&self, environment: &str) -> &str {
        let index = ENVIRONMENTS.iter().position(|name| *name == environment).unwrap();
        &self.registries[index]
    }

    /// What an environment's registry of the sandbox stores.
    #[must_use]
    pub fn memory(&self, environment: &str) -> InMemory {
        let fresh = self.fresh.lock().unwrap();
        let own = || self.forge.registry(environment).unwrap().memory().clone();
        fresh.get(environment).map_or_else(own, |server| server.memory().clone())
    }

    /// Puts an empty registry of the sandbox in an environment's place.
    pub async fn empty_registry(&self, environment: &'static str) {
        let memory = InMemory::new();
        memory.create(&APP.repository.parse().unwrap(), TagRule::Immutable);
        let (user, password) = &self.login;
        let server = RegistryServer::start(memory, RegistryOptions::for_user(user, password)).await.unwrap();
        self.proxies[environment].turn_to(server.authority());
        self.fresh.lock().unwrap().insert(environment, server);
    }

    /// Makes a server's port one where nobody listens.
    pub fn unplug(&mut self, server: &str) {
        self.proxies.remove(server);
    }

    /// Sets a variable of every command from now on, or with `None` takes it away.
    pub fn set(&mut self, variable: &'static str, value: Option<&str>) {
        self.variables.insert(variable, value.map(str::to_owned));
    }

    /// The registries' user and password.
    #[must_use]
    pub fn login(&self) -> (&str, &str) {
        (&self.login.0, &self.login.1)
    }

    /// The release server's token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.forge.credentials().token
    }

    /// The Ledger's URL.
    #[must_use]
    pub fn ledger_url(&self) -> &str {
        &self.ledger_url
    }

    /// The release server.
    #[must_use]
    pub fn releases(&self) -> &memory::Server {
        self.forge.releases().memory()
    }

    /// What the proxies do from now on; the count begins at 1, and held requests are let go.
    pub fn rule(&self, rule: impl Fn(&Seen) -> Act + Send + Sync + 'static) {
        self.script.set(rule);
    }

    /// The proxies pass everything on.
    pub fn calm(&self) {
        self.rule(|_| Act::Pass);
    }

    /// What the proxies saw since the rule was set.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.script.seen()
    }

    /// Until a proxy holds a request.
    pub async fn held(&self) {
        self.script.held().await;
    }

    /// The Ledger's bare repository.
    #[must_use]
    pub fn ledger_dir(&self) -> PathBuf {
        self.forge.ledger_dir()
    }

    /// Runs git in the Ledger's bare repository, as its administrator.
    pub fn git(&self, arguments: &[&str]) -> String {
        git(&self.forge.ledger_dir(), arguments)
    }

    /// A file at the Ledger's head.
    #[must_use]
    pub fn file(&self, path: &str) -> String {
        self.git(&["show", &format!("main:{path}")])
    }

    /// Commits a change of a file in the Ledger.
    pub fn edit(&self, path: &str, change: impl FnOnce(&str) -> String) {
        let text = change(&self.file(path));
        git::commit(&self.forge.ledger_dir(), path, &text);
    }

    /// Commits a file in the Ledger.
    pub fn write(&self, path: &str, text: &str) {
        git::commit(&self.forge.ledger_dir(), path, text);
    }

    /// A command as a person would give it, word by word, with the variables of a release's step.
    #[must_use]
    pub fn command(&self, line: &str) -> Command {
        let mut words = line.split_whitespace();
        let mut command = Command::new(binary(words.next().unwrap()));
        command
            .args(words)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", self.forge.scratch())
            .env("TMPDIR", self.temporary())
            .env("USER", "ana")
            .env("CONVEYOR_LEDGER", &self.ledger_url)
            .env("DOCKER_CONFIG", self.docker_config())
            .env("SYSTEM_ACCESSTOKEN", self.token())
            .env("RELEASE_RELEASEID", RELEASE.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        for (name, value) in &self.variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// Gives a command.
    pub async fn run(&self, line: &str) -> Ran {
        Ran::new(self.command(line).output().await.unwrap())
    }

    /// Gives a command and returns its document, having checked its exit code.
    pub async fn json(&self, line: &str, code: i32) -> Value {
        let ran = self.run(&format!("{line} --output json")).await;
        assert_eq!(ran.code, code, "{line}: {ran:?}");
        ran.document()
    }

    /// Gives a command and does not wait for it.
    #[must_use]
    pub fn start(&self, line: &str) -> Child {
        self.command(line).spawn().unwrap()
    }

    /// Waits for a command that was started.
    pub async fn end(child: Child) -> Ran {
        Ran::new(child.wait_with_output().await.unwrap())
    }

    /// An image of a seed, as an OCI layout: two layers of some kilobytes and a referrer.
    pub async fn layout(&self, seed: u64) -> (PathBuf, Digest) {
        let directory = self.scratch(&format!("image-{seed}"));
        let spec = ImageSpec { layers: vec![300_000, 20_000], ..ImageSpec::of_seed(seed) };
        let made = image::write(&spec, &directory).await.unwrap();
        (directory, made.image)
    }

    /// CI builds and publishes: the build runs, its image goes to dev's registry, the build succeeds.
    pub async fn publish(&self, build: &str, seed: u64) -> (Value, Digest) {
        let (layout, digest) = self.layout(seed).await;
        let id = build.parse().unwrap();
        self.releases().add_build(APP.build(id, &ana())).unwrap();
        let line = format!("copy-artifact {}={build} --from oci:{} --to dev", APP.name, layout.display());
        let document = self.json(&line, 0).await;
        self.releases().set_build_status(id, BuildStatus::Succeeded).unwrap();
        (document, digest)
    }

    /// A release of a build whose stage QA succeeded.
    pub fn release(&self, build: &str) {
        let releases = self.releases();
        releases.add_release(APP.release(RELEASE, build.parse().unwrap(), &ana())).unwrap();
        releases.begin(RELEASE, "QA", &ana()).unwrap();
        releases.end(RELEASE, "QA", End::Succeeded).unwrap();
    }

    /// An attempt at production begins and asks the approvers; the approval's id.
    #[must_use]
    pub fn ask(&self) -> u64 {
        self.releases().begin(RELEASE, "Prod-Wealth", &ana()).unwrap();
        self.releases().ask(RELEASE, "Prod-Wealth", APPROVERS).unwrap()
    }

    /// The attempt at production ends badly.
    pub fn end_attempt(&self) {
        self.releases().end(RELEASE, "Prod-Wealth", End::Failed).unwrap();
    }

    /// Somebody approves.
    pub fn approve(&self, approval: u64, by: &Actor) {
        self.releases().answer(approval, by, Answer::Approve).unwrap();
    }

    /// What all servers hold now.
    pub async fn state(&self) -> State {
        let mut tags = BTreeMap::new();
        for name in ENVIRONMENTS {
            tags.insert(name, if self.docker.is_empty() { self.held_tags(name) } else { self.listed_tags(name).await });
        }
        State { head: self.git(&["rev-parse", "main"]), tags }
    }

    fn held_tags(&self, environment: &str) -> BTreeMap<String, String> {
        let tags = self.memory(environment).tags(&APP.repository.parse().unwrap());
        tags.into_iter().map(|(tag, digest)| (tag.to_string(), digest.to_string())).collect()
    }

    async fn listed_tags(&self, environment: &str) -> BTreeMap<String, String> {
        let (user, password) = &self.login;
        let base = format!("http://{}/v2/{}", self.registry(environment), APP.repository);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let get = |url: String| client.get(url).basic_auth(user, Some(password)).send();
        let listed = get(format!("{base}/tags/list")).await.unwrap();
        if listed.status() == http::StatusCode::NOT_FOUND {
            return BTreeMap::new();
        }
        let listed: Value = listed.json().await.unwrap();
        let mut tags = BTreeMap::new();
        for tag in listed["tags"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let accept = "application/vnd.oci.image.manifest.v1+json";
            let request = client.get(format!("{base}/manifests/{tag}")).header(http::header::ACCEPT, accept);
            let manifest = request.basic_auth(user, Some(password)).send().await.unwrap().bytes().await.unwrap();
            tags.insert(tag.to_owned(), Digest::of(&manifest).to_string());
        }
        tags
    }

    /// Gives a command that must fail with this exit code, for people and as JSON at once; all the words must stand
    /// on stderr, and nothing may change. Returns the document.
    pub async fn fails(&self, line: &str, code: i32, words: &[&str]) -> Value {
        let before = self.state().await;
        let (told, document) = tokio::join!(self.run(line), self.json(line, code));
        assert_eq!((told.code, &*told.stdout), (code, ""), "{line}: {told:?}");
        for word in words {
            assert!(told.stderr.contains(word), "{line}: no {word:?} in\n{}", told.stderr);
        }
        for field in ["happened", "running", "next", "support"] {
            assert!(document.get(field).is_some(), "{line}: no {field} in {document}");
        }
        assert!(document["next"].is_string(), "{line}: nothing to do next in {document}");
        assert_eq!(self.state().await, before, "{line}: something is half done");
        document
    }
}

/// The authority of an http URL.
fn authority(url: &str) -> &str {
    url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).unwrap()
}
