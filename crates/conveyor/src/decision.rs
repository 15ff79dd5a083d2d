//! From a scene to permits: pin each digest, gather the facts, ask the rules.

use std::cmp::Ordering;

use aws::Access;
use futures_util::future::{try_join, try_join_all};
use policy::{Approval, Facts, Intent, Permit, Release, Request, RuleSet, Step, Violation};
use release::{Artifact, BuildId, Digest, Environment};

use crate::{
    Account, Denied, Error, Outcome, World, chain,
    facts::{Origin, Servers, is_a_stop},
    scene::{Case, Scene, Scope, Wanted},
};

/// What somebody asks a sequence to do.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The apps and their builds: all of them or none.
    pub(crate) wanted: Vec<Wanted>,
    /// The environment that changes.
    pub(crate) to: Environment,
    /// The digest that the build must have, where CI said so; for a single app.
    pub(crate) expect: Option<Digest>,
    /// Decide, and do nothing.
    pub(crate) dry_run: bool,
    /// Open a pull request where the Ledger's branch takes no pushes.
    pub(crate) propose: bool,
}

impl Asked {
    /// A request for some builds.
    ///
    /// # Errors
    /// [`Error::SeveralExpected`]: one digest cannot be several builds'.
    pub fn new(wanted: Vec<Wanted>, to: Environment, expect: Option<Digest>, dry_run: bool) -> Result<Self, Error> {
        if expect.is_some() && wanted.len() != 1 {
            return Err(Error::SeveralExpected);
        }
        Ok(Self { wanted, to, expect, dry_run, propose: false })
    }

    /// Whether a pull request is opened, or an open one adopted, where the Ledger's branch takes no pushes.
    #[must_use]
    pub fn proposing(self, propose: bool) -> Self {
        Self { propose, ..self }
    }

    /// What a copy does to the target's registry.
    pub(crate) fn copying(&self) -> Access {
        if self.dry_run { Access::Read } else { Access::Write }
    }
}

/// Why a sequence ends early: a decision, or a failure.
pub(crate) enum Stop {
    Outcome(Outcome),
    Error(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// A scene whose every case is pinned to a digest.
pub(crate) struct Decision<'w> {
    pub(crate) world: &'w World<'w>,
    pub(crate) scene: Scene,
    pub(crate) servers: Servers,
    origin: Origin,
    artifacts: Vec<Artifact>,
}

/// One case with the permit for its next step and the facts that it rests on.
pub(crate) struct Permitted<'d> {
    pub(crate) case: &'d Case,
    pub(crate) artifact: &'d Artifact,
    pub(crate) standing: Standing,
    /// What the step is: the permit must say the same.
    pub(crate) request: Request,
    pub(crate) permit: Permit,
    pub(crate) facts: Facts,
    /// The release that asks for this, as far as the server bears that out.
    pub(crate) release: Option<Release>,
    /// The approvals that counted.
    pub(crate) approvals: Vec<Approval>,
}

/// How a case's manifest stands to the build that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It asks for the build, and the record says so: nothing is to be written.
    Settled,
    /// It asks for the build, but the newest act on record is another: somebody edited by hand.
    Unrecorded,
    /// It holds an older build or nothing.
    Open,
}

impl<'w> Decision<'w> {
    /// Reads the Ledger and pins what was asked for. `access` is what the step does to the target's registry.
    pub(crate) async fn make(
        world: &'w World<'w>,
        asked: &Asked,
        scope: Scope,
        access: Access,
        account: &mut Account,
    ) -> Result<Self, Stop> {
        let scene = Self::scene(world, asked, scope, account).await?;
        let servers = Servers::open(world, &scene, access).await?;
        let mut artifacts = Vec::new();
        for case in &scene.cases {
            let digest = pin(&scene, &servers, case).await?;
            artifacts.push(artifact(&scene, case, digest, asked.expect, account)?);
        }
        Ok(Self { world, scene, servers, origin: Origin::Registries, artifacts })
    }

