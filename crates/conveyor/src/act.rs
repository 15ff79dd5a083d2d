//! What acts: each function takes a permit by value, checks that it is for this very step, and does that step.

use jiff::Timestamp;
use ledger::{Applied, AppliedEdit};
use policy::{Permit, Request, Step};
use registry_copy::{Destination, Options, Registry, Source};
use release::{Artifact, Authority, Reference};
use tokio::time::Instant;

use crate::{
    Account, ChangeAccount, CopyAccount, Error, LedgerAccount, Outcome,
    bring::{self, Brought},
    config::Sync,
    decision::{Decision, Permitted, Stop},
    moving::{self, Moving},
    scene::{Case, Scene},
    writing::Writing,
};

/// Copies each permitted image from `registry` into the target's registry; in a dry run only says in `account` what that
/// would move.
pub(crate) async fn copy(
    decision: &Decision<'_>,
    permitted: Vec<Permitted<'_>>,
    registry: &dyn Registry,
    from: Option<&Authority>,
    dry_run: bool,
    account: &mut Account,
) -> Result<Outcome, Stop> {
    let mut all_present = true;
    for Permitted { case, request, permit, .. } in permitted {
        let request = spend(permit, &request, Step::Copy, (decision.world.now)())?;
        let copied = copy_one(decision, case, &request.artifact, registry, from, dry_run).await?;
        account.warn_of_what_stays(&copied);
        all_present &= copied.already_present;
        // A sequence that decides again finds its own copy: what it moved the first time is what happened.
        if let Some(entry) = account.apps.get_mut(&case.app.name)
            && (entry.copy.is_none() || !copied.already_present)
        {
            entry.copy = Some(copied);
        }
    }
    account.happened.copied = !dry_run;
    Ok(moving::outcome(dry_run, all_present))
}

async fn copy_one(
    decision: &Decision<'_>,
    case: &Case,
    artifact: &Artifact,
    registry: &dyn Registry,
    from: Option<&Authority>,
    dry_run: bool,
) -> Result<CopyAccount, Stop> {
    let (world, digest) = (decision.world, artifact.digest);
    let repository = case.app.repository.clone();
    let source = Source { registry, repository: repository.clone(), digest };
    let destination = Destination { registry: &*decision.servers.target, repository, tag: artifact.build.tag() };
    let options = Options { thorough: true, ..Options::until(world.deadline) };
    let what = || format!("{} {} to {}", artifact.app, artifact.build, decision.scene.target.name);
    let failed = |source| Error::Copy { what: what(), source };
    let place = place(&decision.scene, case);
    match moving::copy(&source, &destination, None, &options, world.observer, dry_run).await.map_err(failed)? {
        Moving::Held { by } => Err(Stop::Outcome(Outcome::TagHeld { place, by, wanted: digest })),
        Moving::Done { already_present, moved } => Ok(CopyAccount {
            source: match from {
                Some(registry) => format!("{registry}/{}@{digest}", case.app.repository),
                None => format!("oci:@{digest}"),
            },
            source_registry: from.cloned(),
            destination: Reference { digest: Some(digest), ..place },
            digest,
            already_present,
            moved,
        }),
    }
}

/// The tag that a case's image has in the target's registry.
pub(crate) fn place(scene: &Scene, case: &Case) -> Reference {
    Reference {
        registry: scene.target.registry.clone(),
        repository: case.app.repository.clone(),
        tag: Some(case.build.tag()),
        digest: None,
    }
}

