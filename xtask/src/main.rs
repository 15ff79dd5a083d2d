//! The project's jobs: `cargo xtask --help` lists them.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "each job talks to the person who started it")]

mod bench;
mod cached_tool;
mod ci;
mod command;
mod demo;
mod deny;
mod fuzz;
mod live_ecr;
mod people;
mod python;
mod sandbox_job;
mod table;
mod test;
mod tidy;
mod yaml_test_suite;

use std::error::Error;
use std::iter;
use std::process::ExitCode;

use clap::Parser;

/// The project's jobs
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Job {
    /// Tell the story of one build from Dev to production, with the real binaries on the sandbox
    Demo,
    /// Run the sandbox until Ctrl-C
    Sandbox,
    /// Install what the tests need and lack, build the binaries, and run every test
    Test(test::Args),
    /// Everything that must hold before a change lands: fmt, clippy, doc, deny, tidy, test
    Ci,
    /// Check the licences, bans and sources of all dependencies (deny.toml)
    Deny,
    /// Check the dependencies against the RustSec database, which needs a network that reaches it
    Advisories,
    /// Run libFuzzer on the parsers of untrusted bytes, which needs a nightly compiler
    Fuzz(fuzz::Args),
    /// Measure the binaries next to other tools
    #[command(subcommand)]
    Bench(bench::Job),
    /// Run a program and print what it took, as JSON
    #[command(hide = true)]
    Measured(bench::measured::Args),
    /// Run the conformance suite on a real repository of ECR (docs/live-ecr.md)
    LiveEcr(live_ecr::Args),
    /// Check the project's own rules: who may depend on whom, file lengths, manifests, words
    Tidy,
}

fn main() -> ExitCode {
    let done = match Job::parse() {
        Job::Demo => demo::run(),
        Job::Sandbox => sandbox_job::run(),
        Job::Test(args) => test::run(&args),
        Job::Ci => ci::run(),
        Job::Deny => deny::run(),
        Job::Advisories => deny::advisories(),
        Job::Fuzz(args) => fuzz::run(&args),
        Job::Bench(job) => bench::run(&job),
        Job::Measured(args) => bench::measured::run(&args),
        Job::LiveEcr(args) => live_ecr::run(&args),
        Job::Tidy => tidy::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
