//! Debian's docker-registry as a process, whose requests are counted.

use std::{
    fs::{self, File},
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use super::{measured, store::Store};

/// It ends with the value.
pub(super) struct DockerRegistry {
    child: Child,
    address: SocketAddr,
    requests: PathBuf,
    /// Where it keeps what it holds.
    pub(super) store: Store,
}

impl DockerRegistry {
    /// Starts it on a free port, in a directory of its own, and waits until it answers.
    pub(super) fn start(directory: &Path) -> io::Result<Self> {
        let (root, requests) = (directory.join("store"), directory.join("requests"));
        fs::create_dir_all(&root)?;
        loop {
            let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
            let config = directory.join("config.yml");
            let text = format!(
                "version: 0.1\nlog: {{ level: error }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\n\
                 http: {{ addr: \"{address}\" }}\n",
                root.display()
            );
            fs::write(&config, text)?;
            let child = Command::new("docker-registry")
                .arg("serve")
                .arg(&config)
                .env_clear()
                .stdin(Stdio::null())
                .stdout(File::options().create(true).append(true).open(&requests)?)
                .stderr(Stdio::null())
                .spawn()?;
            let mut registry = Self { child, address, requests: requests.clone(), store: Store::new(&root) };
            // One that finds its port taken ends; the next is tried.
            while registry.child.try_wait()?.is_none() {
                if TcpStream::connect(address).is_ok() {
                    return Ok(registry);
                }
                thread::sleep(Duration::from_millis(10));
            }
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The CPU it has had since it started, in seconds.
    pub(super) fn cpu(&self) -> io::Result<f64> {
        measured::cpu_of(self.child.id())
    }

    /// Forgets the requests that were counted.
    pub(super) fn forget(&self) -> io::Result<()> {
        File::options().write(true).open(&self.requests)?.set_len(0)
    }

    /// The requests since they were last forgotten.
    pub(super) fn requests(&self) -> io::Result<usize> {
        // An answer is sent before its line is written.
        thread::sleep(Duration::from_millis(20));
        Ok(count(&fs::read(&self.requests)?))
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Lines of an access log in the combined format.
fn count(log: &[u8]) -> usize {
    String::from_utf8_lossy(log).lines().filter(|line| line.contains(" HTTP/1.1\" ")).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_of_requests_are_counted() {
        let log = b"127.0.0.1 - - [24/Nov/2026:10:00:00 +0000] \"GET /v2/ HTTP/1.1\" 200 2 \"\" \"curl\"\n\
            127.0.0.1 - - [24/Nov/2026:10:00:00 +0000] \"PUT /v2/a/manifests/1 HTTP/1.1\" 201 0 \"\" \"\"\n\
            time=\"2026-11-24T10:00:00Z\" level=error msg=\"no such blob\" http.request.method=GET\n";
        assert_eq!(count(log), 2);
    }
}
