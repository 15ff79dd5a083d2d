use std::{path::Path, process::Stdio, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{Ran, binary};

/// Runs a program and writes down what the system says that it took; its exit code is the program's.
const MEASURE: &str = "
import os, sys
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
open(sys.argv[1], 'w').write(f'{usage.ru_utime + usage.ru_stime} {usage.ru_maxrss}')
sys.exit(os.waitstatus_to_exitcode(status))
";

/// A machine on which commands are given: a home of its own, and in it the credentials for registries.
#[derive(Debug)]
pub struct Agent {
    home: TempDir,
}

/// How a command ended, and what it took.
#[derive(Debug)]
pub struct Measured {
    /// How it ended.
    pub ran: Ran,
    /// The processor time, its own and the system's.
    pub cpu: Duration,
    /// The most memory that was resident, in MiB.
    pub peak_mib: f64,
}

impl Agent {
    /// A machine that has logged in as this user to these registries.
    ///
    /// # Panics
    /// When no directory can be made.
    #[must_use]
    pub fn new(login: Option<(&str, &str)>, registries: &[&str]) -> Self {
        let home = TempDir::new().unwrap();
        if let Some((user, password)) = login {
            let auth = BASE64_STANDARD.encode(format!("{user}:{password}"));
            let auths: Map<String, Value> =
                registries.iter().map(|registry| ((*registry).to_owned(), json!({ "auth": auth }))).collect();
            std::fs::write(home.path().join("config.json"), json!({ "auths": auths }).to_string()).unwrap();
        }
        Self { home }
    }

    /// A directory that goes away with the machine.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// A command as a person would give it, word by word.
    #[must_use]
    pub fn command(&self, line: &str) -> Command {
        let mut words = line.split_whitespace();
        let mut command = Command::new(binary(words.next().unwrap()));
        command.args(words);
        self.settled(command)
    }

    /// Gives a command.
    pub async fn run(&self, line: &str) -> Ran {
        Ran::new(self.command(line).output().await.unwrap())
    }

    /// Gives a command and measures it.
    ///
    /// # Panics
    /// When there is no Python.
    pub async fn measured(&self, line: &str) -> Measured {
        let report = self.home().join("usage");
        let mut words = line.split_whitespace();
        let mut command = Command::new("python3");
        command.args(["-c", MEASURE]).arg(&report).arg(binary(words.next().unwrap())).args(words);
        let output = self.settled(command).output().await.expect("python3 is needed: apt-get install python3");
        let ran = Ran::new(output);
        let usage = std::fs::read_to_string(report).unwrap_or_else(|_| panic!("nothing was measured: {ran:?}"));
        let (cpu, peak) = usage.split_once(' ').unwrap();
        Measured {
            ran,
            cpu: Duration::from_secs_f64(cpu.parse().unwrap()),
            peak_mib: peak.parse::<f64>().unwrap() / 1024.0,
        }
    }

    fn settled(&self, mut command: Command) -> Command {
        command
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", self.home())
            .env("DOCKER_CONFIG", self.home())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}
