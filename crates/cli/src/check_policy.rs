use std::path::PathBuf;

use clap::Parser;
use conveyor::{Account, Asked, Error, Outcome, Wanted, release::Environment};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    document::{AppPart, Ended},
    flags::{Common, wanted},
    run::Command,
    session::{self, Session},
};

/// Explain what policy says about a promotion, rule by rule: a preview, never the gate
#[derive(Debug, Parser)]
#[command(
    name = "check-policy",
    version,
    after_help = "Example:
  check-policy payments-api=48213 --to prod-wealth

Exit codes: 0 allowed, 1 failed, 2 usage, 3 run it again, 10 denied, 12 the tag is held, 13 integrity,
130 and 143 stopped by a signal."
)]
pub(crate) struct CheckPolicy {
    /// The apps and their builds
    #[arg(value_name = "APP=BUILD", value_parser = wanted, required = true)]
    wanted: Vec<Wanted>,
    /// The environment that would change
    #[arg(long, value_name = "ENV")]
    to: Environment,
    /// A local conveyor.yaml instead of the Ledger's
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// The document's own part.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Body {
    /// The decision for each app.
    apps: Vec<AppPart>,
}

impl Command for CheckPolicy {
    type Body = Body;

    const NAME: &'static str = "check-policy";
    const OUTCOMES: &'static [&'static str] = &["allowed", "denied", "tag-held"];

    fn common(&self) -> &Common {
        &self.common
    }

    async fn execute(&self, session: &Session, account: &mut Account) -> Result<Outcome, Error> {
        let config = session::read(self.config.as_ref(), account)?;
        let world = session.world(config.as_deref()).await?;
        let asked = Asked::new(self.wanted.clone(), self.to.clone(), None, true)?;
        conveyor::check(&world, &asked, account).await
    }

    fn body(account: &Account, ended: &Ended, session: Option<&Session>) -> Body {
        Body { apps: AppPart::all(account, ended, session) }
    }
}
