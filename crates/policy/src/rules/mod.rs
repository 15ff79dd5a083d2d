//! The safety rules.

mod build;
mod four_eyes;
mod record;
mod rego;
mod tag;

pub use four_eyes::{approvals_that_count, release_that_asks};
pub use record::BUILD_ON_RECORD;

use crate::{Intent, Parameters, Request, Rule};

/// All of them, in the order in which decisions list them.
pub(crate) fn safety(parameters: &Parameters) -> Vec<Box<dyn Rule>> {
    vec![
        Box::new(record::BuildOnRecord),
        Box::new(tag::TagFree),
        Box::new(tag::TagImmutable { mutable_tags_accepted: parameters.mutable_tags_accepted }),
        Box::new(rego::RulesEvaluated),
        Box::new(build::BuildOfDefinition {
            definition: parameters.build_definition,
            branches: parameters.branches.clone(),
        }),
        Box::new(four_eyes::FourEyes::new(parameters)),
    ]
}

/// Whether the request's authority comes from the CI server. A rollback's does not: it rests on the target's own
/// earlier promotion, and must work while that server is away.
fn asks_ci(request: &Request) -> bool {
    !matches!(request.intent, Intent::Rollback)
}