/// Writes the permitted builds and their record entries to the Ledger, in one commit; or proposes that commit, where
/// the branch takes no pushes and that was asked for.
pub(crate) async fn change(
    decision: &Decision<'_>,
    permitted: Vec<Permitted<'_>>,
    propose: bool,
    account: &mut Account,
) -> Result<Outcome, Stop> {
    let (world, scene) = (decision.world, &decision.scene);
    let now = (world.now)();
    let writing = Writing::of(world, scene, &permitted, now, account)?;
    let mut until = world.deadline;
    for Permitted { request, permit, .. } in permitted {
        until = until.min(Instant::now() + time_left(&permit, now));
        spend(permit, &request, Step::Change, now)?;
    }
    let change = &writing.change;
    if change.prepends.is_empty() {
        account.happened.ledger = Some(true);
        return Ok(Outcome::Unchanged);
    }
    let branch = &world.place.branch;
    let pushed = bring::push(world.ledger, branch, change, until, account).await?;
    let topic = propose.then(|| writing.topic(branch)).transpose()?;
    let brought = bring::or_propose(pushed, world.ledger, branch, change, topic.as_ref(), until, account).await?;
    Ok(settle(scene, &writing, brought, account))
}

/// Says in `account` what [`change`] would write.
pub(crate) async fn plan(
    decision: &Decision<'_>,
    permitted: &[Permitted<'_>],
    account: &mut Account,
) -> Result<(), Stop> {
    let (world, scene) = (decision.world, &decision.scene);
    let writing = Writing::of(world, scene, permitted, (world.now)(), account)?;
    if let Applied::Draft { edits, .. } =
        bring::plan(world.ledger, &scene.at, &writing.change, world.deadline, account).await?
    {
        account.planned = changes(&writing, &edits);
    }
    Ok(())
}

fn changes(writing: &Writing<'_>, applied: &[AppliedEdit]) -> Vec<ChangeAccount> {
    let app = |edit| writing.case(edit).map(|case| case.app.name.clone());
    applied.iter().map(|applied| ChangeAccount::new(app(applied.edit), applied)).collect()
}

fn settle(scene: &Scene, writing: &Writing<'_>, brought: Brought, account: &mut Account) -> Outcome {
    let ended = match brought {
        Brought::Proposed(request) => return Outcome::PullRequest(request),
        Brought::Ended(ended) => ended,
    };
    match ended {
        ledger::Outcome::Updated { commit, parent, applied, .. } => {
            account.ledger = Some(LedgerAccount { commit, parent, changes: changes(writing, &applied) });
            for entry in account.apps.values_mut() {
                entry.running = Some(entry.build.to_string());
            }
            if scene.target.sync == Sync::Manual { Outcome::AwaitingSync } else { Outcome::Updated }
        }
        // Since the decision somebody wrote these very builds. Whether they are on record, a new decision sees.
        ledger::Outcome::Unchanged { at } => {
            let first = writing.first_manifest();
            Outcome::ReadsMoved { path: first.map_or_else(|| format!("the branch (now at {at})"), ToString::to_string) }
        }
        ledger::Outcome::Superseded { edit, found } => {
            let case = writing.case(edit);
            Outcome::Superseded {
                app: case.map(|case| case.app.name.clone()),
                edit: None,
                found: found.to_string(),
                wanted: case.map(|case| case.build.to_string()).unwrap_or_default(),
            }
        }
        ledger::Outcome::ReadsMoved { path, .. } => Outcome::ReadsMoved { path: path.to_string() },
        ledger::Outcome::NeverWon { attempts } => Outcome::NeverWon { attempts },
        ledger::Outcome::Refused(refusal) => Outcome::Refused(refusal),
    }
}

/// Uses a permit up: it must be for this very request and step, and still valid.
#[expect(clippy::needless_pass_by_value, reason = "whoever spends a permit has none left")]
fn spend(permit: Permit, request: &Request, step: Step, now: Timestamp) -> Result<Request, Error> {
    if permit.request() != request || request.step != step {
        return Err(Error::WrongPermit);
    }
    if !permit.valid(now) {
        return Err(Error::PermitExpired);
    }
    Ok(permit.request().clone())
}

fn time_left(permit: &Permit, now: Timestamp) -> std::time::Duration {
    permit.expires().duration_since(now).try_into().unwrap_or_default()
}
