//! A bare repository of a given size, which every run finds as the first one did.

use std::{
    error::Error,
    fmt::Write as _,
    fs::{self, File},
    path::{Path, PathBuf},
};

use tokio::runtime::Runtime;

use crate::command::{CommandError, program, run, stdout};

/// How large a repository is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) manifests: usize,
    /// All but the first change one tag in one manifest.
    pub(super) commits: usize,
}

const ENVIRONMENTS: [&str; 4] = ["dev", "test", "staging", "production"];
/// What every tag holds at first.
const FIRST_TAG: usize = 10_000;

#[derive(Debug, thiserror::Error)]
enum StateError {
    #[error("{file} holds `{found}` after the update to {wanted}")]
    Tag { file: String, wanted: String, found: String },
    #[error("{found} commits came of {wanted} updates")]
    Commits { wanted: usize, found: String },
    #[error("refs were left behind: {refs}")]
    Refs { refs: String },
}

/// A tag that was to be written: of which manifest, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) file: String,
    pub(super) tag: String,
}

pub(super) struct Repository {
    directory: PathBuf,
    shape: Shape,
    /// The commit that every run begins at.
    begin: String,
}

impl Repository {
    pub(super) fn make(runtime: &Runtime, directory: &Path, shape: Shape) -> Result<Self, Box<dyn Error>> {
        let files: Vec<(String, String)> =
            (0..shape.manifests).map(|app| (file(app), manifest(app, FIRST_TAG))).collect();
        runtime.block_on(sandbox::create_repository(directory, &files))?;
        let stream = directory.join("history");
        fs::write(&stream, history(shape)?)?;
        run(git(directory).args(["fast-import", "--quiet"]).stdin(File::open(&stream)?))?;
        fs::remove_file(stream)?;
        run(git(directory).args(["gc", "--quiet"]))?;
        let begin = text(directory, &["rev-parse", "main"])?;
        Ok(Self { directory: directory.to_owned(), shape, begin })
    }

    /// The changes of so many writers: each of a manifest of its own, all over the repository.
    pub(super) fn wanted(&self, writers: usize, run: usize) -> Vec<Wanted> {
        let apart = (self.shape.manifests / writers.max(1)).max(1);
        let tag = |writer: usize| (FIRST_TAG + self.shape.commits + 1 + run * writers + writer).to_string();
        (0..writers).map(|writer| Wanted { file: file(writer * apart), tag: tag(writer) }).collect()
    }

