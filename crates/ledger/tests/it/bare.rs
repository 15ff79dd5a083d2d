//! A bare repository on disk as a server, driven by git itself.

use std::{path::Path, process::Command};

use ledger::{
    LedgerUrl,
    git::{Program, Settings},
};
use release::CommitId;
use tempfile::TempDir;

use crate::{script::executable, support::manifest};

pub(crate) struct Server(TempDir);

impl Server {
    /// A server whose branch main has one commit with a README.
    pub(crate) fn new() -> Self {
        let server = Self(TempDir::new().unwrap());
        server.git(&["init", "--quiet", "--bare", "--template=", "--initial-branch=main", "."]);
        server.import(b"M 100644 inline README.md\ndata 5\nseed\n\n");
        server
    }

    /// A server with a manifest at a.yaml and b.yaml.
    pub(crate) fn with_manifests() -> Self {
        let server = Self::new();
        for file in ["a.yaml", "b.yaml"] {
            let text = String::from_utf8(manifest("5").to_vec()).unwrap();
            server.import(format!("M 100644 inline {file}\ndata {}\n{text}\n", text.len()).as_bytes());
        }
        server
    }

    /// A client with a store of its own.
    pub(crate) fn client(&self) -> Program {
        Program::new(self.url(), Settings::default())
    }

    /// A hook of the server.
    pub(crate) fn hook(&self, name: &str, body: &str) {
        let hooks = self.path().join("hooks");
        std::fs::create_dir_all(&hooks).unwrap();
        executable(&hooks.join(name), &format!("#!/bin/sh\n{body}\n"));
    }

    pub(crate) fn url(&self) -> LedgerUrl {
        format!("file://{}", self.path().display()).parse().unwrap()
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs git in the repository and gives back its output.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        self.git_with(arguments, b"")
    }

    /// Commits on main what git-fast-import's commands say.
    pub(crate) fn import(&self, commands: &[u8]) {
        let from = if self.0.path().join("refs/heads/main").exists() { "from refs/heads/main^0\n" } else { "" };
        let head = format!("commit refs/heads/main\ncommitter A <a@localhost> 1800000000 +0000\ndata 4\nseed\n{from}");
        self.stream(&[head.as_bytes(), commands].concat());
    }

    /// Does what a stream for git-fast-import says.
    pub(crate) fn stream(&self, stream: &[u8]) {
        self.git_with(&["fast-import", "--quiet"], stream);
    }

    /// Writes an object as it is, however odd, and says its id.
    pub(crate) fn object(&self, kind: &str, bytes: &[u8]) -> String {
        self.git_with(&["hash-object", "-w", "-t", kind, "--literally", "--stdin"], bytes).trim().to_owned()
    }

    pub(crate) fn rewind(&self, to: &CommitId) {
        self.git(&["update-ref", "refs/heads/main", &to.to_string()]);
    }

    /// Everything that was pushed is what git itself would have written.
    pub(crate) fn assert_clean(&self) {
        assert_eq!(self.git(&["fsck", "--strict", "--no-dangling", "--no-progress"]), "");
    }

    fn git_with(&self, arguments: &[&str], input: &[u8]) -> String {
        let stdin = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut &stdin, input).unwrap();
        std::io::Seek::rewind(&mut &stdin).unwrap();
        let mut command = Command::new("git");
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").current_dir(self.path());
        let output = command.args(arguments).stdin(stdin).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "git {arguments:?}: {}", text(&output.stderr));
        text(&output.stdout) + &text(&output.stderr)
    }
}
