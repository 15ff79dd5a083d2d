//! Everything that a decision reads from the Ledger, at one head.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{Found, Read, RepoPath, Scalar};
use record::State;
use release::{App, BuildId, CommitId, Digest, Environment, ObjectId};

use crate::{
    Account, AppAccount, Error, World,
    config::{self, AppConfig, Config, EnvironmentConfig},
};

/// An app and the build of it that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The app.
    pub app: App,
    /// The build.
    pub build: BuildId,
}

/// The Ledger at one head, as far as a decision is concerned.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) at: CommitId,
    pub(crate) config: Config,
    pub(crate) config_id: ObjectId,
    pub(crate) rules: Option<ObjectId>,
    pub(crate) target: EnvironmentConfig,
    pub(crate) source: Option<EnvironmentConfig>,
    pub(crate) cases: Vec<Case>,
    /// What every app's decision read.
    pub(crate) reads: Vec<Read>,
}

/// One app in a scene.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) app: AppConfig,
    pub(crate) build: BuildId,
    /// The manifest and what it holds; none where only the image is concerned.
    pub(crate) manifest: Option<Manifest>,
    pub(crate) record: State,
    pub(crate) record_path: RepoPath,
    /// The record of the environment before.
    pub(crate) source_record: Option<State>,
}

/// An app's manifest as it stands.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) path: RepoPath,
    pub(crate) id: ObjectId,
    pub(crate) found: Scalar,
}

/// Whether a scene reads the manifests too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Only what a copy needs.
    Image,
    /// What a change of the environment needs.
    Place,
}

impl Scene {
    /// Reads the scene for some apps and a target environment at the Ledger's head.
    pub(crate) async fn read(
        world: &World<'_>,
        wanted: &[Wanted],
        to: &Environment,
        scope: Scope,
        account: &mut Account,
    ) -> Result<Self, Error> {
        let at = world.ledger.head(&world.place.branch).await?;
        let (config, file) = read_config(world, &at).await?;
        account.support = Some(config.support.clone());
        account.environment = Some(to.clone());
        for key in &config.unknown_keys {
            account.warn(format!("conveyor.yaml: `{key}` is not known to this version and has no effect"));
        }
        let target = environment(&config, to)?.clone();
        let source = target.promotes_from.as_ref().map(|source| environment(&config, source)).transpose()?.cloned();

        let mut files = Files::default();
        let mut plans = Vec::new();
        for wanted in wanted {
            if plans.iter().any(|plan: &Plan| plan.app.name == wanted.app) {
                return Err(Error::AppTwice { app: wanted.app.clone() });
            }
            let app = app(&config, &wanted.app)?.clone();
            plans.push(Plan::new(app, wanted.build, &target, source.as_ref(), scope)?);
        }
        files
            .read(world, at, [config.policy.rules.clone()].into_iter().chain(plans.iter().flat_map(Plan::paths)))
            .await?;

        let mut reads = vec![Read { path: file.path, was: Some(file.id) }, files.as_read(&config.policy.rules)];
        let mut cases = Vec::new();
        for plan in plans {
            reads.extend(plan.records.iter().map(|(_, path)| files.as_read(path)));
            let case = plan.case(&files)?;
            let entry = account.apps.entry(case.app.name.clone()).or_insert_with(|| AppAccount::new(case.build));
            entry.running = case.manifest.as_ref().map(|manifest| manifest.found.to_string());
            cases.push(case);
        }
        let rules = files.get(&config.policy.rules).map(|found| found.id);
        if rules.is_none() && config.policy.explicit {
            account.warn(format!(
                "conveyor.yaml: policy.rules is {}, and the Ledger has no such folder",
                config.policy.rules
            ));
        }
        Ok(Self { at, config_id: file.id, rules, target, source, cases, reads, config })
    }
}

impl AppAccount {
    fn new(build: BuildId) -> Self {
        Self { build, digest: None, running: None, copy: None, verdicts: Vec::new(), approvers: Vec::new() }
    }
}

impl Case {
    /// The digest with which the environment before may give the build.
    pub(crate) fn recorded(&self) -> Result<Option<Digest>, Error> {
        Ok(self.source_record.as_ref().map(|record| record.had_it(self.build)).transpose()?.flatten())
    }
}

/// conveyor.yaml's path and blob.
struct ConfigFile {
    path: RepoPath,
    id: ObjectId,
}

async fn read_config(world: &World<'_>, at: &CommitId) -> Result<(Config, ConfigFile), Error> {
    let path: RepoPath = config::FILE.parse()?;
    let found = world.ledger.read(at, std::slice::from_ref(&path)).await?.pop().flatten().ok_or(Error::NoConfig)?;
    let config = match world.config {
        Some(local) => {
            let config = Config::parse(local)?;
            config.names_only_servers_of(&Config::parse(&found.bytes)?)?;
            config
        }
        None => Config::parse(&found.bytes)?,
    };
    if config.ledger != *world.place {
        let shown = |place: &config::LedgerPlace| format!("{} {}", place.url, place.branch.short());
        return Err(Error::OtherLedger { said: shown(&config.ledger), named: shown(world.place) });
    }
    Ok((config, ConfigFile { path, id: found.id }))
}

