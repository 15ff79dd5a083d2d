use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

/// Debian's docker-registry (distribution 2.8) as a process on loopback, with an empty store. It ends with the value.
pub(crate) struct DockerRegistry {
    child: Child,
    pub(crate) address: SocketAddr,
    _directory: TempDir,
}

/// Whom it lets in.
pub(crate) enum Admits<'a> {
    Everybody,
    /// Those of this htpasswd file.
    Users(&'a str),
    /// Who shows a token for the service `forge` of the issuer `forge`.
    Tokens {
        /// Where there are tokens.
        realm: String,
        /// The issuer's, as PEM.
        certificate: &'a str,
    },
}

impl DockerRegistry {
    /// Waits until it answers.
    pub(crate) async fn start(admits: Admits<'_>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let auth = match admits {
            Admits::Everybody => String::new(),
            Admits::Users(users) => {
                fs::write(path("users"), users).unwrap();
                format!("auth: {{ htpasswd: {{ realm: forge, path: {} }} }}\n", path("users"))
            }
            Admits::Tokens { realm, certificate } => {
                fs::write(path("root.pem"), certificate).unwrap();
                let root = path("root.pem");
                format!(
                    "auth: {{ token: {{ realm: \"{realm}\", service: forge, issuer: forge, rootcertbundle: {root} }} }}\n"
                )
            }
        };
        // Between choosing a port and using it, another process may take it: then this one ends, and the next is tried.
        loop {
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let config = format!(
                "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\nhttp: {{ addr: \"{address}\" }}\n\
                 storage: {{ filesystem: {{ rootdirectory: {} }}, delete: {{ enabled: true }} }}\n{auth}",
                path("store")
            );
            fs::write(path("config.yml"), config).unwrap();
            let mut child = Command::new("docker-registry")
                .args(["serve", &path("config.yml")])
                .env_clear()
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("docker-registry is needed: apt-get install docker-registry");
            while child.try_wait().unwrap().is_none() {
                if TcpStream::connect(address).is_ok() && child.try_wait().unwrap().is_none() {
                    return Self { child, address, _directory: directory };
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
