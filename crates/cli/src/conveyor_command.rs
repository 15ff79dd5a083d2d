use clap::{Args, Parser, Subcommand};
use conveyor::{Account, Asked, Error, Outcome, Wanted, release::Environment};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    document::{AppPart, CHANGE_OUTCOMES, Ended, LedgerPart},
    flags::{Acting, Common, Writing, wanted},
    run::Command,
    session::{self, Session},
};

/// Move the same bytes from environment to environment
#[derive(Debug, Parser)]
#[command(name = "conveyor", version)]
pub(crate) struct Conveyor {
    #[command(subcommand)]
    command: Act,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Act {
    Promote(Promote),
}

/// Copy builds to an environment and make the Ledger ask for them, if policy allows it
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  conveyor promote payments-api=48213 --to qa
  conveyor promote payments-api=48213 orders-api=48220 --to qa --output json

Exit codes: 0 done or already so, 1 failed, 2 usage, 3 run it again, 4 a pull request is open, 10 denied,
11 kept moving, 12 the tag is held, 13 integrity, 14 a newer build is there, 130 and 143 stopped by a signal.")]
struct Promote {
    /// The apps and their builds: all of them or none
    #[arg(value_name = "APP=BUILD", value_parser = wanted, required = true)]
    wanted: Vec<Wanted>,
    /// The environment to change
    #[arg(long, value_name = "ENV")]
    to: Environment,
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    acting: Acting,
}

/// The document's own part.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Body {
    #[serde(flatten)]
    ledger: LedgerPart,
    /// The decision and the copy of each app.
    apps: Vec<AppPart>,
}

impl Command for Conveyor {
    type Body = Body;

    const NAME: &'static str = "promote";
    const OUTCOMES: &'static [&'static str] = CHANGE_OUTCOMES;

    fn common(&self) -> &Common {
        &self.common
    }

    fn signs(&self) -> bool {
        let Act::Promote(Promote { writing, .. }) = &self.command;
        writing.sign
    }

    async fn execute(&self, session: &Session, account: &mut Account) -> Result<Outcome, Error> {
        let Act::Promote(Promote { wanted, to, writing, acting }) = &self.command;
        let config = session::read(acting.config.as_ref(), account)?;
        let world = session.world(config.as_deref()).await?;
        let asked = Asked::new(wanted.clone(), to.clone(), acting.expect_digest, acting.dry_run)?;
        conveyor::promote(&world, &asked.proposing(writing.pull_request), account).await
    }

    fn body(account: &Account, ended: &Ended, session: Option<&Session>) -> Body {
        Body { ledger: LedgerPart::new(account, ended, session), apps: AppPart::all(account, ended, session) }
    }
}
