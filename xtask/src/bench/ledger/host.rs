//! A real Git server with one repository, and what a run of a writer takes on it.

use std::{
    error::Error,
    fs,
    net::SocketAddr,
    path::Path,
    process::Child,
    time::{Duration, Instant},
};

use sandbox::{GitOptions, GitServer};
use tokio::runtime::Runtime;

use super::{
    super::{
        delay::{Delay, Ear, Heard},
        measured::{Taken, cores, idle, measure},
    },
    repository::{Repository, Shape},
    writer::{Workplace, Writer},
};

/// `git http-backend` in this process's HTTP server, direct and behind a delay.
pub(super) struct Host {
    pub(super) repository: Repository,
    server: GitServer,
    address: SocketAddr,
    delayed: Delay,
    ear: Ear,
    /// Serves as long as it lives.
    _runtime: Runtime,
}

/// How a repository is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// HTTP, without a delay.
    Direct,
    /// HTTP, [`ROUND_TRIP`] away.
    Delayed,
    /// As a folder.
    Folder,
}

pub(super) const ROUND_TRIP: Duration = Duration::from_millis(40);

/// One update by one writer.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) taken: Taken,
    pub(super) requests: usize,
    pub(super) connections: usize,
    /// Nothing unless the way is delayed.
    pub(super) heard: Heard,
}

/// Updates by as many writers at once, each of a manifest of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Race {
    /// Seconds from the first's start to the last's end.
    pub(super) wall: f64,
    /// Pushes, of all of them.
    pub(super) tries: u32,
    /// Of the one with the most.
    pub(super) most_tries: u32,
    pub(super) requests: usize,
    /// What part of the processors' time nothing was to do in, of 1.
    pub(super) idle: f64,
}

#[derive(Debug, thiserror::Error)]
#[error("{writer} failed: {said}")]
struct Lost {
    writer: &'static str,
    said: String,
}

impl Host {
    pub(super) fn start(directory: &Path, shape: Shape) -> Result<Self, Box<dyn Error>> {
        eprintln!("a repository of {} manifests and {} commits", shape.manifests, shape.commits);
        let runtime = Runtime::new()?;
        let repository = Repository::make(&runtime, &directory.join("ledger.git"), shape)?;
        let server = runtime.block_on(GitServer::start(directory, GitOptions::default()))?;
        let address = server.url().trim_start_matches("http://").parse()?;
        let (delayed, ear) = Delay::listening(address, ROUND_TRIP)?;
        Ok(Self { repository, server, address, delayed, ear, _runtime: runtime })
    }

    pub(super) fn address(&self, way: Way) -> SocketAddr {
        if way == Way::Delayed { self.delayed.address() } else { self.address }
    }

    fn url(&self, way: Way) -> String {
        match way {
            Way::Direct | Way::Delayed => format!("http://{}/ledger.git", self.address(way)),
            Way::Folder => self.repository.url(),
        }
    }

    /// One update, from the state that the repository was made in.
    pub(super) fn update(
        &self,
        writer: Writer,
        way: Way,
        workplace: &Workplace,
        run: usize,
    ) -> Result<Run, Box<dyn Error>> {
        let wanted = self.repository.wanted(1, run);
        self.repository.rewind()?;
        self.forget();
        let connections = self.server.connections();
        let folder = tempfile::tempdir_in(&workplace.home)?;
        let only = wanted.first().ok_or("nothing is wanted")?;
        let taken =
            measure(&writer.line(workplace, &self.url(way), only, &folder.path().join("clone")), &workplace.home)?;
        let requests = self.server.log().requests().len();
        self.repository.holds(&wanted)?;
        Ok(Run { taken, requests, connections: self.server.connections() - connections, heard: self.ear.take() })
    }

    /// So many updates at once.
    pub(super) fn race(
        &self,
        writer: Writer,
        way: Way,
        workplace: &Workplace,
        writers: usize,
        run: usize,
    ) -> Result<Race, Box<dyn Error>> {
        let wanted = self.repository.wanted(writers, run);
        self.repository.rewind()?;
        self.forget();
        let folder = tempfile::tempdir_in(&workplace.home)?;
        let url = self.url(way);
        let (begun, idle_before) = (Instant::now(), idle()?);
        let children: Vec<Child> = wanted
            .iter()
            .enumerate()
            .map(|(own, wanted)| {
                let clone = folder.path().join(own.to_string());
                writer.command(workplace, &url, wanted, &clone).spawn()
            })
            .collect::<Result<_, _>>()?;
        let outputs: Vec<_> = children.into_iter().map(Child::wait_with_output).collect::<Result<_, _>>()?;
        let wall = begun.elapsed().as_secs_f64();
        let idle = (idle()? - idle_before) / (wall * cores()? as f64);
        let requests = self.server.log().requests().len();
        let mut attempts = Vec::new();
        for output in outputs {
            if !output.status.success() {
                let said = [output.stdout, output.stderr].concat();
                let said = String::from_utf8_lossy(&said).trim().to_owned();
                return Err(Lost { writer: writer.name(), said }.into());
            }
            attempts.push(writer.tries(&output.stdout)?.attempts);
        }
        self.repository.holds(&wanted)?;
        let most_tries = attempts.iter().copied().max().unwrap_or(0);
        Ok(Race { wall, tries: attempts.iter().sum(), most_tries, requests, idle })
    }

    fn forget(&self) {
        self.server.log().clear();
        drop(self.ear.take());
    }
}

/// A home directory with a name for who commits.
pub(super) fn home(directory: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(directory)?;
    fs::write(directory.join(".gitconfig"), "[user]\n\tname = Bench\n\temail = bench@sandbox.invalid\n")?;
    Ok(())
}
