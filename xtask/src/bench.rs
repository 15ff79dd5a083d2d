//! `cargo xtask bench`: what a job takes, next to what others take for it.

mod comparison;
mod delay;
mod document;
mod elsewhere;
mod growth;
mod image;
mod ledger;
mod limits;
pub(crate) mod measured;
mod picture;
mod plain;
mod registry;
mod statistics;
mod store;
mod tool;

use std::{error::Error, fs, io, num::NonZeroUsize, path::Path, process::Stdio};

use tempfile::TempDir;

use self::{comparison::Comparison, document::Document, growth::Growth, tool::Tools};
use crate::command::{ROOT, program};

#[derive(clap::Subcommand)]
pub(crate) enum Job {
    /// Compare copy-artifact with skopeo, and with crane, regctl and oras where they are on PATH
    Copy(Args),
    /// Compare update-ledger with the script that clones, edits with sed, commits and pushes
    Ledger(ledger::Args),
    /// Move an image and look at nothing, which shows what moving alone takes
    #[command(hide = true)]
    Plain(plain::Args),
}

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How often each tool copies each image
    #[arg(long, default_value = "5")]
    runs: NonZeroUsize,
    /// Only one image, a, b or c
    #[arg(long, value_name = "IMAGE", conflicts_with = "write_docs")]
    only: Option<String>,
    /// Write docs/bench.md and docs/bench-copy.svg, instead of printing the tables
    #[arg(long)]
    write_docs: bool,
}

pub(crate) fn run(job: &Job) -> Result<(), Box<dyn Error>> {
    match job {
        Job::Copy(args) => compare(args),
        Job::Ledger(args) => ledger::run(args),
        Job::Plain(args) => plain::run(args),
    }
}

fn compare(args: &Args) -> Result<(), Box<dyn Error>> {
    let Tools { here: tools, plain, absent } = tool::all()?;
    let ours = tools.first().ok_or("no tool")?;
    let (directory, kept_in) = scratch()?;
    let load = measured::load()?;
    let comparison = Comparison::run(&tools, &plain, args.only.as_deref(), args.runs, directory.path())?;
    let growth = match args.only {
        Some(_) => Growth::default(),
        None => Growth::run(&tools, args.runs, directory.path())?,
    };
    let document = Document {
        tools: &tools,
        absent: &absent,
        comparison: &comparison,
        growth: &growth,
        idle: measured::measure(&ours.idle_line(), directory.path())?,
        runs: args.runs,
        machine: measured::machine()?,
        cores: measured::cores()?,
        hashing: measured::hashing()?,
        kept_in,
        load,
    };
    let (text, picture) = (document.markdown()?, picture::of(&comparison, &tools));
    if args.write_docs {
        write_docs(&[("bench.md", text), ("bench-copy.svg", picture)])?;
    } else {
        println!("{text}");
    }
    Ok(())
}

fn write_docs(files: &[(&str, String)]) -> io::Result<()> {
    let docs = Path::new(ROOT).join("docs");
    fs::create_dir_all(&docs)?;
    files.iter().try_for_each(|(name, text)| fs::write(docs.join(name), text))
}

/// A directory for the registries, and what holds it: memory where there is enough, so that no disk is measured.
fn scratch() -> Result<(TempDir, &'static str), Box<dyn Error>> {
    const MEMORY: &str = "/dev/shm";
    /// The largest image is there once, and its layer at the source takes no room.
    const ENOUGH: u64 = 8 << 30;
    let asked = program("df").args(["--block-size=1", "--output=avail", MEMORY]).stderr(Stdio::null()).output()?;
    let free = String::from_utf8_lossy(&asked.stdout).lines().last().and_then(|line| line.trim().parse::<u64>().ok());
    if free.is_some_and(|free| free >= ENOUGH) {
        Ok((tempfile::tempdir_in(MEMORY)?, "in memory (tmpfs)"))
    } else {
        Ok((tempfile::tempdir()?, "on disk, which is then in every figure"))
    }
}