impl Config {
    /// A local file is nobody's reviewed word: it must not send credentials where the Ledger's own does not.
    fn names_only_servers_of(&self, reviewed: &Self) -> Result<(), Error> {
        let reviewed_servers: BTreeSet<String> = reviewed.servers().collect();
        if let Some(server) = self.servers().find(|server| !reviewed_servers.contains(server)) {
            return Err(Error::UnreviewedServer { server });
        }
        match &self.azure_devops {
            Some(project) if Some(project) != reviewed.azure_devops.as_ref() => {
                let server = project.url.as_ref().map_or_else(|| project.organization.clone(), ToString::to_string);
                Err(Error::UnreviewedServer { server })
            }
            _ => Ok(()),
        }
    }
}

impl Config {
    /// What gets credentials, and whose.
    fn servers(&self) -> impl Iterator<Item = String> {
        self.environments.values().flat_map(|environment| {
            let EnvironmentConfig { registry, aws, token_hosts, .. } = environment;
            let as_what = match aws {
                Some(aws) => format!("{registry} (as the ECR of account {})", aws.account),
                None => registry.to_string(),
            };
            let endpoints = aws.iter().flat_map(|aws| aws.endpoints.sts.iter().chain(&aws.endpoints.ecr));
            let tokens = token_hosts.iter().map(|host| format!("{host} (for tokens)"));
            std::iter::once(as_what).chain(endpoints.map(ToString::to_string)).chain(tokens)
        })
    }
}

/// Files and folders as they are at one commit.
#[derive(Default)]
struct Files(BTreeMap<RepoPath, Option<Found>>);

impl Files {
    /// Reads them all in one go.
    async fn read(
        &mut self,
        world: &World<'_>,
        at: CommitId,
        paths: impl Iterator<Item = RepoPath>,
    ) -> Result<(), Error> {
        let paths: Vec<RepoPath> = paths.collect::<BTreeSet<_>>().into_iter().collect();
        let found = world.ledger.read(&at, &paths).await?;
        self.0.extend(paths.into_iter().zip(found));
        Ok(())
    }

    fn get(&self, path: &RepoPath) -> Option<&Found> {
        self.0.get(path)?.as_ref()
    }

    fn as_read(&self, path: &RepoPath) -> Read {
        Read { path: path.clone(), was: self.get(path).map(|found| found.id) }
    }
}

/// The files that one app's decision rests on.
struct Plan {
    app: AppConfig,
    build: BuildId,
    /// The manifest is judged by its scalar, on each new head again, and so is not among the reads.
    manifest: Option<RepoPath>,
    /// The target's record and, where there is one, that of the environment before.
    records: Vec<(Environment, RepoPath)>,
}

impl Plan {
    fn new(
        app: AppConfig,
        build: BuildId,
        target: &EnvironmentConfig,
        source: Option<&EnvironmentConfig>,
        scope: Scope,
    ) -> Result<Self, Error> {
        let manifest = match scope {
            Scope::Image => None,
            Scope::Place => {
                let path = app.place.as_ref().and_then(|place| place.manifest(&target.name)).cloned();
                Some(path.ok_or_else(|| Error::NotInLedger { app: app.name.clone() })?)
            }
        };
        let record = |environment: &EnvironmentConfig| {
            Ok((environment.name.clone(), record::path(&environment.name, &app.name).parse()?))
        };
        let records = [Some(target), source].into_iter().flatten().map(record).collect::<Result<_, Error>>()?;
        Ok(Self { app, build, manifest, records })
    }

    fn paths(&self) -> impl Iterator<Item = RepoPath> {
        self.manifest.iter().chain(self.records.iter().map(|(_, path)| path)).cloned()
    }

    fn case(self, files: &Files) -> Result<Case, Error> {
        let mut states = Vec::new();
        for (environment, path) in &self.records {
            let bytes = files.get(path).map_or(b"[]".as_slice(), |found| &found.bytes);
            let entries = record::parse_file(bytes, environment, &self.app.name)
                .map_err(|source| Error::Record { path: path.clone(), source })?;
            states.push((path.clone(), record::fold(&entries)));
        }
        let mut states = states.into_iter();
        let (record_path, record) = states.next().ok_or_else(|| Error::NotInLedger { app: self.app.name.clone() })?;
        let manifest = self.manifest.map(|path| manifest(&self.app, path, files)).transpose()?;
        let source_record = states.next().map(|(_, state)| state);
        Ok(Case { app: self.app, build: self.build, manifest, record, record_path, source_record })
    }
}

fn manifest(app: &AppConfig, path: RepoPath, files: &Files) -> Result<Manifest, Error> {
    let place = app.place.as_ref().ok_or_else(|| Error::NotInLedger { app: app.name.clone() })?;
    let file = files.get(&path).ok_or_else(|| Error::NoManifest { path: path.clone() })?;
    match ledger::get_scalar(&file.bytes, place.document.as_ref(), &place.key) {
        Ok(found) => Ok(Manifest { path, id: file.id, found }),
        Err(source) => Err(ledger::LedgerError::Edit { file: path, source }.into()),
    }
}

fn environment<'c>(config: &'c Config, name: &Environment) -> Result<&'c EnvironmentConfig, Error> {
    config.environments.get(name).ok_or_else(|| Error::UnknownEnvironment {
        environment: name.clone(),
        known: names(config.environments.keys()),
    })
}

fn app<'c>(config: &'c Config, name: &App) -> Result<&'c AppConfig, Error> {
    config.apps.get(name).ok_or_else(|| Error::UnknownApp { app: name.clone(), known: names(config.apps.keys()) })
}

fn names<T: ToString>(names: impl Iterator<Item = T>) -> String {
    names.map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}
