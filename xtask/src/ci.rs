//! `cargo xtask ci`: every check, the quick ones first.

use std::error::Error;
use std::iter;
use std::time::{Duration, Instant};

use crate::command::{cargo, run as run_command};
use crate::{deny, test, tidy};

type Check = fn() -> Result<(), Box<dyn Error>>;

const STAGES: [(&str, Check); 6] =
    [("fmt", fmt), ("clippy", clippy), ("doc", doc), ("deny", deny::run), ("tidy", tidy::run), ("test", test)];

/// The stage that failed: those after it were not run.
#[derive(Debug, thiserror::Error)]
#[error("stage `{stage}`")]
struct StageFailed {
    stage: &'static str,
    source: Box<dyn Error>,
}

pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let mut times = Vec::new();
    let mut outcome = Ok(());
    for (stage, check) in STAGES {
        println!("== {stage}");
        let start = Instant::now();
        let result = check();
        times.push(start.elapsed());
        println!("== {stage}: {} after {:.1} s", word(result.is_ok()), start.elapsed().as_secs_f64());
        if let Err(source) = result {
            outcome = Err(StageFailed { stage, source }.into());
            break;
        }
    }
    print!("\n{}", table(&times, outcome.is_ok()));
    outcome
}

fn fmt() -> Result<(), Box<dyn Error>> {
    Ok(run_command(cargo().args(["fmt", "--all", "--check"]))?)
}

fn clippy() -> Result<(), Box<dyn Error>> {
    let warnings = ["--", "--deny", "warnings"];
    Ok(run_command(cargo().args(["clippy", "--workspace", "--all-targets", "--locked"]).args(warnings))?)
}

fn doc() -> Result<(), Box<dyn Error>> {
    let mut command = cargo();
    command.args(["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "--deny warnings");
    Ok(run_command(&mut command)?)
}

fn test() -> Result<(), Box<dyn Error>> {
    test::run(&test::Args::default())
}

/// One line a stage; `times` has an entry for each that ran, and only its last can have failed.
fn table(times: &[Duration], all_passed: bool) -> String {
    let lines = STAGES.into_iter().enumerate().map(|(index, (stage, _))| match times.get(index) {
        Some(time) => {
            let passed = all_passed || index + 1 < times.len();
            format!("{stage:<8} {:>9.1}  {}\n", time.as_secs_f64(), word(passed))
        }
        None => format!("{stage:<8} {:>9}  not run\n", "-"),
    });
    iter::once("stage      seconds  result\n".to_owned()).chain(lines).collect()
}

fn word(passed: bool) -> &'static str {
    if passed { "passed" } else { "FAILED" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_what_passed_what_failed_and_what_was_not_run() {
        let times = [Duration::from_millis(1500), Duration::from_secs(70)];
        let shown: Vec<String> =
            table(&times, false).lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            shown,
            [
                "stage seconds result",
                "fmt 1.5 passed",
                "clippy 70.0 FAILED",
                "doc - not run",
                "deny - not run",
                "tidy - not run",
                "test - not run",
            ]
        );
        assert!(!table(&[Duration::ZERO; 6], true).contains("FAILED"));
    }
}
