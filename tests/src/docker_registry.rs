use std::{
    fs::File,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use crate::{Issued, own_address};

/// The user of every [`DockerRegistry`].
pub const USER: &str = "robot";
/// His password.
pub const PASSWORD: &str = "open sesame";
/// Both as htpasswd has them, by bcrypt.
const USERS: &str = "robot:$2y$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy\n";

/// Debian's docker-registry as a process of its own, with an empty store and Basic authentication.
#[derive(Debug)]
pub struct DockerRegistry {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
}

impl DockerRegistry {
    /// Starts it on loopback, over plain HTTP, and waits until it answers.
    ///
    /// # Panics
    /// When it is not installed.
    pub async fn start() -> Self {
        Self::serve(Ipv4Addr::LOCALHOST.into(), None).await
    }

    /// Starts it on this machine's own address, which is not loopback, over TLS or where there is no certificate over
    /// plain HTTP.
    ///
    /// # Panics
    /// When it is not installed.
    pub async fn start_in_the_open(certificate: Option<&Issued>) -> Self {
        Self::serve(own_address(), certificate).await
    }

    async fn serve(ip: IpAddr, certificate: Option<&Issued>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let (store, users, config, log) = (path("store"), path("users"), path("config.yml"), path("requests"));
        std::fs::write(&users, USERS).unwrap();
        let tls = certificate.map_or_else(String::new, |issued| {
            let (certificate, key) = (path("certificate.pem"), path("key.pem"));
            std::fs::write(&certificate, &issued.certificate).unwrap();
            std::fs::write(&key, &issued.key).unwrap();
            format!(", tls: {{ certificate: {}, key: {} }}", certificate.display(), key.display())
        });
        // Between choosing a port and using it, another process may take it: then this one ends, and the next is tried.
        loop {
            let address = TcpListener::bind((ip, 0)).unwrap().local_addr().unwrap();
            let text = format!(
                "version: 0.1\nlog: {{ level: error }}\n\
                 storage: {{ filesystem: {{ rootdirectory: {} }}, delete: {{ enabled: true }} }}\n\
                 auth: {{ htpasswd: {{ realm: forge, path: {} }} }}\nhttp: {{ addr: \"{address}\"{tls} }}\n",
                store.display(),
                users.display()
            );
            std::fs::write(&config, text).unwrap();
            let mut child = Command::new("docker-registry")
                .arg("serve")
                .arg(&config)
                .env_clear()
                .stdin(Stdio::null())
                .stdout(File::create(&log).unwrap())
                .stderr(Stdio::null())
                .spawn()
                .expect("docker-registry is needed: apt-get install docker-registry");
            loop {
                if TcpStream::connect(address).is_ok() && child.try_wait().unwrap().is_none() {
                    return Self { child, address, directory };
                }
                if child.try_wait().unwrap().is_some() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// `ADDRESS:PORT`, as references name it.
    #[must_use]
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// The requests that it has answered: a line of its access log each.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.path("requests")).unwrap();
        log.lines().filter(|line| line.contains(" HTTP/")).map(str::to_owned).collect()
    }

    /// Whether it holds no byte of anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        fn files(directory: &Path) -> usize {
            let entries = std::fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path());
            entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
        }
        files(&self.path("store")) == 0
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
