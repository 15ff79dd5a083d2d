//! `cargo xtask live-ecr`: an example of `aws`, which alone is built with AWS's crates.

use std::error::Error;
use std::ffi::OsString;

use crate::command::{cargo, run as run_command};

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let example = ["run", "--quiet", "--package", "aws", "--example", "live_ecr", "--"];
    Ok(run_command(cargo().args(example).args(&args.arguments))?)
}