    /// As [`make`](Self::make), for one app whose image CI has just built.
    pub(crate) async fn publish(
        world: &'w World<'w>,
        asked: &Asked,
        digest: Digest,
        account: &mut Account,
    ) -> Result<Self, Stop> {
        let scene = Self::scene(world, asked, Scope::Image, account).await?;
        let servers = Servers::open(world, &scene, asked.copying()).await?;
        let artifacts = scene
            .cases
            .iter()
            .map(|case| artifact(&scene, case, Some(digest), asked.expect, account))
            .collect::<Result<_, _>>()?;
        Ok(Self { world, scene, servers, origin: Origin::Built(digest), artifacts })
    }

    async fn scene(world: &World<'_>, asked: &Asked, scope: Scope, account: &mut Account) -> Result<Scene, Error> {
        if world.config.is_some() && !asked.dry_run {
            return Err(Error::LocalConfig);
        }
        Scene::read(world, &asked.wanted, &asked.to, scope, account).await
    }

    /// The cases in which something is to do: the environment does not stand where it was asked to, or its registry has
    /// lost the image.
    pub(crate) async fn open(&self, account: &mut Account) -> Result<Vec<(usize, Standing)>, Stop> {
        let mut open = Vec::new();
        for (index, (case, artifact)) in self.pinned().enumerate() {
            let standing = standing(&self.scene, case, artifact, account)?;
            if standing != Standing::Settled || self.has_lost(case, artifact, account).await? {
                open.push((index, standing));
            }
        }
        Ok(open)
    }

    /// Whether the target's registry answers that it does not hold a settled case's image.
    async fn has_lost(&self, case: &Case, artifact: &Artifact, account: &mut Account) -> Result<bool, Stop> {
        let target = &self.scene.target.name;
        match registry_copy::pin(&*self.servers.target, &case.app.repository, &case.build.tag()).await {
            Ok(Some(by)) if by != artifact.digest => {
                let place = crate::act::place(&self.scene, case);
                Err(Stop::Outcome(Outcome::TagHeld { place, by, wanted: artifact.digest }))
            }
            Ok(held) => Ok(held.is_none()),
            Err(source) if is_a_stop(&source) => Err(Error::Registry { environment: target.clone(), source }.into()),
            Err(error) => {
                account.unseen = true;
                account.warn(format!("nobody knows whether the registry of {target} holds it: {}", chain(&error)));
                Ok(false)
            }
        }
    }

    /// All cases, for a step that does not look at the manifests.
    pub(crate) fn all(&self) -> Vec<(usize, Standing)> {
        (0..self.scene.cases.len()).map(|index| (index, Standing::Open)).collect()
    }

