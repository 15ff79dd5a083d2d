use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Debian's dockerd as a process of its own, without networks for containers, on a private socket and data directory.
/// It needs root, and neither systemd nor a kernel with overlayfs.
#[derive(Debug)]
pub struct DockerEngine {
    child: Child,
    directory: TempDir,
}

impl DockerEngine {
    /// Starts it and waits until it answers.
    ///
    /// # Panics
    /// When it is not installed or does not start; what it said is shown.
    pub async fn start() -> Self {
        const LIMIT: Duration = Duration::from_secs(60);
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let log = std::fs::File::create(path("log")).unwrap();
        let child = Command::new("dockerd")
            .args(["--storage-driver", "vfs", "--bridge", "none", "--iptables=false", "--ip-forward=false"])
            .args(["--host", &format!("unix://{}", path("socket").display())])
            .arg("--data-root")
            .arg(path("data"))
            .arg("--exec-root")
            .arg(path("exec"))
            .arg("--pidfile")
            .arg(path("pid"))
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("dockerd is needed: apt-get install docker.io");
        let mut engine = Self { child, directory };
        let begun = Instant::now();
        while engine.docker(&["version"]).is_err() {
            let ended = engine.child.try_wait().unwrap();
            if ended.is_some() || begun.elapsed() > LIMIT {
                let log = std::fs::read_to_string(engine.path("log")).unwrap();
                panic!("dockerd does not start; it needs root and control groups:\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        engine
    }

    /// Runs the client and returns what it said; an error is what it said on stderr.
    ///
    /// # Errors
    /// Its stderr, when it fails.
    ///
    /// # Panics
    /// When it is not installed.
    pub fn docker(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new("docker")
            .arg("--host")
            .arg(format!("unix://{}", self.path("socket").display()))
            .args(arguments)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", self.home())
            // The builder that is in the engine: the other one is a plugin of its own.
            .env("DOCKER_BUILDKIT", "0")
            .stdin(Stdio::null())
            .output()
            .expect("docker is needed: apt-get install docker.io");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// The client's home, whose `.docker/config.json` holds its credentials.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.directory.path()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for DockerEngine {
    fn drop(&mut self) {
        // Asked to end, it ends its containerd too; killed, the kernel does that.
        if let Some(pid) = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or_default()) {
            let _ended_before = kill_process(pid, Signal::TERM);
        }
        for _ in 0..100 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
