//! `cargo xtask test`: what the tests need, then the tests. A component that is missing is a failure, never a skip.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::command::{cargo, is_on_path, program, run as run_command, run_watched, stdout};
use crate::{python, yaml_test_suite};

/// Debian's packages that the tests run, each with its program; python3-venv, which has none, comes besides.
const PACKAGES: [(&str, &str); 6] = [
    ("docker-registry", "docker-registry"),
    ("skopeo", "skopeo"),
    ("docker.io", "dockerd"),
    ("openssh-client", "ssh-keygen"),
    ("openssh-server", "sshd"),
    ("gnupg", "gpg"),
];

/// The AWS server that the tests of `aws` ask, in the version that they were written against.
const MOTO: &str = "moto[server]==5.2.5";

/// The oldest git that the Ledger is tested with.
const GIT: (u32, u32) = (2, 39);

#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Arguments for `cargo test --workspace`
    #[arg(last = true)]
    cargo_test: Vec<OsString>,
}

/// What the tests need and this machine lacks.
#[derive(Debug, thiserror::Error)]
enum LackError {
    #[error("the tests need git {}.{} or later; this is: {found}", GIT.0, GIT.1)]
    OldGit { found: String },
    #[error("the tests need `git http-backend`, which this git lacks: install git from the distribution's packages")]
    NoHttpBackend,
    #[error(
        "the tests need {0}. On Debian, as root:\n  apt-get update && apt-get install --no-install-recommends {0}\n\
         Elsewhere, put their programs on PATH. No service of theirs has to run.",
        missing.join(" ")
    )]
    Packages { missing: Vec<&'static str> },
}

pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    require_git()?;
    require_packages()?;
    python::require("moto", MOTO)?;
    yaml_test_suite::require()?;
    run_command(cargo().args(["build", "--package", "bins"]))?;

    let mut totals = Totals::default();
    let tested = run_watched(cargo().args(["test", "--workspace"]).args(&args.cargo_test), |line| totals.add(line));
    println!("\n{totals}");
    Ok(tested?)
}

/// The sum over all test binaries, each of which closes with a line of its own.
#[derive(Default)]
struct Totals {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Totals {
    /// Takes what a line like `test result: ok. 3 passed; 0 failed; 1 ignored; …` says; other lines say nothing.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            return;
        };
        for count in counts.split("; ") {
            let (number, what) = count.split_once(' ').unwrap_or_default();
            let number: u64 = number.parse().unwrap_or_default();
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

fn require_git() -> Result<(), Box<dyn Error>> {
    let text = String::from_utf8_lossy(&stdout(program("git").arg("version"))?).trim().to_owned();
    if git_version(&text).is_none_or(|found| found < GIT) {
        return Err(LackError::OldGit { found: text }.into());
    }
    let programs = String::from_utf8_lossy(&stdout(program("git").arg("--exec-path"))?).trim().to_owned();
    if !Path::new(&programs).join("git-http-backend").is_file() {
        return Err(LackError::NoHttpBackend.into());
    }
    Ok(())
}

/// Major and minor of `git version 2.39.5`, whatever the vendor puts behind them.
fn git_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("git version ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn require_packages() -> Result<(), Box<dyn Error>> {
    let missing = missing_packages();
    if missing.is_empty() {
        return Ok(());
    }
    if is_root()? && is_on_path("apt-get", &path()) {
        install(&missing)?;
    }
    match missing_packages() {
        missing if missing.is_empty() => Ok(()),
        missing => Err(LackError::Packages { missing }.into()),
    }
}

fn missing_packages() -> Vec<&'static str> {
    let lacking = PACKAGES.into_iter().filter(|(_, program)| !is_on_path(program, &path()));
    lacking.map(|(package, _)| package).chain(python::lacks_venv().then_some("python3-venv")).collect()
}

fn path() -> OsString {
    env::var_os("PATH").unwrap_or_default()
}

fn is_root() -> Result<bool, Box<dyn Error>> {
    Ok(stdout(program("id").arg("-u"))?.trim_ascii() == b"0")
}

fn install(packages: &[&str]) -> Result<(), Box<dyn Error>> {
    println!("Installing {}", packages.join(" "));
    let _services_stay_off = ServicesOff::hold(Path::new("/usr/sbin/policy-rc.d"))?;
    let apt_get = || {
        let mut command = program("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-y", "-o", "Dpkg::Use-Pty=0"]);
        command
    };
    run_command(apt_get().arg("update"))?;
    Ok(run_command(apt_get().args(["install", "--no-install-recommends"]).args(packages))?)
}

