use clap::Parser;
use conveyor::{
    Account, Asked, Error, Outcome, Wanted,
    ledger::{Document, Edit, From, KeyPath, RepoPath, Scalar},
    raw,
    release::{BuildId, Environment},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    document::{AppPart, CHANGE_OUTCOMES, Ended, LedgerPart},
    flags::{Acting, Common, wanted},
    run::Command,
    session::{self, NamedLedger, Session},
};

/// Change image tags in the Ledger under two locks, with the record in the same commit
#[derive(Debug, Parser)]
#[command(
    name = "update-ledger",
    version,
    after_help = "Examples:
  update-ledger payments-api=48213 orders-api=48220 --env dev                                one commit
  update-ledger --repo URL --file a/values.yaml --key image.tag --set 48213 --forward-only   any repository

Exit codes: 0 done or already so, 1 failed, 2 usage, 3 run it again, 10 denied, 11 kept moving, 12 the tag is held,
13 integrity, 14 a newer build is there, 130 and 143 stopped by a signal."
)]
pub(crate) struct UpdateLedger {
    /// The apps and their builds: all of them or none
    #[arg(value_name = "APP=BUILD", value_parser = wanted, required_unless_present = "repo", conflicts_with = "repo")]
    wanted: Vec<Wanted>,
    /// The environment to change
    #[arg(long, value_name = "ENV", required_unless_present = "repo", conflicts_with = "repo")]
    env: Option<Environment>,
    #[command(flatten)]
    raw: Raw,
    #[command(flatten)]
    acting: Acting,
    #[command(flatten)]
    common: Common,
}

/// One scalar in a repository that is no Ledger.
#[derive(Debug, clap::Args)]
struct Raw {
    /// The repository, where it is no Ledger; no policy is asked
    #[arg(long, value_name = "URL", requires_all = ["file", "key", "set"], conflicts_with_all = ["ledger", "config", "expect_digest"])]
    repo: Option<String>,
    /// The file in it
    #[arg(long, value_name = "PATH", requires = "repo")]
    file: Option<RepoPath>,
    /// The scalar's place, such as image.tag or images[name=web].newTag
    #[arg(long, value_name = "KEY", requires = "repo")]
    key: Option<KeyPath>,
    /// Which of the file's documents it is in, where several have the key: what only that one holds, as
    /// kind=Deployment,metadata.name=web, or its number, counted from 0
    #[arg(long, value_name = "DOCUMENT", requires = "repo")]
    document: Option<Document>,
    /// The new value, always a text: 48213 is written as "48213"
    #[arg(long, value_name = "VALUE", requires = "repo")]
    set: Option<String>,
    /// Only if the place holds this value
    #[arg(long, value_name = "VALUE", requires = "repo", conflicts_with = "forward_only")]
    expect: Option<String>,
    /// Only if the place holds an older build
    #[arg(long, requires = "repo")]
    forward_only: bool,
}

/// The document's own part.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Body {
    #[serde(flatten)]
    ledger: LedgerPart,
    /// The decision for each app; empty in the raw form.
    apps: Vec<AppPart>,
}

impl Command for UpdateLedger {
    type Body = Body;

    const NAME: &'static str = "update-ledger";
    const OUTCOMES: &'static [&'static str] = CHANGE_OUTCOMES;

    fn common(&self) -> &Common {
        &self.common
    }

    async fn execute(&self, session: &Session, account: &mut Account) -> Result<Outcome, Error> {
        if let Some(repo) = &self.raw.repo {
            return self.set(repo, session, account).await;
        }
        let Some(env) = &self.env else { return Err(Error::NoLedger) };
        let config = session::read(self.acting.config.as_ref(), account)?;
        let world = session.world(config.as_deref())?;
        let asked = Asked::new(self.wanted.clone(), env.clone(), self.acting.expect_digest, self.acting.dry_run)?;
        conveyor::update_ledger(&world, &asked, account).await
    }

    fn body(account: &Account, ended: &Ended, session: Option<&Session>) -> Body {
        Body { ledger: LedgerPart::new(account), apps: AppPart::all(account, ended, session) }
    }
}

impl UpdateLedger {
    async fn set(&self, repo: &str, session: &Session, account: &mut Account) -> Result<Outcome, Error> {
        let Raw { file: Some(file), key: Some(key), set: Some(set), document, expect, forward_only, .. } = &self.raw
        else {
            return Err(Error::NoLedger);
        };
        let from = match (expect, forward_only) {
            (Some(expected), _) => From::Exactly(Scalar::new(expected.as_str())),
            (None, true) => From::OlderThan(set.parse::<BuildId>()?),
            (None, false) => From::Any,
        };
        let edit = Edit {
            file: file.clone(),
            document: document.clone(),
            key: key.clone(),
            from,
            to: Scalar::new(set.as_str()),
        };
        let named = NamedLedger::new(repo, &self.common)?;
        let (branch, deadline) = (&named.place.branch, session.deadline);
        raw::update(&named.remote, branch, edit, session.run, self.acting.dry_run, deadline, account).await
    }
}
