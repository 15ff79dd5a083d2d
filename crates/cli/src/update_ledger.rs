use clap::Parser;
use conveyor::{
    Account, Asked, Error, Outcome, Wanted,
    ledger::{Document, Edit, From, KeyPath, RepoPath, Scalar},
    raw,
    release::{BuildId, CommitId, Environment},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    document::{AppPart, CHANGE_OUTCOMES, Ended, LedgerPart},
    flags::{Acting, Common, Writing, wanted},
    run::Command,
    session::{self, Session},
};

/// Change image tags in the Ledger under two locks, with the record in the same commit
#[derive(Debug, Parser)]
#[command(
    name = "update-ledger",
    version,
    after_help = "Examples:
  update-ledger payments-api=48213 orders-api=48220 --env dev                                one commit
  update-ledger --repo URL --file a/values.yaml --key image.tag --set 48213 --forward-only   any repository
  update-ledger --repo URL --revert 1d3f0b6c9a7e5d4c2b8f6a0e9d7c5b3a1f8e6d4c --dry-run       show what would be undone

Exit codes: 0 done or already so, 1 failed, 2 usage, 3 run it again, 4 a pull request is open, 10 denied,
11 kept moving, 12 the tag is held, 13 integrity, 14 a newer build is there, 130 and 143 stopped by a signal."
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
    writing: Writing,
    #[command(flatten)]
    acting: Acting,
    #[command(flatten)]
    common: Common,
}

/// One scalar, or one commit, in a repository that is no Ledger.
#[derive(Debug, clap::Args)]
struct Raw {
    /// The repository, where it is no Ledger; no policy is asked
    #[arg(long, value_name = "URL", requires = "what", conflicts_with_all = ["ledger", "config", "expect_digest"])]
    repo: Option<String>,
    /// The file in it
    #[arg(long, value_name = "PATH", requires_all = ["repo", "set"])]
    file: Option<RepoPath>,
    /// The scalar's place, such as image.tag or images[name=web].newTag
    #[arg(long, value_name = "KEY", requires_all = ["repo", "set"])]
    key: Option<KeyPath>,
    /// Which of the file's documents it is in, where several have the key: what only that one holds, as
    /// kind=Deployment,metadata.name=web, or its number, counted from 0
    #[arg(long, value_name = "DOCUMENT", requires_all = ["repo", "set"])]
    document: Option<Document>,
    /// The new value, always a text: 48213 is written as "48213"
    #[arg(long, value_name = "VALUE", group = "what", requires_all = ["repo", "file", "key"])]
    set: Option<String>,
    /// Only if the place holds this value
    #[arg(long, value_name = "VALUE", requires_all = ["repo", "set"], conflicts_with = "forward_only")]
    expect: Option<String>,
    /// Only if the place holds an older build
    #[arg(long, requires_all = ["repo", "set"])]
    forward_only: bool,
    /// Instead of setting values, take back what this commit changed, where nobody has changed it since: all of it or
    /// nothing. A commit that did more than change values of YAML keys is refused, and so is a file that was changed
    /// since in which a value has no name or was no text
    #[arg(long, value_name = "COMMIT", group = "what", requires = "repo")]
    revert: Option<CommitId>,
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

    fn repository(&self) -> Option<&str> {
        self.raw.repo.as_deref()
    }

    fn signs(&self) -> bool {
        self.writing.sign
    }

    async fn execute(&self, session: &Session, account: &mut Account) -> Result<Outcome, Error> {
        if self.raw.repo.is_some() {
            return self.raw(session, account).await;
        }
        let Some(env) = &self.env else { return Err(Error::NoLedger) };
        let config = session::read(self.acting.config.as_ref(), account)?;
        let world = session.world(config.as_deref()).await?;
        let asked = Asked::new(self.wanted.clone(), env.clone(), self.acting.expect_digest, self.acting.dry_run)?;
        conveyor::update_ledger(&world, &asked.proposing(self.writing.pull_request), account).await
    }

    fn body(account: &Account, ended: &Ended, session: Option<&Session>) -> Body {
        Body { ledger: LedgerPart::new(account, ended, session), apps: AppPart::all(account, ended, session) }
    }
}

impl UpdateLedger {
    async fn raw(&self, session: &Session, account: &mut Account) -> Result<Outcome, Error> {
        let edit = self.raw.edit()?;
        let (ledger, place) = session.ledger().await?;
        let write = raw::Write {
            remote: ledger.remote(),
            branch: &place.branch,
            run: session.run,
            deadline: session.deadline,
            dry_run: self.acting.dry_run,
            propose: self.writing.pull_request,
        };
        match (edit, &self.raw.revert) {
            (Some(edit), _) => raw::update(&write, edit, account).await,
            (None, Some(commit)) => raw::revert(&write, commit, account).await,
            (None, None) => Err(Error::NoLedger),
        }
    }
}

impl Raw {
    /// The scalar to set, if that is what is asked for.
    fn edit(&self) -> Result<Option<Edit>, Error> {
        let Self { file: Some(file), key: Some(key), set: Some(set), document, expect, forward_only, .. } = self else {
            return Ok(None);
        };
        let from = match (expect, forward_only) {
            (Some(expected), _) => From::Exactly(Scalar::new(expected.as_str())),
            (None, true) => From::OlderThan(set.parse::<BuildId>()?),
            (None, false) => From::Any,
        };
        let (file, document, key) = (file.clone(), document.clone(), key.clone());
        Ok(Some(Edit { file, document, key, from, to: Scalar::new(set.as_str()) }))
    }
}