/// While it lives, a package that is installed does not start its service: the tests start their own processes on free
/// ports. It is Debian's `policy-rc.d` (invoke-rc.d(8)); one that the machine already has is left as it is.
struct ServicesOff<'a> {
    ours: Option<&'a Path>,
}

impl<'a> ServicesOff<'a> {
    const SCRIPT: &'static str = "#!/bin/sh\n# Written by `cargo xtask test` while it installs packages.\nexit 101\n";

    fn hold(policy: &'a Path) -> io::Result<Self> {
        let found = match fs::read(policy) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            other => Some(other?),
        };
        // One with our words was left by a run that was killed.
        if found.is_some_and(|text| text != Self::SCRIPT.as_bytes()) {
            return Ok(Self { ours: None });
        }
        fs::write(policy, Self::SCRIPT)?;
        let held = Self { ours: Some(policy) };
        fs::set_permissions(policy, fs::Permissions::from_mode(0o755))?;
        Ok(held)
    }
}

impl Drop for ServicesOff<'_> {
    fn drop(&mut self) {
        if let Some(policy) = self.ours
            && let Err(error) = fs::remove_file(policy)
        {
            eprintln!("warning: {} could not be removed, so packages start no service: {error}", policy.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_versions_are_read_whatever_the_vendor_adds() {
        assert_eq!(git_version("git version 2.39.5"), Some((2, 39)));
        assert_eq!(git_version("git version 2.47.3 (Apple Git-146)"), Some((2, 47)));
        assert_eq!(git_version("git version 3.0.windows.1"), Some((3, 0)));
        assert_eq!(git_version("hub version 2.14"), None);
        assert!((2, 4) < GIT && GIT < (2, 40));
    }

    #[test]
    fn totals_are_summed_over_all_test_binaries() {
        let mut totals = Totals::default();
        for line in [
            "running 3 tests",
            "test a ... ok",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.00s",
            "test result: FAILED. 40 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.25s",
            "",
        ] {
            totals.add(line);
        }
        assert_eq!(totals.to_string(), "43 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn services_are_off_only_while_held() {
        let directory = tempfile::tempdir().unwrap();
        let policy = directory.path().join("policy-rc.d");
        let held = ServicesOff::hold(&policy).unwrap();
        assert_eq!(fs::metadata(&policy).unwrap().permissions().mode() & 0o777, 0o755);
        drop(held);
        assert!(!policy.exists());
    }

    #[test]
    fn what_a_killed_run_left_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let policy = directory.path().join("policy-rc.d");
        fs::write(&policy, ServicesOff::SCRIPT).unwrap();
        drop(ServicesOff::hold(&policy).unwrap());
        assert!(!policy.exists());
    }

    #[test]
    fn the_machines_own_policy_is_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let policy = directory.path().join("policy-rc.d");
        fs::write(&policy, "#!/bin/sh\nexit 0\n").unwrap();
        drop(ServicesOff::hold(&policy).unwrap());
        assert_eq!(fs::read_to_string(&policy).unwrap(), "#!/bin/sh\nexit 0\n");
    }

    #[test]
    fn a_lack_says_what_to_install() {
        let text = LackError::Packages { missing: vec!["docker-registry", "skopeo"] }.to_string();
        assert!(text.contains("apt-get install --no-install-recommends docker-registry skopeo\n"), "{text}");
    }
}
