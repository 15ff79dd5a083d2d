//! `cargo xtask fuzz`: libFuzzer on the parsers of untrusted bytes. The same bodies run over the same corpora in
//! `cargo test`; here they meet bytes that nobody thought of.

use std::error::Error;
use std::fs;
use std::path::Path;

use crate::cached_tool::CachedTool;
use crate::command::{ROOT, program, run as run_command};

const CARGO_FUZZ: CachedTool = CachedTool { name: "cargo-fuzz", version: "0.13.2" };

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the targets whose CRATE/NAME holds this
    filter: Option<String>,
    /// Seconds for each target
    #[arg(long, default_value_t = 10)]
    seconds: u32,
}

#[derive(Debug, thiserror::Error)]
#[error("no fuzz target's name holds {filter:?}")]
struct NoTarget {
    filter: String,
}

pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let filter = args.filter.clone().unwrap_or_default();
    let targets: Vec<Target> = targets()?.into_iter().filter(|target| target.name.contains(&filter)).collect();
    if targets.is_empty() {
        return Err(NoTarget { filter }.into());
    }
    let cargo_fuzz = CARGO_FUZZ.installed()?;
    for target in &targets {
        println!("== {} for {} s", target.name, args.seconds);
        let found = Path::new(ROOT).join("target/fuzz/corpus").join(&target.name);
        fs::create_dir_all(&found)?;
        // Without a sanitizer: there is no unsafe code of ours that one could find something in.
        let mut fuzz = program("rustup");
        fuzz.args(["run", "nightly"]).arg(&cargo_fuzz).args([
            "run",
            "--fuzz-dir",
            "tests/fuzz",
            "--target-dir",
            "target/fuzz/build",
            "--sanitizer",
            "none",
        ]);
        fuzz.args(["any"]).arg(found).arg(&target.corpus);
        fuzz.arg("--")
            .arg(format!("-max_total_time={}", args.seconds))
            .args(["-max_len=65536", "-print_final_stats=1"]);
        run_command(fuzz.env("CONVEYOR_FUZZ", &target.name))?;
    }
    println!("{} targets, {} s each: nothing found", targets.len(), args.seconds);
    Ok(())
}

struct Target {
    /// `CRATE/NAME`.
    name: String,
    /// The corpus in the tree.
    corpus: String,
}

/// Each crate's `corpus/` has a folder for each of its targets.
fn targets() -> Result<Vec<Target>, Box<dyn Error>> {
    let mut targets = Vec::new();
    for of in names(&Path::new(ROOT).join("crates"))? {
        let folder = format!("{ROOT}/crates/{of}/corpus");
        if !Path::new(&folder).is_dir() {
            continue;
        }
        let here = names(Path::new(&folder))?;
        targets.extend(
            here.iter().map(|name| Target { name: format!("{of}/{name}"), corpus: format!("{folder}/{name}") }),
        );
    }
    Ok(targets)
}

fn names(folder: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_corpus_is_a_target() {
        let names: Vec<String> = targets().unwrap().into_iter().map(|target| target.name).collect();
        assert!(names.contains(&"release/reference".to_owned()), "{names:?}");
    }
}