    /// A permit for each of these cases, or the reasons why not: all of them or none.
    pub(crate) async fn permits(
        &self,
        cases: &[(usize, Standing)],
        intent: &Intent,
        step: Step,
        account: &mut Account,
    ) -> Result<Vec<Permitted<'_>>, Stop> {
        let chosen: Vec<_> = self
            .pinned()
            .enumerate()
            .filter_map(|(index, pair)| {
                cases.iter().find(|(chosen, _)| *chosen == index).map(|(_, standing)| (pair, *standing))
            })
            .collect();
        let gathered =
            chosen.iter().map(|((case, _), _)| self.servers.facts(self.world, &self.scene, case, self.origin));
        let cautions = chosen.iter().map(|((case, _), _)| self.servers.cautions(&self.scene, case));
        let (facts, cautions) = try_join(try_join_all(gathered), try_join_all(cautions)).await?;
        cautions.into_iter().flatten().for_each(|caution| account.warn(caution));
        let mut permitted = Vec::new();
        let mut denied = Vec::new();
        for (((case, artifact), standing), facts) in chosen.into_iter().zip(facts) {
            self.refuse_other_bytes(case, artifact, &facts)?;
            let request = self.request(artifact, intent, step);
            let parameters = self.parameters(case);
            let release = policy::release_that_asks(&parameters, &request, &facts).cloned();
            let approvals = policy::approvals_that_count(&parameters, &request, &facts).into_iter().cloned();
            let approvals: Vec<Approval> = approvals.collect();
            let (verdicts, decided) = self.evaluate(&parameters, request, &facts);
            if let Some(entry) = account.apps.get_mut(&case.app.name) {
                entry.verdicts.clone_from(&verdicts);
                let names = approvals.iter().filter_map(|approval| approval.approver.as_ref());
                entry.approvers = names.map(|approver| approver.name.clone()).collect();
            }
            match decided {
                Ok(permit) => {
                    let request = self.request(artifact, intent, step);
                    permitted.push(Permitted { case, artifact, standing, request, permit, facts, release, approvals });
                }
                Err(violations) => denied.push(Denied { app: case.app.name.clone(), violations, verdicts }),
            }
        }
        if denied.is_empty() { Ok(permitted) } else { Err(Stop::Outcome(Outcome::Denied(denied))) }
    }

    /// What a permit for a step must be for.
    pub(crate) fn request(&self, artifact: &Artifact, intent: &Intent, step: Step) -> Request {
        Request {
            intent: intent.clone(),
            step,
            artifact: artifact.clone(),
            from: self.scene.source.as_ref().map(|source| source.name.clone()),
            to: self.scene.target.name.clone(),
        }
    }

    fn pinned(&self) -> impl Iterator<Item = (&Case, &Artifact)> {
        self.scene.cases.iter().zip(&self.artifacts)
    }

    /// A tag that holds other bytes is not a matter of policy: 12 at the target, 13 at the source.
    fn refuse_other_bytes(&self, case: &Case, artifact: &Artifact, facts: &Facts) -> Result<(), Stop> {
        if let policy::Fact::Known(policy::Source::Record { tag: Some(tag), .. }) = facts.source
            && tag != artifact.digest
        {
            let place = self.scene.source.as_ref().map(|source| format!("the registry of {}", source.name));
            return Err(Error::OtherDigest {
                app: artifact.app.clone(),
                build: artifact.build,
                place: place.unwrap_or_default(),
                expected: artifact.digest,
                found: tag,
            }
            .into());
        }
        match facts.target {
            policy::Fact::Known(policy::Target::Holds(by)) if by != artifact.digest => {
                let place = crate::act::place(&self.scene, case);
                Err(Stop::Outcome(Outcome::TagHeld { place, by, wanted: artifact.digest }))
            }
            _ => Ok(()),
        }
    }

    fn evaluate(
        &self,
        parameters: &policy::Parameters,
        request: Request,
        facts: &Facts,
    ) -> (Vec<policy::RuleVerdict>, Result<Permit, Vec<Violation>>) {
        let rules = match RuleSet::safety(parameters).requiring(&self.scene.config.policy.require) {
            Ok(rules) => rules,
            Err(missing) => {
                let violation = Violation {
                    rule: missing.rule.clone(),
                    because: missing.to_string(),
                    remedy: "install a Conveyor that has the rule, or take it out of policy.require".to_owned(),
                    transient: false,
                };
                return (Vec::new(), Err(vec![violation]));
            }
        };
        match rules.evaluate(request, facts, (self.world.now)()) {
            policy::Decision::Allowed(permit) => (permit.verdicts().to_vec(), Ok(permit)),
            policy::Decision::Denied(denial) => (denial.verdicts().to_vec(), Err(denial.violations().to_vec())),
        }
    }

    fn parameters(&self, case: &Case) -> policy::Parameters {
        let (app, target) = (&case.app, &self.scene.target);
        policy::Parameters {
            build_definition: app.build_definition,
            branches: app.branches.clone(),
            release_definition: app.release_definition,
            stage: target.stage.clone(),
            source_has_stage: self.scene.source.as_ref().is_some_and(|source| source.stage.is_some()),
            approval: target.approval.clone(),
            mutable_tags_accepted: target.mutable_tags_accepted,
        }
    }
}

