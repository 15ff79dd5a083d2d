use jiff::Timestamp;
use release::{Digest, Environment};

use crate::{Facts, Finding, Grade, Intent, Request, Rule, RuleId, Source, Step, Violation};

/// The rule that asks for the build's record: `build-on-record`. Who finds no digest to ask about denies in its name.
pub const BUILD_ON_RECORD: RuleId = RuleId::of("build-on-record");

/// The digest is the build's: on record in the environment before and held by its tag; for the first environment held
/// by its own tag; for a publish computed from what was built.
pub(super) struct BuildOnRecord;

impl Rule for BuildOnRecord {
    fn id(&self) -> RuleId {
        BUILD_ON_RECORD
    }

    fn grade(&self) -> Grade {
        Grade::Integrity
    }

    fn applies(&self, _: &Request) -> bool {
        true
    }

    fn check(&self, request: &Request, facts: &Facts, _: Timestamp) -> Result<Finding, Violation> {
        let source = facts.source.require(&BUILD_ON_RECORD, "where the digest comes from")?;
        match (&request.intent, request.step, &request.from, source) {
            (Intent::Promote, _, Some(from), Source::Record { recorded, tag }) => {
                on_record(request, from, *recorded)?;
                held(request, from, *tag, "restore the tag in that registry: the record says what it held")
            }
            (Intent::Promote, _, None, Source::Registry { tag }) => {
                held(request, &request.to, *tag, "publish the build first: CI runs copy-artifact --from oci:DIR")
            }
            (Intent::Publish, Step::Copy, None, Source::Built { digest }) if *digest == request.artifact.digest => {
                Ok(Finding::Holds)
            }
            (Intent::Publish, Step::Copy, None, Source::Built { digest }) => Err(Violation::new(
                BUILD_ON_RECORD,
                format!("what was built is {digest}, not {}", request.artifact.digest),
                "publish the bytes that were built",
            )),
            _ => Err(Violation::new(
                BUILD_ON_RECORD,
                "nothing shows that the digest is the build's for such a request",
                "promote the build through its environments, in their order",
            )),
        }
    }
}

fn on_record(request: &Request, from: &Environment, recorded: Option<Digest>) -> Result<(), Violation> {
    let artifact = &request.artifact;
    let (app, build) = (&artifact.app, artifact.build);
    match recorded {
        Some(digest) if digest == artifact.digest => Ok(()),
        Some(digest) => Err(Violation::new(
            BUILD_ON_RECORD,
            format!("{from} has {app} {build} on record as {digest}, not as {}", artifact.digest),
            format!("promote what is on record: conveyor promote {app}={build} --to {}", request.to),
        )),
        None => Err(Violation::new(
            BUILD_ON_RECORD,
            format!("{from} has no {app} {build} on record that may be promoted"),
            format!("promote it there first: conveyor promote {app}={build} --to {from}"),
        )),
    }
}

fn held(request: &Request, place: &Environment, tag: Option<Digest>, absent: &str) -> Result<Finding, Violation> {
    let artifact = &request.artifact;
    let build = artifact.build;
    match tag {
        Some(digest) if digest == artifact.digest => Ok(Finding::Holds),
        Some(digest) => Err(Violation::new(
            BUILD_ON_RECORD,
            format!("the tag {build} in {place} holds {digest}, not {}", artifact.digest),
            "find out who moved the tag; queue a new build",
        )),
        None => Err(Violation::new(BUILD_ON_RECORD, format!("the registry of {place} has no tag {build}"), absent)),
    }
}
