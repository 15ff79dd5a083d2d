//! `cargo xtask bench ledger`: what an update of a Git repository takes, next to the script that people write.

mod crowd;
mod document;
mod floor;
mod growth;
mod host;
mod repository;
mod update;
mod writer;

use std::{error::Error, num::NonZeroUsize};

use self::{
    crowd::Crowds, document::Document, growth::Growth, host::Host, repository::Shape, update::Updates,
    writer::Workplace,
};
use super::{delay, measured, picture, scratch, tool, write_docs};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How often each update is made
    #[arg(long, default_value = "9")]
    runs: NonZeroUsize,
    /// Only one part
    #[arg(long, value_name = "PART", conflicts_with = "write_docs")]
    only: Option<Part>,
    /// Write docs/bench-ledger.md and docs/bench-ledger.svg, instead of printing the tables
    #[arg(long)]
    write_docs: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// One update at a time
    Update,
    /// Many writers at once
    Crowd,
    /// Repositories of several sizes
    Growth,
}

/// The largest repository.
const SHAPE: Shape = Shape { manifests: 2_000, commits: 20_000 };

pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let program = tool::build("update-ledger")?;
    let (directory, kept_in) = scratch()?;
    let home = directory.path().join("home");
    host::home(&home)?;
    let workplace = Workplace { program, home };
    let load = measured::load()?;
    let host = Host::start(&directory.path().join("server"), SHAPE)?;
    let wanted = |part| args.only.is_none_or(|only| only == part);
    let updates = wanted(Part::Update).then(|| Updates::measure(&host, &workplace, args.runs)).transpose()?;
    let crowds = wanted(Part::Crowd).then(|| Crowds::measure(&host, &workplace, args.runs)).transpose()?;
    let growth = wanted(Part::Growth)
        .then(|| Growth::measure((&host, SHAPE), &workplace, args.runs, directory.path()))
        .transpose()?;
    let idle_line = [workplace.program.display().to_string(), "--version".to_owned()];
    let document = Document {
        shape: SHAPE,
        versions: [tool::version(&workplace.program, &["--version"])?, tool::version("git".as_ref(), &["--version"])?],
        updates: updates.as_ref(),
        crowds: crowds.as_ref(),
        growth: growth.as_ref(),
        idle: measured::measure(&idle_line, &workplace.home)?,
        there_and_back: delay::qualities(host::ROUND_TRIP)?.0,
        runs: args.runs,
        machine: measured::machine()?,
        kept_in,
        load,
    };
    let text = document.markdown()?;
    if args.write_docs {
        let groups = document.growth.map(Growth::groups).unwrap_or_default();
        let picture = picture::draw("Seconds for one update, medians, as the repository grows", &groups);
        write_docs(&[("bench-ledger.md", text), ("bench-ledger.svg", picture)])?;
    } else {
        println!("{text}");
    }
    Ok(())
}