/// The digest of a case's build: on record in the environment before or, for the first environment, what its own
/// registry holds.
async fn pin(scene: &Scene, servers: &Servers, case: &Case) -> Result<Option<Digest>, Error> {
    if scene.source.is_some() {
        return case.recorded();
    }
    if let Some(recorded) = case.record.digest_of(case.build)? {
        return Ok(Some(recorded));
    }
    registry_copy::pin(&*servers.target, &case.app.repository, &case.build.tag())
        .await
        .map_err(|source| Error::Registry { environment: scene.target.name.clone(), source })
}

fn artifact(
    scene: &Scene,
    case: &Case,
    digest: Option<Digest>,
    expect: Option<Digest>,
    account: &mut Account,
) -> Result<Artifact, Stop> {
    let Some(digest) = digest else { return Err(Stop::Outcome(Outcome::Denied(vec![nowhere(scene, case)]))) };
    if let Some(entry) = account.apps.get_mut(&case.app.name) {
        entry.digest = Some(digest);
    }
    if let Some(expected) = expect.filter(|expected| *expected != digest) {
        return Err(Error::OtherDigest {
            app: case.app.name.clone(),
            build: case.build,
            place: scene.source.as_ref().unwrap_or(&scene.target).name.to_string(),
            expected,
            found: digest,
        }
        .into());
    }
    Ok(Artifact { app: case.app.name.clone(), build: case.build, digest })
}

/// The denial of a build that the environment before never had.
fn nowhere(scene: &Scene, case: &Case) -> Denied {
    let (app, build) = (&case.app.name, case.build);
    let (because, remedy) = match (&scene.source, &case.source_record) {
        (Some(source), Some(record)) if record.is_quarantined(build) => (
            format!("{} went back from {app} {build}, so it is in quarantine there", source.name),
            "promote a newer build".to_owned(),
        ),
        (Some(source), Some(record)) if record.predates(build) => (
            format!("the record of {} does not reach back to {app} {build} any more", source.name),
            "promote a newer build".to_owned(),
        ),
        (Some(source), _) => (
            format!("{} has no record of {app} {build}", source.name),
            format!("promote it there first: conveyor promote {app}={build} --to {}", source.name),
        ),
        (None, _) => (
            format!("the registry of {} holds no {}:{build}", scene.target.name, case.app.repository),
            format!("publish it first: copy-artifact {app}={build} --from oci:DIRECTORY --to {}", scene.target.name),
        ),
    };
    let violation = Violation { rule: policy::BUILD_ON_RECORD, because, remedy, transient: false };
    Denied { app: app.clone(), violations: vec![violation], verdicts: Vec::new() }
}

fn standing(scene: &Scene, case: &Case, artifact: &Artifact, account: &mut Account) -> Result<Standing, Stop> {
    let Some(manifest) = &case.manifest else { return Ok(Standing::Open) };
    let (app, environment) = (&case.app.name, &scene.target.name);
    let superseded = || {
        Stop::Outcome(Outcome::Superseded {
            app: Some(app.clone()),
            edit: None,
            found: manifest.found.to_string(),
            wanted: case.build.to_string(),
        })
    };
    let act = case.record.newest_act().map(|act| &act.subject.artifact);
    if manifest.found.is_empty() {
        return Ok(Standing::Open);
    }
    let found: BuildId = manifest.found.as_str().parse().map_err(|_| superseded())?;
    match act {
        None => account.warn(format!("{app} in {environment}: the manifest held {found}, of which there is no record")),
        Some(act) if act.build != found => account.warn(format!(
            "{app} in {environment}: the manifest held {found}, but the newest act on record is {}: edited by hand",
            act.build
        )),
        Some(_) => {}
    }
    match found.cmp(&case.build) {
        Ordering::Less => Ok(Standing::Open),
        Ordering::Greater => Err(superseded()),
        Ordering::Equal => match act {
            Some(act) if act == artifact => Ok(Standing::Settled),
            Some(act) if act.build == case.build => Err(Error::OtherDigest {
                app: app.clone(),
                build: case.build,
                place: format!("the record of {environment}"),
                expected: artifact.digest,
                found: act.digest,
            }
            .into()),
            _ => Ok(Standing::Unrecorded),
        },
    }
}
