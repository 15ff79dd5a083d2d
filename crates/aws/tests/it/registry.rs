//! The registry's contract, kept on a docker-registry that admits ECR's token.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use aws::{Access, Ecr};
use guarded_http::{Client, Credentials, Origin};
use registry_copy::conformance;

use crate::{
    alone::{KEYS, alone},
    fake::{Fake, token},
    fixture::{ROLE, identity, limits, place, repository},
};

const PASSWORD: &str = "111111111111-auth-token";

/// `AWS` with that password (bcrypt).
const USERS: &str = "AWS:$2b$05$abcdefghijklmnopqrstuuFTJx5cvYYvTSWk1mqfXs32Nf6n6jgGe\n";

struct DockerRegistry {
    child: Child,
    address: SocketAddr,
    _directory: tempfile::TempDir,
}

impl DockerRegistry {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        fs::write(path("users"), USERS).unwrap();
        // Between choosing a port and using it another process may take it: then this one ends, and the next is tried.
        loop {
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let config = format!(
                "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\n\
                 storage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp: {{ addr: \"{address}\" }}\n\
                 auth: {{ htpasswd: {{ realm: ecr, path: {} }} }}\n",
                path("store"),
                path("users")
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

#[test]
fn it_keeps_the_contract() {
    alone(&KEYS, async || {
        let server = DockerRegistry::start().await;
        let authority = server.address.to_string().parse().unwrap();
        let password = Credentials::Basic { user: "AWS".to_owned(), password: PASSWORD.into() };
        let fake = Fake::start().await;
        fake.always("GetAuthorizationToken", token(PASSWORD, 4_102_444_800));
        fake.has_layers_of(Client::new(Origin::for_registry(&authority), &password, limits()).unwrap());

        let place = aws::EcrPlace { authority, ..place(&fake) };
        let ecr = Ecr::new(identity(&fake, Some(ROLE)), place, Access::Write, limits()).unwrap();
        let other = "forge/base".parse().unwrap();
        conformance::check(&ecr, &repository()).await;
        conformance::check_mount(&ecr, &repository(), &other).await;
        assert_eq!(fake.seen("AssumeRole").len(), 3, "two repositories, and one from which the other mounts");
        assert!(!fake.seen("BatchCheckLayerAvailability").is_empty());
    });
}
