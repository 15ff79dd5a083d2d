//! What acts: each function takes a permit by value, checks that it is for this very step, and does that step.

use bytes::Bytes;
use jiff::Timestamp;
use ledger::{Branch, Change, Edit, From, Prepend, Read, Remote, Scalar};
use policy::{Fact, Facts, Permit, Request, Step};
use record::{Act, ActKind, Approvals, Copied, CopyOutcome, Decided, Entry, Predicate, ReleaseStage, Subject};
use registry_copy::{Destination, Options, Registry, Source};
use release::{Actor, Artifact, Authority, Digest, Reference};
use tokio::time::Instant;

use crate::{
    Account, ChangeAccount, CopyAccount, Error, LedgerAccount, Outcome, World,
    config::Sync,
    counted::Counted,
    decision::{Decision, Permitted, Standing, Stop},
    moving::{self, Moving},
    scene::{Case, Scene},
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

/// Writes the permitted builds and their record entries to the Ledger, in one commit.
pub(crate) async fn change(
    decision: &Decision<'_>,
    permitted: Vec<Permitted<'_>>,
    account: &mut Account,
) -> Result<Outcome, Stop> {
    let (world, scene) = (decision.world, &decision.scene);
    let now = (world.now)();
    let mut change = Change {
        run: world.run,
        edits: Vec::new(),
        reads: scene.reads.clone(),
        prepends: Vec::new(),
        message: message(scene, &permitted),
    };
    let mut until = world.deadline;
    let mut edited = Vec::new();
    for permitted in permitted {
        let entry = entry(world, scene, &permitted, now, account)?;
        let Permitted { case, standing, request, permit, .. } = permitted;
        until = until.min(Instant::now() + time_left(&permit, now));
        spend(permit, &request, Step::Change, now)?;
        let Some(manifest) = &case.manifest else { continue };
        let of = match standing {
            Standing::Settled => continue,
            Standing::Unrecorded => {
                change.reads.push(Read { path: manifest.path.clone(), was: Some(manifest.id) });
                None
            }
            Standing::Open => {
                let Some(place) = &case.app.place else { continue };
                change.edits.push(Edit {
                    file: manifest.path.clone(),
                    document: place.document.clone(),
                    key: place.key.clone(),
                    from: From::OlderThan(case.build),
                    to: Scalar::new(case.build.to_string()),
                });
                edited.push(case);
                Some(change.edits.len() - 1)
            }
        };
        let item = Bytes::from(entry.to_line());
        change.prepends.push(Prepend { file: case.record_path.clone(), item, keep: record::FILE_ENTRIES, of });
    }
    if change.prepends.is_empty() {
        account.happened.ledger = Some(true);
        return Ok(Outcome::Unchanged);
    }
    let written = push(world.ledger, &world.place.branch, &change, until, account).await?;
    Ok(settle(scene, &edited, written, account))
}

/// Updates the Ledger; whatever ends it, `account` does not say of a push in doubt that it did not happen.
pub(crate) async fn push(
    remote: &dyn Remote,
    branch: &Branch,
    change: &Change,
    deadline: Instant,
    account: &mut Account,
) -> Result<ledger::Outcome, Error> {
    account.happened.ledger = None;
    let written = ledger::update(&Counted::new(remote, &mut account.pushes), branch, change, deadline).await;
    account.happened.ledger = match &written {
        Ok(outcome) => Some(matches!(outcome, ledger::Outcome::Updated { .. } | ledger::Outcome::Unchanged { .. })),
        Err(error) => (!error.may_have_landed()).then_some(false),
    };
    Ok(written?)
}

/// What a permitted change would write.
pub(crate) fn planned(permitted: &Permitted<'_>) -> Option<ChangeAccount> {
    let (case, place) = (permitted.case, permitted.case.app.place.as_ref()?);
    let manifest = case.manifest.as_ref().filter(|_| permitted.standing == Standing::Open)?;
    Some(ChangeAccount {
        app: Some(case.app.name.clone()),
        file: manifest.path.to_string(),
        key: place.key.to_string(),
        from: manifest.found.to_string(),
        to: case.build.to_string(),
    })
}

fn settle(scene: &Scene, edited: &[&Case], written: ledger::Outcome, account: &mut Account) -> Outcome {
    match written {
        ledger::Outcome::Updated { commit, parent, applied, .. } => {
            let app = |edit: usize| edited.get(edit).map(|case| case.app.name.clone());
            let changes = applied.iter().map(|applied| ChangeAccount::new(app(applied.edit), applied));
            account.ledger = Some(LedgerAccount { commit, parent, changes: changes.collect() });
            for entry in account.apps.values_mut() {
                entry.running = Some(entry.build.to_string());
            }
            if scene.target.sync == Sync::Manual { Outcome::AwaitingSync } else { Outcome::Updated }
        }
        // Since the decision somebody wrote these very builds. Whether they are on record, a new decision sees.
        ledger::Outcome::Unchanged { at } => {
            let first = edited.iter().find_map(|case| case.manifest.as_ref());
            let path = first.map_or_else(|| format!("the branch (now at {at})"), |manifest| manifest.path.to_string());
            Outcome::ReadsMoved { path }
        }
        ledger::Outcome::Superseded { edit, found } => {
            let case = edited.get(edit);
            Outcome::Superseded {
                app: case.map(|case| case.app.name.clone()),
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

fn entry(
    world: &World<'_>,
    scene: &Scene,
    permitted: &Permitted<'_>,
    now: Timestamp,
    account: &Account,
) -> Result<Entry, Error> {
    let Permitted { case, artifact, permit, facts, release, .. } = permitted;
    let (target, repository) = (&scene.target, &case.app.repository);
    let copied = account.apps.get(&case.app.name).and_then(|entry| entry.copy.as_ref());
    let outcome = match copied {
        Some(copy) if !copy.already_present => CopyOutcome::Copied,
        _ => CopyOutcome::AlreadyPresent,
    };
    let given = permitted.approvals.iter().filter_map(|approval| {
        let approver = approval.approver.clone()?;
        Some(record::Approval {
            id: approval.id,
            at: approval.given_at?,
            group: (approver_guid(&approver) != Some(&approval.asked)).then(|| approval.asked.clone()),
            approver,
        })
    });
    Ok(Entry::new(Predicate::Act(Box::new(Act {
        subject: Subject {
            artifact: (*artifact).clone(),
            environment: target.name.clone(),
            registry: target.registry.clone(),
            repository: repository.clone(),
        },
        kind: ActKind::Promote { lifts: None },
        from: scene.source.as_ref().map(|source| source.name.clone()),
        approvals: Approvals::Given(given.collect()),
        copy: scene.source.as_ref().map(|source| Copied {
            outcome,
            read_back: read_back(facts, artifact),
            source: Reference {
                registry: source.registry.clone(),
                repository: repository.clone(),
                tag: None,
                digest: Some(artifact.digest),
            },
        }),
        decided: Decided {
            commit: scene.at,
            config: scene.config_id,
            found: case.manifest.as_ref().map(|manifest| manifest.found.to_string()),
            policy: scene.rules,
        },
        release: release.as_ref().and_then(|release| {
            Some(ReleaseStage {
                attempt: release.stage.attempt?,
                definition: release.definition,
                id: release.id,
                stage: release.stage.definition,
            })
        }),
        requester: release.as_ref().and_then(|release| release.requesters.first()).unwrap_or(world.caller).clone(),
        rules: permit.verdicts().to_vec(),
        run: world.run,
        time: now,
    })))?)
}

/// What the target's tag held when the change was permitted.
fn read_back(facts: &Facts, artifact: &Artifact) -> Digest {
    match facts.target {
        Fact::Known(policy::Target::Holds(digest)) => digest,
        _ => artifact.digest,
    }
}

fn approver_guid(actor: &Actor) -> Option<&String> {
    match &actor.id {
        release::ActorId::AzureDevOps(guid) => Some(guid),
        _ => None,
    }
}

fn message(scene: &Scene, permitted: &[Permitted<'_>]) -> String {
    let target = &scene.target.name;
    let line = |permitted: &Permitted<'_>| {
        let found = permitted.case.manifest.as_ref().map(|manifest| manifest.found.to_string()).unwrap_or_default();
        let from = if found.is_empty() { "nothing".to_owned() } else { found };
        format!("{}: {from} -> {} ({})", permitted.case.app.name, permitted.case.build, permitted.artifact.digest)
    };
    match permitted {
        [one] => format!("{target}: {} {}\n\n{}", one.case.app.name, one.case.build, line(one)),
        several => {
            let lines: Vec<String> = several.iter().map(line).collect();
            format!("{target}: {} apps\n\n{}", several.len(), lines.join("\n"))
        }
    }
}
