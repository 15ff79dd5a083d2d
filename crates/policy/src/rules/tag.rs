use jiff::Timestamp;

use crate::{Facts, Finding, Grade, Request, Rule, RuleId, Step, TagRule, Target, Violation};

const FREE: RuleId = RuleId::of("tag-free");
const IMMUTABLE: RuleId = RuleId::of("tag-immutable");

/// The target's tag holds nothing else. Before the environment changes it must hold the digest.
pub(super) struct TagFree;

impl Rule for TagFree {
    fn id(&self) -> RuleId {
        FREE
    }

    fn grade(&self) -> Grade {
        Grade::Integrity
    }

    fn applies(&self, _: &Request) -> bool {
        true
    }

    fn check(&self, request: &Request, facts: &Facts, _: Timestamp) -> Result<Finding, Violation> {
        let artifact = &request.artifact;
        let (app, build, to) = (&artifact.app, artifact.build, &request.to);
        match (facts.target.require(&FREE, "what the target's tag holds")?, request.step) {
            (Target::Holds(digest), _) if *digest == artifact.digest => Ok(Finding::Holds),
            (Target::Holds(digest), _) => Err(Violation::new(
                FREE,
                format!("the tag {build} in {to} is held by {digest}, not by {}", artifact.digest),
                "queue a new build: a tag is never moved",
            )),
            (Target::Absent, Step::Copy) => Ok(Finding::Holds),
            (Target::Absent, Step::Change) => Err(Violation::new(
                FREE,
                format!("the registry of {to} has no tag {build}"),
                format!("run copy-artifact first: copy-artifact {app}={build} --to {to}"),
            )),
        }
    }
}

/// The target's registry refuses to move a tag, or is accepted as one that cannot promise it.
pub(super) struct TagImmutable {
    pub(super) mutable_tags_accepted: bool,
}

impl Rule for TagImmutable {
    fn id(&self) -> RuleId {
        IMMUTABLE
    }

    fn grade(&self) -> Grade {
        Grade::Integrity
    }

    fn applies(&self, _: &Request) -> bool {
        true
    }

    fn check(&self, request: &Request, facts: &Facts, _: Timestamp) -> Result<Finding, Violation> {
        let to = &request.to;
        let because = match facts.tag_rule.require(&IMMUTABLE, "whether the target's tags can move")? {
            TagRule::Immutable => return Ok(Finding::Holds),
            _ if self.mutable_tags_accepted => return Ok(Finding::Accepted),
            TagRule::Mutable => format!("the registry of {to} would move a tag"),
            TagRule::Unknown => format!("the registry of {to} does not say whether it would move a tag"),
        };
        Err(Violation::new(
            IMMUTABLE,
            because,
            "make the repository's tags immutable, or set mutable_tags: detect-only for this registry",
        ))
    }
}
