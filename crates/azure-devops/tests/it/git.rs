//! A Ledger in Azure Repos, on the sandbox's server over a real bare repository.

mod conformance;
mod errors;
mod lost;
mod race;
mod requests;
mod topics;

use std::{collections::BTreeSet, path::PathBuf, process::Stdio, time::Duration};

use azure_devops::git::Repository;
use guarded_http::{Credentials, Limits};
use ledger::{Branch, Change, Draft, Edit, From, Proposal, RepoPath, Scalar};
use release::{BuildId, CommitId, RunId};
use sandbox::ReposServer;
use tokio::{io::AsyncWriteExt as _, process::Command, time::Instant};

const TOKEN: &str = "a-t0ken-of-the-tests";

/// A repository with a manifest for each of some apps.
struct Ledger {
    server: ReposServer,
    directory: tempfile::TempDir,
}

impl Ledger {
    async fn start(apps: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let manifest = |app| (format!("apps/a{app}/values.yaml"), "image:\n  tag: \"1\"\n".to_owned());
        let mut files: Vec<_> = (0..apps).map(manifest).collect();
        files.push(("README.md".to_owned(), "A Ledger\n".to_owned()));
        let bare = directory.path().join("ledger.git");
        sandbox::create_repository(&bare, &files).await.unwrap();
        let server = ReposServer::start(&bare, "acme", "big%20forge", "ledger", TOKEN).await.unwrap();
        Self { server, directory }
    }

    fn bare(&self) -> PathBuf {
        self.directory.path().join("ledger.git")
    }

    fn client(&self) -> Repository {
        self.client_at(&self.server.url())
    }

    fn client_at(&self, url: &str) -> Repository {
        client(url, &Credentials::Bearer(TOKEN.into()), Duration::from_secs(60))
    }

    async fn git(&self, arguments: &[&str]) -> String {
        self.git_with(arguments, b"").await
    }

    async fn git_with(&self, arguments: &[&str], input: &[u8]) -> String {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.bare()).args(arguments).env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path))).env("GIT_CONFIG_NOSYSTEM", "1");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        assert!(output.status.success(), "git {arguments:?}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Moves main past every lock.
    async fn rewind(&self, to: CommitId) {
        self.git(&["update-ref", "refs/heads/main", &to.to_string()]).await;
    }

    /// The commits of main by this run.
    async fn landed(&self, which: u64) -> usize {
        let trailer = format!("--grep=^Conveyor-Run: {}$", run(which));
        self.git(&["log", "--format=%H", &trailer, "refs/heads/main"]).await.lines().count()
    }
}

fn client(url: &str, credentials: &Credentials, patience: Duration) -> Repository {
    let limits = Limits { connect: patience, stall: patience, deadline: Instant::now() + patience };
    Repository::new(&url.parse().unwrap(), credentials, limits).unwrap()
}

fn main() -> Branch {
    "main".parse().unwrap()
}

fn path(text: &str) -> RepoPath {
    text.parse().unwrap()
}

fn run(which: u64) -> RunId {
    RunId::new(1_800_000_000_000, which.into())
}

/// Brings a build to an app.
fn forward(app: usize, build: u64) -> Change {
    let older: BuildId = build.to_string().parse().unwrap();
    let edit = Edit {
        file: path(&format!("apps/a{app}/values.yaml")),
        document: None,
        key: "image.tag".parse().unwrap(),
        from: From::OlderThan(older),
        to: Scalar::new(build.to_string()),
    };
    Change {
        run: run(build),
        edits: vec![edit],
        reads: vec![],
        prepends: vec![],
        restores: vec![],
        message: format!("Build {build}"),
    }
}

fn draft(which: u64, file: &str, bytes: &'static str) -> Draft {
    let message = format!("A title\n\nConveyor-Run: {}\n", run(which));
    Draft { files: vec![(path(file), bytes.into())], message, run: run(which) }
}

fn proposal<'a>(
    target: &'a Branch,
    expected: &'a CommitId,
    draft: &'a Draft,
    topic: &'a Branch,
    manifests: &'a BTreeSet<RepoPath>,
) -> Proposal<'a> {
    Proposal { target, expected, draft, manifests, topic, title: "A title" }
}
