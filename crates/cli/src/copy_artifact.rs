use std::{num::NonZeroUsize, path::PathBuf};

use clap::Parser;
use conveyor::{
    Account, Asked, Error, Outcome, publish,
    raw::{self, Copy},
    registry_copy::{Layout, Options},
    release::{Environment, Reference},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    copy_part::CopyPart,
    digest_file::DigestFile,
    document::{AppPart, Ended},
    flags::{Acting, Common, wanted},
    run::Command,
    session::{self, Session},
};

/// Copy an image between registries: no Docker daemon, every digest verified, no tag ever moved
#[derive(Debug, Parser)]
#[command(
    name = "copy-artifact",
    version,
    after_help = "Examples:
  copy-artifact payments-api=48213 --to qa                        from the environment that qa promotes from
  copy-artifact payments-api=48213 --from oci:./image --to dev    publish what CI built, an OCI layout directory
  copy-artifact registry.example/a:1 other.example/b:1            two references, as crane copy

Exit codes: 0 done or already so, 1 failed, 2 usage, 3 run it again, 10 denied, 12 the tag is held, 13 integrity,
130 and 143 stopped by a signal."
)]
pub(crate) struct CopyArtifact {
    /// APP=BUILD, or the reference to copy from
    #[arg(value_name = "APP=BUILD | SOURCE")]
    what: String,
    /// The reference to copy to, in the form with two references
    #[arg(value_name = "DESTINATION", conflicts_with_all = ["to", "from", "config", "expect_digest"])]
    destination: Option<Reference>,
    /// The environment to copy to
    #[arg(long, value_name = "ENV")]
    to: Option<Environment>,
    /// What CI built: an OCI layout directory
    #[arg(long, value_name = "oci:DIRECTORY", value_parser = layout)]
    from: Option<PathBuf>,
    /// How many blobs and manifests may be on their way at once, from 1 to 256; 64 unless this is said. No more than 64
    /// are read at once
    #[arg(long, value_name = "N", value_parser = jobs, conflicts_with = "to")]
    jobs: Option<NonZeroUsize>,
    /// Leave behind what refers to the image: signatures, SBOMs
    #[arg(long, conflicts_with = "to")]
    no_referrers: bool,
    /// Ask the destination for every part, and send again what it has lost; else a tag or a manifest that is there
    /// vouches for its parts. APP=BUILD always asks
    #[arg(long, conflicts_with = "to")]
    thorough: bool,
    /// Write the digest to this file too, when the image is there
    #[arg(long, value_name = "FILE")]
    digest_file: Option<PathBuf>,
    #[command(flatten)]
    acting: Acting,
    #[command(flatten)]
    common: Common,
}

/// The document's own part.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Body {
    /// What the copy did, or would in a dry run; absent where neither is known.
    #[serde(flatten)]
    copy: Option<CopyPart>,
    /// The decision; empty in the form with two references.
    apps: Vec<AppPart>,
}

impl Command for CopyArtifact {
    type Body = Body;

    const NAME: &'static str = "copy-artifact";
    const OUTCOMES: &'static [&'static str] = &["copied", "already-present", "planned", "denied", "tag-held"];

    fn common(&self) -> &Common {
        &self.common
    }

    async fn execute(&self, session: &Session, account: &mut Account) -> Result<Outcome, Error> {
        let path = self.digest_file.as_ref().filter(|_| !self.acting.dry_run);
        let file = path.map(|path| DigestFile::begin(path)).transpose()?;
        let outcome = match (&self.destination, &self.to) {
            (Some(destination), _) => self.raw(destination, session, account).await?,
            (None, Some(to)) => self.app(to, session, account).await?,
            (None, None) => return Err(Error::NoDestination { what: self.what.clone() }),
        };
        let app = account.apps.values().find_map(|part| part.copy.as_ref());
        if let (Some(file), Some(copy)) = (file, account.copy.as_ref().or(app)) {
            file.finish(&copy.digest)?;
        }
        Ok(outcome)
    }

    fn body(account: &Account, ended: &Ended, session: Option<&Session>) -> Body {
        let mut apps = AppPart::all(account, ended, session);
        let raw = account.copy.as_ref().map(|copy| CopyPart::new(copy, session));
        let copy = raw.or_else(|| apps.iter_mut().find_map(AppPart::take_copy));
        Body { copy, apps }
    }
}

impl CopyArtifact {
    async fn app(&self, to: &Environment, session: &Session, account: &mut Account) -> Result<Outcome, Error> {
        let config = session::read(self.acting.config.as_ref(), account)?;
        let wanted = wanted(&self.what).map_err(|rule| Error::Argument { argument: self.what.clone(), rule })?;
        let world = session.world(config.as_deref()).await?;
        let asked = Asked::new(vec![wanted], to.clone(), self.acting.expect_digest, self.acting.dry_run)?;
        match &self.from {
            Some(directory) => {
                let layout = Layout::open(directory).await?;
                let outcome = publish(&world, &asked, &layout, account).await?;
                for copy in account.apps.values_mut().filter_map(|part| part.copy.as_mut()) {
                    copy.source = format!("oci:{}@{}", directory.display(), copy.digest);
                }
                Ok(outcome)
            }
            None => conveyor::copy_artifacts(&world, &asked, account).await,
        }
    }

    async fn raw(&self, destination: &Reference, session: &Session, account: &mut Account) -> Result<Outcome, Error> {
        let source: Reference = self.what.parse()?;
        let ledger = match &session.place {
            Some(_) => Some(session.ledger().await?),
            None => None,
        };
        let usual = Options::until(session.deadline);
        let options = Options {
            jobs: self.jobs.unwrap_or(usual.jobs),
            referrers: !self.no_referrers,
            thorough: self.thorough,
            ..usual
        };
        let copy = Copy {
            source: &source,
            destination,
            ledger: ledger.map(|(ledger, place)| (ledger.remote(), &place.branch)),
            connect: &session.live,
            observer: &*session.progress,
            options: &options,
            dry_run: self.acting.dry_run,
        };
        raw::copy(&copy, account).await
    }
}

fn layout(text: &str) -> Result<PathBuf, String> {
    text.strip_prefix("oci:")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .ok_or_else(|| "write oci:DIRECTORY, an OCI image layout".to_owned())
}

fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse().ok().filter(|number: &NonZeroUsize| number.get() <= 256);
    number.ok_or_else(|| "write a number from 1 to 256".to_owned())
}
