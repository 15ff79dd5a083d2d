//! The git program against real servers: an sshd and git's own daemon, both on loopback.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use ledger::{
    LedgerError, LedgerUrl, Remote, conformance,
    git::{Program, Settings},
};
use tempfile::TempDir;

use crate::{
    bare::Server,
    script::{Script, executable},
    support::main,
};

/// A server that ends with this.
struct Running {
    child: Child,
    port: u16,
}

impl Running {
    /// Starts what `command` says of a free port, and waits until something listens there.
    fn start(command: impl Fn(u16) -> Command) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut child = command(port).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let late = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(child.try_wait().unwrap().is_none(), "the server ended at once");
            assert!(Instant::now() < late, "nothing listens on port {port}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, port }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Debian's openssh-server, with keys of its own, which lets in who runs the tests. There is an `ssh` that finds the
/// right files by itself: the real one looks for them in the home folder that the system's list of users says.
struct Sshd {
    folder: TempDir,
    running: Running,
    git: Script,
}

impl Sshd {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let file = |name: &str| folder.path().join(name);
        for key in ["host", "user", "stranger"] {
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(file(key)).status();
            assert!(made.unwrap().success());
        }
        let user = file("user.pub").display().to_string();
        let path = std::env::var("PATH").unwrap();
        let mut server = format!("HostKey {}\nAuthorizedKeysFile {user}\n", file("host").display());
        server += "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nMaxStartups 100\n";
        server += &format!("KbdInteractiveAuthentication no\nPermitRootLogin yes\nSetEnv PATH=\"{path}\"\n");
        fs::write(file("sshd_config"), server).unwrap();
        // Root's sshd wants this folder, which Debian makes when the service starts.
        let _ = fs::create_dir("/run/sshd");
        let sshd = Self::program();
        let running = Running::start(|port| {
            let mut command = Command::new(&sshd);
            command.args(["-D", "-q", "-o", &format!("ListenAddress=127.0.0.1:{port}"), "-f"]).arg(file("sshd_config"));
            command
        });
        let known = fs::read_to_string(file("host.pub")).unwrap();
        fs::write(file("known_hosts"), format!("[127.0.0.1]:{} {known}", running.port)).unwrap();
        fs::create_dir(file("bin")).unwrap();
        let git = Script::new(&format!("PATH='{}':\"$PATH\" exec git \"$@\"", file("bin").display()));
        let this = Self { folder, running, git };
        this.client_has("user", "known_hosts");
        this
    }

    /// sshd(8) wants to be called by its whole path.
    fn program() -> PathBuf {
        let folders = std::env::var_os("PATH").unwrap();
        let usual = [PathBuf::from("/usr/sbin")];
        let found =
            std::env::split_paths(&folders).chain(usual).map(|folder| folder.join("sshd")).find(|it| it.is_file());
        found.unwrap_or_else(|| panic!("the tests need sshd: install openssh-server"))
    }

    /// The client's key and the hosts that it knows.
    fn client_has(&self, key: &str, known_hosts: &str) {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let real = Command::new("sh").args(["-c", "command -v ssh"]).output().unwrap();
        let real = String::from_utf8(real.stdout).unwrap();
        let options = format!(
            "-F /dev/null -oIdentityAgent=none -oIdentitiesOnly=yes -oIdentityFile='{}' -oUserKnownHostsFile='{}' \
             -oGlobalKnownHostsFile=/dev/null",
            file(key),
            file(known_hosts)
        );
        let ssh = self.folder.path().join("bin/ssh");
        executable(
            &ssh,
            &format!("#!/bin/sh\necho \"SSH $*\" >>'{}'\nexec {} {options} \"$@\"\n", file("log"), real.trim()),
        );
    }

    fn url(&self, repository: &Path) -> LedgerUrl {
        let user = Command::new("id").arg("-un").output().unwrap();
        let user = String::from_utf8(user.stdout).unwrap();
        format!("ssh://{}@127.0.0.1:{}{}", user.trim(), self.running.port, repository.display()).parse().unwrap()
    }

    fn client(&self, repository: &Path) -> Program {
        Program::new(self.url(repository), self.git.settings())
    }
}

#[tokio::test]
async fn the_git_program_conforms_over_ssh() {
    let (server, sshd) = (Server::new(), Sshd::start());
    let client = sshd.client(server.path());
    conformance::check(&client, &main(), async |to| server.rewind(&to)).await.unwrap();
    server.stream(&conformance::oddities(&main()));
    conformance::check_oddities(&client, &main()).await.unwrap();
    server.assert_clean();
    let asked = fs::read_to_string(sshd.folder.path().join("log")).unwrap();
    assert!(asked.lines().count() > 5 && asked.lines().all(|line| line.starts_with("SSH -oBatchMode=yes ")), "{asked}");
    let surroundings = sshd.git.calls();
    let names = |line: &str| line.split_once('=').map(|(name, _)| name.to_owned()).filter(|name| name.contains("SSH"));
    for name in surroundings.lines().filter_map(names).filter(|name| !name.contains(' ')) {
        assert!(["GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "SSH_AUTH_SOCK"].contains(&&*name), "{name}");
    }
    assert!(surroundings.contains("GIT_ALLOW_PROTOCOL=ssh\n"));
}

#[tokio::test]
async fn what_ssh_refuses_is_told_apart_and_nobody_is_asked() {
    let (server, sshd) = (Server::new(), Sshd::start());
    let head = sshd.client(server.path()).head(&main()).await.unwrap();
    let nowhere = sshd.client(Path::new("/nowhere.git")).head(&main()).await;
    assert!(matches!(nowhere, Err(LedgerError::NoRepository { .. })), "{nowhere:?}");
    let client = sshd.client(server.path());
    sshd.client_has("stranger", "known_hosts");
    let denied = client.head(&main()).await.unwrap_err();
    assert!(matches!(denied, LedgerError::Denied { .. }) && !denied.is_retryable(), "{denied:?}");
    sshd.client_has("user", "nobody");
    let unknown = client.head(&main()).await.unwrap_err();
    assert!(matches!(unknown, LedgerError::UnknownHost { .. }) && !unknown.is_retryable(), "{unknown:?}");
    sshd.client_has("user", "known_hosts");
    assert_eq!(client.head(&main()).await.unwrap(), head);
    // Nothing listens there any more.
    let client = sshd.client(server.path());
    drop(sshd.running);
    let gone = client.head(&main()).await.unwrap_err();
    assert!(matches!(gone, LedgerError::Unreachable { .. }) && gone.is_retryable(), "{gone:?}");
}

#[tokio::test]
async fn the_git_program_conforms_on_git_s_own_daemon() {
    let server = Server::new();
    let (folder, name) = (server.path().parent().unwrap().display(), server.path().file_name().unwrap());
    // By its own name: `git daemon` would start it as a child, which outlives it.
    let programs = Command::new("git").arg("--exec-path").output().unwrap().stdout;
    let program = Path::new(String::from_utf8(programs).unwrap().trim()).join("git-daemon");
    let daemon = Running::start(|port| {
        let mut command = Command::new(&program);
        command.args(["--listen=127.0.0.1", "--reuseaddr", "--export-all", "--enable=receive-pack"]);
        command.args([format!("--port={port}"), format!("--base-path={folder}"), server.path().display().to_string()]);
        command.stderr(Stdio::null());
        command
    });
    let url = |path: &str| format!("git://127.0.0.1:{}/{path}", daemon.port).parse::<LedgerUrl>().unwrap();
    let client = Program::new(url(&name.to_string_lossy()), Settings::default());
    conformance::check(&client, &main(), async |to| server.rewind(&to)).await.unwrap();
    server.stream(&conformance::oddities(&main()));
    conformance::check_oddities(&client, &main()).await.unwrap();
    server.assert_clean();
    let nowhere = Program::new(url("nowhere"), Settings::default()).head(&main()).await;
    assert!(matches!(nowhere, Err(LedgerError::NoRepository { .. })), "{nowhere:?}");
}
