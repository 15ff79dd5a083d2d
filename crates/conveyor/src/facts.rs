//! Gathering what the rules look at: from the registries and from Azure DevOps, all at once.

use std::sync::Arc;

use aws::Access;
use azure_devops::AzureDevOps;
use policy::{Fact, Facts, Release, RulesFrom, Source, TagRule, Target};
use registry_copy::{Registry, RegistryError};
use release::{Digest, Environment, Repository, Tag};

use crate::{
    Error, World, chain,
    config::EnvironmentConfig,
    ecr,
    scene::{Case, Scene},
};

/// The servers that a scene's environments and project name, opened.
pub(crate) struct Servers {
    pub(crate) target: Arc<dyn Registry>,
    pub(crate) source: Option<Arc<dyn Registry>>,
    azure: Option<Arc<dyn AzureDevOps>>,
}

/// Where the image is now.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin {
    /// A layout that CI has just built.
    Built(Digest),
    /// The registry of the environment before, or the first environment's own.
    Registries,
}

impl Servers {
    pub(crate) async fn open(world: &World<'_>, scene: &Scene, access: Access) -> Result<Self, Error> {
        let target = world.connect.registry(&scene.target, access).await?;
        let source = match &scene.source {
            Some(source) => Some(world.connect.source(source, &scene.target).await?),
            None => None,
        };
        Ok(Self {
            target,
            source,
            azure: scene.config.azure_devops.as_ref().map(|project| world.connect.azure_devops(project)).transpose()?,
        })
    }

    /// What somebody should know of the target's settings for one case's tag.
    pub(crate) async fn cautions(&self, scene: &Scene, case: &Case) -> Result<Vec<String>, Error> {
        let environment = &scene.target.name;
        match self.target.cautions(&case.app.repository, &case.build.tag()).await {
            Ok(cautions) => Ok(cautions.into_iter().map(|caution| format!("{environment}: {caution}")).collect()),
            Err(source) if is_a_stop(&source) => Err(Error::Registry { environment: environment.clone(), source }),
            Err(error) => {
                let why = chain(&error);
                Ok(vec![format!("{environment}: nobody knows what its registry's settings may do to the image: {why}")])
            }
        }
    }

    /// The facts about one case. A server that lies about a digest is an error; one that does not answer is a missing
    /// fact.
    pub(crate) async fn facts(
        &self,
        world: &World<'_>,
        scene: &Scene,
        case: &Case,
        origin: Origin,
    ) -> Result<Facts, Error> {
        let (repository, tag) = (&case.app.repository, case.build.tag());
        let (build, source, target, tag_rule, release) = tokio::join!(
            self.build(case),
            self.source(scene, case, origin, &tag),
            held(&*self.target, repository, &tag),
            self.target.tag_rule(repository, &tag),
            self.release(world, scene),
        );
        let target = known(&scene.target.name, target)?;
        let rules_from = RulesFrom { commit: scene.at, config: scene.config_id, rules: scene.rules };
        Ok(Facts {
            build,
            source: source?,
            target: target.map(|held| held.map_or(Target::Absent, Target::Holds)),
            tag_rule: known(&scene.target.name, tag_rule)?.map(|rule| match rule {
                registry_copy::TagRule::Immutable => TagRule::Immutable,
                registry_copy::TagRule::Mutable => TagRule::Mutable,
                registry_copy::TagRule::Unknown => TagRule::Unknown,
            }),
            release,
            rules_from: Fact::Known(rules_from),
        })
    }

    async fn build(&self, case: &Case) -> Fact<policy::Build> {
        match (&self.azure, case.app.build_definition) {
            (Some(azure), Some(_)) => azure_devops::fact(azure.build(case.build).await).and_then(|build| {
                let why = || format!("Azure DevOps has no build {}", case.build);
                build.map_or_else(|| Fact::missing(why(), "name a build that CI has made"), Fact::Known)
            }),
            _ => Fact::missing(
                "conveyor.yaml names no build definition",
                format!("write `build_definition: NUMBER` for {} in conveyor.yaml", case.app.name),
            ),
        }
    }

    async fn source(&self, scene: &Scene, case: &Case, origin: Origin, tag: &Tag) -> Result<Fact<Source>, Error> {
        let repository = &case.app.repository;
        match (origin, &scene.source, &self.source) {
            (Origin::Built(digest), ..) => Ok(Fact::Known(Source::Built { digest })),
            (Origin::Registries, Some(before), Some(registry)) => {
                let recorded = case.recorded()?;
                let held = known(&before.name, held(&**registry, repository, tag).await)?;
                Ok(held.map(|tag| Source::Record { recorded, tag }))
            }
            (Origin::Registries, ..) => {
                let held = known(&scene.target.name, held(&*self.target, repository, tag).await)?;
                Ok(held.map(|tag| Source::Registry { tag }))
            }
        }
    }

    async fn release(&self, world: &World<'_>, scene: &Scene) -> Fact<Release> {
        let Some(azure) = &self.azure else {
            return Fact::missing(
                "conveyor.yaml names no Azure DevOps",
                "write `azure_devops: { organization, project }` in conveyor.yaml",
            );
        };
        let target = &scene.target.name;
        let Some(stage) = &scene.target.stage else {
            return Fact::missing(
                format!("conveyor.yaml names no stage for {target}"),
                format!("write `stage: NAME` for {target} in conveyor.yaml"),
            );
        };
        let Some(id) = world.release else {
            return Fact::missing(
                "no release asks for this (RELEASE_RELEASEID is not set)",
                format!("run this in the stage {stage} of a release, or set RELEASE_RELEASEID to that release's id"),
            );
        };
        let source_stage = scene.source.as_ref().and_then(|source: &EnvironmentConfig| source.stage.as_deref());
        azure_devops::fact(azure.release(id, stage, source_stage).await)
    }
}

/// What a tag holds, by its bytes.
async fn held(registry: &dyn Registry, repository: &Repository, tag: &Tag) -> Result<Option<Digest>, RegistryError> {
    registry_copy::pin(registry, repository, tag).await
}

/// Whether a registry's failure ends it all, where another would be a missing fact: it lies, or whoever asks is somebody
/// else than conveyor.yaml says.
pub(crate) fn is_a_stop(error: &RegistryError) -> bool {
    error.is_integrity() || ecr::is_wrong_account(error)
}

/// An answer as a fact.
fn known<T>(environment: &Environment, answer: Result<T, RegistryError>) -> Result<Fact<T>, Error> {
    match answer {
        Ok(answer) => Ok(Fact::Known(answer)),
        Err(source) if is_a_stop(&source) => Err(Error::Registry { environment: environment.clone(), source }),
        Err(error) => {
            let why = format!("the registry of {environment}: {}", chain(&error));
            Ok(match error {
                error if error.is_retryable() => Fact::unanswered(why),
                error if error.is_denied() => Fact::missing(
                    why,
                    format!("give this agent credentials that may read the registry of {environment}"),
                ),
                RegistryError::NoRepository { repository } => {
                    Fact::missing(why, format!("create {repository} in the registry of {environment}"))
                }
                _ => Fact::missing(why, format!("correct the registry of {environment} in conveyor.yaml, or mend it")),
            })
        }
    }
}
