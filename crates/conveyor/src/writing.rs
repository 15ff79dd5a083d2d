//! What permitted builds come to in the Ledger: one change, with the record of each act in it.

use bytes::Bytes;
use jiff::Timestamp;
use ledger::{Branch, Change, Edit, From, Prepend, Read, Scalar};
use policy::{Fact, Facts};
use record::{Act, ActKind, Approvals, Copied, CopyOutcome, Decided, Entry, Predicate, ReleaseStage, Subject};
use release::{Actor, App, Artifact, BuildId, Digest, Environment, Reference};

use crate::{
    Account, Error, World,
    decision::{Permitted, Standing},
    one_line,
    scene::{Case, Scene},
};

/// A change of the Ledger and what it is about.
pub(crate) struct Writing<'d> {
    pub(crate) change: Change,
    environment: Environment,
    /// What is put on record.
    written: Vec<(&'d App, BuildId)>,
    /// The case of each edit.
    edited: Vec<&'d Case>,
}

impl<'d> Writing<'d> {
    /// The change that the permitted builds come to.
    pub(crate) fn of(
        world: &World<'_>,
        scene: &Scene,
        permitted: &[Permitted<'d>],
        now: Timestamp,
        account: &Account,
    ) -> Result<Self, Error> {
        let mut change = Change {
            run: world.run,
            edits: Vec::new(),
            reads: scene.reads.clone(),
            prepends: Vec::new(),
            restores: Vec::new(),
            message: message(scene, permitted),
        };
        let (mut edited, mut written) = (Vec::new(), Vec::new());
        for permitted in permitted {
            let case = permitted.case;
            let Some(manifest) = &case.manifest else { continue };
            let of = match permitted.standing {
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
            let item = Bytes::from(entry(world, scene, permitted, now, account)?.to_line());
            change.prepends.push(Prepend { file: case.record_path.clone(), item, keep: record::FILE_ENTRIES, of });
            written.push((&case.app.name, case.build));
        }
        Ok(Self { change, environment: scene.target.name.clone(), written, edited })
    }

    /// The branch that holds it where it is proposed.
    pub(crate) fn topic(&self, target: &Branch) -> Result<Branch, Error> {
        topic(target, &self.environment, self.written.clone())
    }

    /// The case that an edit is of.
    pub(crate) fn case(&self, edit: usize) -> Option<&'d Case> {
        self.edited.get(edit).copied()
    }

    /// The first manifest that it edits.
    pub(crate) fn first_manifest(&self) -> Option<&ledger::RepoPath> {
        self.edited.iter().find_map(|case| case.manifest.as_ref()).map(|manifest| &manifest.path)
    }
}

/// The branch that a proposal of these builds to `target` is on: the same for the same builds, and for no others and to
/// no other branch.
fn topic(target: &Branch, environment: &Environment, mut written: Vec<(&App, BuildId)>) -> Result<Branch, Error> {
    written.sort();
    let name = |(app, build): &(&App, BuildId)| format!("{app}-{build}");
    let all: Vec<String> = written.iter().map(name).collect();
    let first = all.first().map(String::as_str).unwrap_or_default();
    let others = match all.len() {
        0 | 1 => String::new(),
        several => format!("-and-{}", several - 1),
    };
    let which = short(&format!("{target} {}", all.join(" ")));
    Ok(format!("conveyor/{environment}/{first}{others}-{which}").parse()?)
}

/// A few characters that stand for a text.
pub(crate) fn short(text: &str) -> String {
    Digest::of(text.as_bytes()).hex().chars().take(12).collect()
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
        // A dry run plans the copy and has not done it.
        None if matches!(facts.target, Fact::Known(policy::Target::Absent)) => CopyOutcome::Copied,
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
        one_line(&format!(
            "{}: {from} -> {} ({})",
            permitted.case.app.name, permitted.case.build, permitted.artifact.digest
        ))
    };
    match permitted {
        [one] => format!("{target}: {} {}\n\n{}", one.case.app.name, one.case.build, line(one)),
        several => {
            let lines: Vec<String> = several.iter().map(line).collect();
            format!("{target}: {} apps\n\n{}", several.len(), lines.join("\n"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_follows_from_the_builds_and_the_target_alone() {
        let apps: Vec<App> = ["orders-api", "payments-api", "web"].map(|name| name.parse().unwrap()).into();
        let topic_to = |target: &str, builds: &[(usize, u64)]| {
            let written = builds.iter().map(|(app, build)| (&apps[*app], build.to_string().parse().unwrap()));
            let (target, environment) = (target.parse().unwrap(), "qa".parse().unwrap());
            topic(&target, &environment, written.collect()).unwrap().short().to_owned()
        };
        let topic = |builds: &[(usize, u64)]| topic_to("main", builds);
        let one = topic(&[(1, 48213)]);
        assert!(one.starts_with("conveyor/qa/payments-api-48213-") && one.len() == 43, "{one}");
        assert_ne!(one, topic_to("release", &[(1, 48213)]));
        let two = topic(&[(1, 48213), (0, 7)]);
        assert!(two.starts_with("conveyor/qa/orders-api-7-and-1-") && two.len() == 43, "{two}");
        assert_eq!(two, topic(&[(0, 7), (1, 48213)]));
        for other in [&[(0, 7), (1, 48214)][..], &[(0, 7), (2, 48213)], &[(0, 7)], &[(0, 7), (1, 48213), (2, 1)]] {
            assert_ne!(topic(other), two);
        }
    }
}
