//! Request and facts in, a [`Permit`] or what forbids it out. No I/O, no clock, no environment.
//!
//! [`RuleSet::safety`] holds the rules that nothing can switch off; a caller may add rules, and an added rule can only
//! deny. Each rule is graded: nothing waives an [`Integrity`](Grade::Integrity) rule, an
//! [`Emergency`](Intent::Emergency) waives the [`Waivable`](Grade::Waivable) ones. A fact that is missing denies, as
//! does a rule that panics.
//!
//! | rule | grade | what it asks |
//! | --- | --- | --- |
//! | `build-on-record` | integrity | the digest is the one on record, and the source's tag holds it |
//! | `tag-free` | integrity | the target's tag is absent or holds the digest |
//! | `tag-immutable` | integrity | the target's registry refuses to move a tag |
//! | `rules-evaluated` | integrity | no rule was left out |
//! | `build-of-definition` | waivable | CI made the build, from the configured definition and branches |
//! | `four-eyes` | waivable | somebody other than who asked has approved this attempt |
//!
//! Who acts takes the permit by value:
//!
//! ```
//! use policy::{Decision, Denial, Facts, Permit, Request, RuleSet};
//!
//! fn act(permit: Permit, now: jiff::Timestamp) -> bool {
//!     permit.valid(now) && permit.request().artifact.build.get() > 0 // then does it
//! }
//!
//! fn decide_and_act(rules: &RuleSet, request: Request, facts: &Facts, now: jiff::Timestamp) -> Result<bool, Denial> {
//!     match rules.evaluate(request, facts, now) {
//!         Decision::Allowed(permit) => Ok(act(permit, now)),
//!         Decision::Denied(denial) => Err(denial),
//!     }
//! }
//! ```
//!
//! Nobody can make a permit but [`RuleSet::evaluate`]:
//!
//! ```compile_fail,E0451
//! fn forge(request: policy::Request, now: jiff::Timestamp) -> policy::Permit {
//!     policy::Permit { request, verdicts: Vec::new(), evaluated_at: now }
//! }
//! ```
//!
//! Nor is there a second one where one was given:
//!
//! ```compile_fail,E0277
//! fn copy(permit: &policy::Permit) -> policy::Permit {
//!     <policy::Permit as Clone>::clone(permit)
//! }
//! ```
//!
//! None can be read back from somewhere:
//!
//! ```compile_fail,E0277
//! fn deserialise<'de, D: serde::Deserializer<'de>>(from: D) -> Result<policy::Permit, D::Error> {
//!     serde::Deserialize::deserialize(from)
//! }
//! ```
//!
//! And it serves once:
//!
//! ```compile_fail,E0382
//! fn act(permit: policy::Permit) {}
//! fn act_twice(permit: policy::Permit) {
//!     act(permit);
//!     act(permit);
//! }
//! ```

mod decision;
mod facts;
mod parameters;
mod permit;
mod request;
mod rule;
mod rule_set;
mod rules;

pub use decision::{Decision, Denial, RuleVerdict, Verdict};
pub use facts::{Approval, Build, BuildStatus, Fact, Facts, Release, RulesFrom, Source, Stage, TagRule, Target};
pub use parameters::{ApprovalParameters, Parameters};
pub use permit::Permit;
pub use request::{Intent, Request, Step};
pub use rule::{Finding, Grade, Rule, RuleId, Violation};
pub use rule_set::{DuplicateRule, MissingRule, RuleSet};
pub use rules::{BUILD_ON_RECORD, approvals_that_count, release_that_asks};
