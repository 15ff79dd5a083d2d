//! A bare repository behind `git http-backend`.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use guarded_http::{Credentials, Limits};
use ledger::{
    Authorship, Push, RepoPath,
    smart_http::{Server, Settings},
};
use release::CommitId;
use sandbox::{GitOptions, GitServer};
use tempfile::TempDir;
use tokio::time::Instant;

/// A Ledger on a real server. Its branch main begins with a README and some manifests.
pub(crate) struct Hosted {
    directory: TempDir,
    pub(crate) server: GitServer,
}

/// Where the manifest of a number is.
pub(crate) fn manifest(number: usize) -> RepoPath {
    format!("apps/app-{number}/values.yaml").parse().unwrap()
}

impl Hosted {
    /// A server with the options that stock Git needs to be asked by straight POSTs.
    pub(crate) async fn new() -> Self {
        Self::with(GitOptions::default()).await
    }

    pub(crate) async fn with(options: GitOptions) -> Self {
        let directory = TempDir::new().unwrap();
        let mut files = vec![("README.md".to_owned(), "seed\n".to_owned())];
        files.extend(
            (0..40).map(|number| (manifest(number).to_string(), format!("image:\n  tag: \"1\"\n# {number}\n"))),
        );
        let server = GitServer::start(directory.path(), options).await.unwrap();
        sandbox::create_repository(&directory.path().join("ledger.git"), &files).await.unwrap();
        Self { directory, server }
    }

    /// Sets the repository's configuration.
    pub(crate) fn configured(self, key: &str, value: &str) -> Self {
        self.git(&["config", key, value]);
        self
    }

    /// A client of its own, as anybody.
    pub(crate) fn client(&self) -> Server {
        self.client_as(Credentials::Anonymous)
    }

    pub(crate) fn client_as(&self, credentials: Credentials) -> Server {
        client_at(&format!("{}/ledger.git", self.server.url()), credentials)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("ledger.git")
    }

    /// Runs git in the repository and gives back its output.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git(&self.path(), arguments, b"")
    }

    /// The same, and it reads an input.
    pub(crate) fn feed(&self, arguments: &[&str], input: &[u8]) -> String {
        git(&self.path(), arguments, input)
    }

    /// Does what a stream for git-fast-import says.
    pub(crate) fn stream(&self, stream: &[u8]) {
        self.feed(&["fast-import", "--quiet"], stream);
    }

    /// Commits to main, as a colleague would, what git-fast-import's commands say.
    pub(crate) fn import(&self, commands: &str) {
        let head = "commit refs/heads/main\ncommitter A <a@localhost> 1800000000 +0000\ndata 9\ncolleague\n";
        self.stream(format!("{head}from refs/heads/main^0\n{commands}\n").as_bytes());
    }

    /// A hook of the server.
    pub(crate) fn hook(&self, name: &str, body: &str) {
        let hooks = self.path().join("hooks");
        std::fs::create_dir_all(&hooks).unwrap();
        std::fs::write(hooks.join(name), format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(hooks.join(name), Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn rewind(&self, to: &CommitId) {
        self.git(&["update-ref", "refs/heads/main", &to.to_string()]);
    }

    /// Everything that was pushed is what git itself would have written.
    pub(crate) fn assert_clean(&self) {
        assert_eq!(self.git(&["fsck", "--strict", "--no-dangling", "--no-progress"]), "");
    }
}

/// The commit of a push that was accepted.
pub(crate) fn accepted(push: &Push) -> CommitId {
    let Push::Accepted(commit) = push else { panic!("{push:?}") };
    *commit
}

/// A client of any URL, for a minute.
pub(crate) fn client_at(url: &str, credentials: Credentials) -> Server {
    let limits = Limits {
        connect: Duration::from_secs(5),
        stall: Duration::from_secs(20),
        deadline: Instant::now() + Duration::from_secs(60),
    };
    Server::new(&url.parse().unwrap(), Settings { authorship: Authorship::default(), credentials, limits }).unwrap()
}

fn git(directory: &Path, arguments: &[&str], input: &[u8]) -> String {
    let mut stdin = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut stdin, input).unwrap();
    std::io::Seek::rewind(&mut stdin).unwrap();
    let mut command = Command::new("git");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").current_dir(directory);
    let output = command.args(arguments).stdin(stdin).output().expect("git is needed: apt-get install git");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "git {arguments:?}: {}", text(&output.stderr));
    text(&output.stdout) + &text(&output.stderr)
}
