use std::{
    io,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use jiff::Timestamp;
use tokio::io::AsyncWriteExt as _;

use crate::git::git;

/// No commit: what a ref that is not there is at.
pub(super) const ZERO: &str = "0000000000000000000000000000000000000000";

/// A bare repository, by way of the git program.
#[derive(Debug)]
pub(super) struct Store {
    directory: PathBuf,
}

/// A row of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) mode: String,
    /// `blob`, `tree` or `commit`.
    pub(super) kind: String,
    pub(super) id: String,
    /// From the root, without a slash in front.
    pub(super) path: String,
}

#[derive(Debug)]
pub(super) struct Commit {
    pub(super) id: String,
    pub(super) tree: String,
    pub(super) parents: Vec<String>,
    pub(super) author: Person,
    pub(super) committer: Person,
    pub(super) message: String,
}

#[derive(Debug, Default)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) date: Timestamp,
}

impl Store {
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// All refs and what they are at, by name.
    pub(super) async fn refs(&self) -> io::Result<Vec<(String, String)>> {
        let text = self.text(&["for-each-ref", "--format=%(refname) %(objectname)"]).await?;
        Ok(text.lines().filter_map(|line| line.split_once(' ')).map(|(name, id)| (name.into(), id.into())).collect())
    }

    pub(super) async fn tip(&self, name: &str) -> io::Result<Option<String>> {
        Ok(self.refs().await?.into_iter().find(|(known, _)| known == name).map(|(_, id)| id))
    }

    pub(super) async fn has_commit(&self, id: &str) -> io::Result<bool> {
        Ok(is_id(id) && self.run(&["cat-file", "-e", &format!("{id}^{{commit}}")], b"").await?.status.success())
    }

    /// What stands at a path; the root where it is empty.
    pub(super) async fn row(&self, commit: &str, path: &str) -> io::Result<Option<Row>> {
        if path.is_empty() {
            let id = self.text(&["rev-parse", &format!("{commit}^{{tree}}")]).await?;
            return Ok(Some(Row { mode: "040000".into(), kind: "tree".into(), id, path: String::new() }));
        }
        Ok(self.rows(commit, path).await?.into_iter().find(|row| row.path == path))
    }

    /// What is directly in a folder.
    pub(super) async fn children(&self, commit: &str, folder: &str) -> io::Result<Vec<Row>> {
        self.rows(commit, &if folder.is_empty() { String::new() } else { format!("{folder}/") }).await
    }

    async fn rows(&self, commit: &str, path: &str) -> io::Result<Vec<Row>> {
        let mut arguments = vec!["--literal-pathspecs", "ls-tree", "-z", "--full-tree", commit];
        arguments.extend((!path.is_empty()).then_some(["--", path]).into_iter().flatten());
        let rows = self.text(&arguments).await?;
        let row = |row: &str| {
            let (head, path) = row.split_once('\t')?;
            let mut words = head.split(' ').map(str::to_owned);
            Some(Row { mode: words.next()?, kind: words.next()?, id: words.next()?, path: path.to_owned() })
        };
        Ok(rows.split_terminator('\0').filter_map(row).collect())
    }

    pub(super) async fn blob(&self, id: &str) -> io::Result<Option<Vec<u8>>> {
        if !is_id(id) {
            return Ok(None);
        }
        let output = self.run(&["cat-file", "blob", id], b"").await?;
        Ok(output.status.success().then_some(output.stdout))
    }

    /// The commits of a branch, or those of them that changed a path, newest first.
    pub(super) async fn log(&self, tip: &str, path: &str, skip: usize, top: usize) -> io::Result<Vec<String>> {
        let (skip, top) = (format!("--skip={skip}"), format!("--max-count={top}"));
        let mut arguments = vec!["--literal-pathspecs", "rev-list", &skip, &top, tip, "--"];
        arguments.extend((!path.is_empty()).then_some(path));
        Ok(self.text(&arguments).await?.lines().map(str::to_owned).collect())
    }

    pub(super) async fn commit(&self, id: &str) -> io::Result<Option<Commit>> {
        if !self.has_commit(id).await? {
            return Ok(None);
        }
        let bytes = self.ok(&["cat-file", "commit", id], b"").await?;
        let text = String::from_utf8_lossy(&bytes);
        let (head, message) = text.split_once("\n\n").unwrap_or((&text, ""));
        let all = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(' '));
            lines.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).collect::<Vec<_>>()
        };
        let first = |name| all(name).into_iter().next().unwrap_or_default();
        Ok(Some(Commit {
            id: id.to_owned(),
            tree: first("tree"),
            parents: all("parent"),
            author: Person::parse(&first("author")),
            committer: Person::parse(&first("committer")),
            message: message.to_owned(),
        }))
    }

    /// Which files differ from the first parent, each with git's letter for how.
    pub(super) async fn changes(&self, commit: &Commit) -> io::Result<Vec<(String, String)>> {
        let common = ["diff-tree", "-r", "-z", "--name-status", "--no-commit-id"];
        let mut arguments = common.to_vec();
        match commit.parents.first() {
            Some(parent) => arguments.extend([parent.as_str(), &commit.id]),
            None => arguments.extend(["--root", &commit.id]),
        }
        let text = self.text(&arguments).await?;
        let mut words = text.split_terminator('\0');
        let mut changes = Vec::new();
        while let (Some(status), Some(path)) = (words.next(), words.next()) {
            changes.push((status.to_owned(), path.to_owned()));
        }
        Ok(changes)
    }

    /// Runs a stream of `git fast-import` and says what it prints.
    pub(super) async fn import(&self, stream: &[u8]) -> io::Result<String> {
        let printed = self.ok(&["fast-import", "--quiet"], stream).await?;
        Ok(String::from_utf8_lossy(&printed).trim().to_owned())
    }

    /// Moves refs as one, each from where it must be. Whether it was done.
    pub(super) async fn move_refs(&self, moves: &[(&str, &str, &str)]) -> io::Result<bool> {
        let lines: String = moves.iter().map(|(name, from, to)| format!("update {name} {to} {from}\n")).collect();
        Ok(self.run(&["update-ref", "--stdin"], lines.as_bytes()).await?.status.success())
    }

    async fn text(&self, arguments: &[&str]) -> io::Result<String> {
        let bytes = self.ok(arguments, b"").await?;
        Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
    }

    async fn ok(&self, arguments: &[&str], input: &[u8]) -> io::Result<Vec<u8>> {
        let output = self.run(arguments, input).await?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let words = String::from_utf8_lossy(&output.stderr);
        Err(io::Error::other(format!("git {}: {words}", arguments.join(" "))))
    }

    async fn run(&self, arguments: &[&str], input: &[u8]) -> io::Result<Output> {
        let mut command = git(&self.directory);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A git that needs none of it may be gone.
            drop(stdin.write_all(input).await);
        }
        child.wait_with_output().await
    }
}

pub(super) fn is_id(text: &str) -> bool {
    text.len() == ZERO.len() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Person {
    /// `NAME <EMAIL> SECONDS ZONE`
    fn parse(line: &str) -> Self {
        let parts = line.split_once(" <").and_then(|(name, rest)| Some((name, rest.split_once("> ")?)));
        let Some((name, (email, when))) = parts else { return Self::default() };
        let seconds = when.split(' ').next().and_then(|seconds| seconds.parse().ok());
        let date = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or_default();
        Self { name: name.to_owned(), email: email.to_owned(), date }
    }
}