    /// Takes back what came since it was made: the branch, and what was written for it. Packs hold all that was there.
    pub(super) fn rewind(&self) -> Result<(), Box<dyn Error>> {
        run(git(&self.directory).args(["update-ref", "refs/heads/main", &self.begin]))?;
        for entry in fs::read_dir(self.directory.join("objects"))? {
            let entry = entry?;
            if entry.file_name().len() == 2 {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    /// Every update is there, once, and nothing else is.
    pub(super) fn holds(&self, wanted: &[Wanted]) -> Result<(), Box<dyn Error>> {
        for Wanted { file, tag } in wanted {
            let text = text(&self.directory, &["show", &format!("main:{file}")])?;
            let found = tag_in(&text).unwrap_or_default();
            if found != tag {
                return Err(StateError::Tag { file: file.clone(), wanted: tag.clone(), found: found.to_owned() }.into());
            }
        }
        let found = text(&self.directory, &["rev-list", "--count", &format!("{}..main", self.begin)])?;
        if found != wanted.len().to_string() {
            return Err(StateError::Commits { wanted: wanted.len(), found }.into());
        }
        let refs = text(&self.directory, &["for-each-ref", "--format=%(refname)"])?;
        if refs != "refs/heads/main" {
            return Err(StateError::Refs { refs: refs.replace('\n', ", ") }.into());
        }
        Ok(())
    }

    pub(super) fn tip(&self) -> Result<String, CommandError> {
        text(&self.directory, &["rev-parse", "main"])
    }

    /// The repository as a folder.
    pub(super) fn url(&self) -> String {
        format!("file://{}", self.directory.display())
    }
}

fn git(directory: &Path) -> std::process::Command {
    let mut git = program("git");
    git.arg("--git-dir").arg(directory);
    git
}

fn text(directory: &Path, arguments: &[&str]) -> Result<String, CommandError> {
    let said = stdout(git(directory).args(arguments))?;
    Ok(String::from_utf8_lossy(&said).trim_end().to_owned())
}

/// An app's manifest, in one environment.
fn file(app: usize) -> String {
    let environment = ENVIRONMENTS.get(app % ENVIRONMENTS.len()).copied().unwrap_or_default();
    format!("environments/{environment}/app-{:05}/values.yaml", app / ENVIRONMENTS.len())
}

fn manifest(app: usize, tag: usize) -> String {
    format!(
        "# Values of app {app}; the tag is changed by CI.\nreplicaCount: {replicas}\n\nimage:\n  \
         repository: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/app-{app}\n  tag: \"{tag}\"\n  pullPolicy: \
         IfNotPresent\n\nservice:\n  type: ClusterIP\n  port: {port}\n\nresources:\n  requests:\n    cpu: 100m\n    \
         memory: 128Mi\n  limits:\n    memory: 256Mi\n\nenv:\n  - name: LOG_LEVEL\n    value: info # debug is too much \
         here\n  - name: APP\n    value: app-{app}\n",
        replicas = 1 + app % 5,
        port = 8_000 + app % 1_000,
    )
}

fn tag_in(manifest: &str) -> Option<&str> {
    let line = manifest.lines().find_map(|line| line.strip_prefix("  tag: "))?;
    Some(line.trim_matches('"'))
}

/// A stream for `git fast-import`: the commits after the first.
fn history(Shape { manifests, commits }: Shape) -> Result<String, Box<dyn Error>> {
    const BEGIN: usize = 1_767_225_600;
    let mut stream = String::new();
    for commit in 1..commits {
        // A prime number of steps, so that neighbours in time are none in the tree.
        let app = commit * 7_919 % manifests;
        let (file, text) = (file(app), manifest(app, FIRST_TAG + commit));
        let message = format!("{file}: image.tag = {}\n", FIRST_TAG + commit);
        let from = if commit == 1 { "from refs/heads/main^0\n" } else { "" };
        write!(
            stream,
            "commit refs/heads/main\ncommitter CI <ci@sandbox.invalid> {} +0000\ndata {}\n{message}{from}M 100644 inline \
             {file}\ndata {}\n{text}\n",
            BEGIN + 60 * commit,
            message.len(),
            text.len(),
        )?;
    }
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(directory: &Path) -> Repository {
        let runtime = Runtime::new().unwrap();
        Repository::make(&runtime, directory, Shape { manifests: 40, commits: 30 }).unwrap()
    }

    fn commit(repository: &Repository, Wanted { file, tag }: &Wanted) {
        let text = manifest(0, tag.parse().unwrap());
        let stream = format!(
            "commit refs/heads/main\ncommitter A <a@b.invalid> 1800000000 +0000\ndata 1\n.\nfrom refs/heads/main^0\n\
             M 100644 inline {file}\ndata {}\n{text}\n",
            text.len()
        );
        let path = repository.directory.join("stream");
        fs::write(&path, stream).unwrap();
        let stdin = File::open(path).unwrap();
        run(git(&repository.directory).args(["fast-import", "--quiet"]).stdin(stdin)).unwrap();
    }

    #[test]
    fn it_is_as_large_as_was_asked_for_and_nothing_is_loose() {
        let directory = tempfile::tempdir().unwrap();
        let repository = repository(directory.path());
        let lines = |arguments: &[&str]| text(directory.path(), arguments).unwrap().lines().count();
        assert_eq!(lines(&["ls-tree", "-r", "--name-only", "main"]), 40);
        assert_eq!(lines(&["rev-list", "main"]), 30);
        assert_eq!(text(directory.path(), &["count-objects"]).unwrap(), "0 objects, 0 kilobytes");
        assert!(repository.holds(&[]).is_ok());
    }

    #[test]
    fn what_is_missing_doubled_or_left_behind_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let repository = repository(directory.path());
        let wanted = repository.wanted(2, 0);
        let [first, second] = &wanted[..] else { panic!("{wanted:?}") };
        assert_ne!(first.file, second.file);
        let said = |wanted: &[Wanted]| repository.holds(wanted).unwrap_err().to_string();
        commit(&repository, first);
        assert!(repository.holds(&wanted[..1]).is_ok());
        assert!(said(&wanted).contains(&second.file));
        commit(&repository, first);
        assert_eq!(said(&wanted[..1]), "2 commits came of 1 updates");
        repository.rewind().unwrap();
        assert!(repository.holds(&[]).is_ok());
        run(git(directory.path()).args(["update-ref", "refs/conveyor/turns/1", "main"])).unwrap();
        assert_eq!(said(&[]), "refs were left behind: refs/conveyor/turns/1, refs/heads/main");
    }
}
