//! Everything that a decision reads from the Ledger, at one head.

use std::collections::BTreeSet;

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
            let warning = format!("conveyor.yaml: `{key}` is not known to this version and has no effect");
            if !account.warnings.contains(&warning) {
                account.warnings.push(warning);
            }
        }
        let target = environment(&config, to)?.clone();
        let source = target.promotes_from.as_ref().map(|source| environment(&config, source)).transpose()?.cloned();

        let rules_path = config.policy.rules.clone();
        let mut reader = Reader { world, at, reads: vec![Read { path: file.path, was: Some(file.id) }] };
        let rules = reader.tracked(&rules_path).await?.map(|found| found.id);
        let mut seen = BTreeSet::new();
        let mut cases = Vec::new();
        for wanted in wanted {
            if !seen.insert(&wanted.app) {
                return Err(Error::AppTwice { app: wanted.app.clone() });
            }
            let app = app(&config, &wanted.app)?.clone();
            let case = reader.case(app, wanted.build, &target, source.as_ref(), scope).await?;
            let entry = account.apps.entry(wanted.app.clone()).or_insert_with(|| AppAccount::new(wanted.build));
            entry.running = case.manifest.as_ref().map(|manifest| manifest.found.to_string());
            cases.push(case);
        }
        Ok(Self { at, config_id: file.id, rules, target, source, cases, reads: reader.reads, config })
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
    let path: RepoPath = config::FILE.parse().map_err(|_| Error::NoConfig)?;
    let found = read_one(world, at, &path).await?.ok_or(Error::NoConfig)?;
    let config = Config::parse(world.config.unwrap_or(&found.bytes))?;
    if config.ledger != *world.place {
        let shown = |place: &config::LedgerPlace| format!("{} {}", place.url, place.branch.short());
        return Err(Error::OtherLedger { said: shown(&config.ledger), named: shown(world.place) });
    }
    Ok((config, ConfigFile { path, id: found.id }))
}

async fn read_one(world: &World<'_>, at: &CommitId, path: &RepoPath) -> Result<Option<Found>, Error> {
    Ok(world.ledger.read(at, std::slice::from_ref(path)).await?.pop().flatten())
}

/// Reads paths at one commit and remembers what each was.
struct Reader<'a> {
    world: &'a World<'a>,
    at: CommitId,
    reads: Vec<Read>,
}

impl Reader<'_> {
    async fn tracked(&mut self, path: &RepoPath) -> Result<Option<Found>, Error> {
        let found = read_one(self.world, &self.at, path).await?;
        self.reads.push(Read { path: path.clone(), was: found.as_ref().map(|found| found.id) });
        Ok(found)
    }

    async fn case(
        &mut self,
        app: AppConfig,
        build: BuildId,
        target: &EnvironmentConfig,
        source: Option<&EnvironmentConfig>,
        scope: Scope,
    ) -> Result<Case, Error> {
        let manifest = match scope {
            Scope::Image => None,
            Scope::Place => Some(self.manifest(&app, target).await?),
        };
        let (record_path, record) = self.record(&target.name, &app.name).await?;
        let source_record = match source {
            None => None,
            Some(source) => Some(self.record(&source.name, &app.name).await?.1),
        };
        Ok(Case { app, build, manifest, record, record_path, source_record })
    }

    /// The manifest is judged by its scalar, on each new head again, and so is not among the reads.
    async fn manifest(&self, app: &AppConfig, target: &EnvironmentConfig) -> Result<Manifest, Error> {
        let not_there = || Error::NotInLedger { app: app.name.clone() };
        let place = app.place.as_ref().ok_or_else(not_there)?;
        let path = place.manifest(&target.name).ok_or_else(not_there)?.clone();
        let file = read_one(self.world, &self.at, &path).await?;
        let file = file.ok_or_else(|| Error::NoManifest { path: path.clone() })?;
        let found = ledger::get_scalar(&file.bytes, None, &place.key)
            .map_err(|source| ledger::LedgerError::Edit { file: path.clone(), source })?;
        Ok(Manifest { path, id: file.id, found })
    }

    async fn record(&mut self, environment: &Environment, app: &App) -> Result<(RepoPath, State), Error> {
        let path: RepoPath = record::path(environment, app).parse()?;
        let state = match self.tracked(&path).await? {
            None => record::fold(&[]),
            Some(found) => {
                let entries = record::parse_file(&found.bytes, environment, app)
                    .map_err(|source| Error::Record { path: path.clone(), source })?;
                record::fold(&entries)
            }
        };
        Ok((path, state))
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
