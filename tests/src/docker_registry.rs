use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

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
    _directory: TempDir,
}

impl DockerRegistry {
    /// Starts it on a free port and waits until it answers.
    ///
    /// # Panics
    /// When it is not installed.
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let (store, users, config) = (path("store"), path("users"), path("config.yml"));
        std::fs::write(&users, USERS).unwrap();
        // Between choosing a port and using it, another process may take it: then this one ends, and the next is tried.
        loop {
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let text = format!(
                "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\n\
                 storage: {{ filesystem: {{ rootdirectory: {} }}, delete: {{ enabled: true }} }}\n\
                 auth: {{ htpasswd: {{ realm: forge, path: {} }} }}\nhttp: {{ addr: \"{address}\" }}\n",
                store.display(),
                users.display()
            );
            std::fs::write(&config, text).unwrap();
            let mut child = Command::new("docker-registry")
                .arg("serve")
                .arg(&config)
                .env_clear()
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("docker-registry is needed: apt-get install docker-registry");
            loop {
                if TcpStream::connect(address).is_ok() && child.try_wait().unwrap().is_none() {
                    return Self { child, address, _directory: directory };
                }
                if child.try_wait().unwrap().is_some() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// `127.0.0.1:PORT`, as references name it.
    #[must_use]
    pub fn authority(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
