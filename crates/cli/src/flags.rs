use std::{path::PathBuf, str::FromStr, time::Duration};

use clap::{Args, ValueEnum};
use conveyor::{
    Wanted,
    ledger::Branch,
    release::{Digest, ParseError},
};

/// The flags of every command.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The Ledger: the Git repository that holds conveyor.yaml. Off an agent, $CONVEYOR_LEDGER serves too
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) ledger: Option<String>,
    /// The Ledger's branch
    #[arg(long, default_value = "main", global = true)]
    pub(crate) branch: Branch,
    /// How the result is written to stdout
    #[arg(long, value_enum, default_value_t, global = true)]
    pub(crate) output: Output,
    /// When to give up: 90s, 10m, 1h; up to 24h
    #[arg(long, default_value = "10m", global = true)]
    pub(crate) timeout: Timeout,
    /// Print a completion script for bash, zsh, fish, elvish or powershell; alone
    #[arg(long, value_name = "SHELL", exclusive = true)]
    completions: Option<clap_complete::Shell>,
    /// Print the manual page, as roff; alone
    #[arg(long, exclusive = true)]
    man: bool,
    /// Say more on stderr
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// Say nothing on stderr but errors
    #[arg(short, long, conflicts_with = "verbose", global = true)]
    pub(crate) quiet: bool,
}

/// The flags of commands that act.
#[derive(Debug, Args)]
pub(crate) struct Acting {
    /// Decide and say what would be done; do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// A local conveyor.yaml instead of the Ledger's, for a dry run
    #[arg(long, value_name = "FILE", requires = "dry_run")]
    pub(crate) config: Option<PathBuf>,
    /// The digest that the build must have, as CI's output variable gives it
    #[arg(long, value_name = "DIGEST")]
    pub(crate) expect_digest: Option<Digest>,
}

/// The flags of commands that write to a Git repository.
#[derive(Debug, Args)]
pub(crate) struct Writing {
    /// Open a pull request, or bring the open one up to date, where the branch takes changes through them only: exit 4
    #[arg(long)]
    pub(crate) pull_request: bool,
    /// Sign the commit as git would: with the key and the program of your git configuration
    #[arg(long)]
    pub(crate) sign: bool,
}

/// How a result is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Sentences
    #[default]
    Human,
    /// Exactly one JSON document
    Json,
}

/// A length of time, such as `10m`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeout(pub(crate) Duration);

impl FromStr for Timeout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
        text.parse::<jiff::SignedDuration>()
            .ok()
            .and_then(|duration| Duration::try_from(duration).ok())
            .filter(|duration| !duration.is_zero() && *duration <= LONGEST)
            .map(Self)
            .ok_or_else(|| "write a length of time up to 24h, such as 90s or 10m".to_owned())
    }
}

/// `APP=BUILD`.
pub(crate) fn wanted(text: &str) -> Result<Wanted, String> {
    let (app, build) = text.split_once('=').ok_or("write APP=BUILD, such as payments-api=48213")?;
    let said = |error: ParseError| error.to_string();
    Ok(Wanted { app: app.parse().map_err(said)?, build: build.parse().map_err(said)? })
}
