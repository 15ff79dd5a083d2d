//! The tools that are compared, each as its manual says that it copies fastest and everything.

use std::{
    env,
    error::Error,
    path::{Path, PathBuf},
};

use crate::command::{cargo, is_on_path, program, run, stdout, target_directory};

/// The name that the tables have for ours.
pub(super) const OURS: &str = "copy-artifact";
/// The name of the copy that looks at nothing.
pub(super) const PLAIN: &str = "plain";

pub(super) struct Tool {
    pub(super) name: &'static str,
    program: PathBuf,
    /// The words before the two references.
    arguments: &'static [&'static str],
    /// What stands before each reference.
    transport: &'static str,
    /// Whether what refers to an image goes with it.
    pub(super) referrers: bool,
    /// What it says that it is.
    pub(super) version: String,
}

/// Everything but ours; which of them a machine has is seen by its `PATH`.
const PEERS: [Peer; 4] = [
    Peer {
        name: "skopeo",
        arguments: &[
            "copy",
            "--insecure-policy",
            "--all",
            "--preserve-digests",
            "--src-tls-verify=false",
            "--dest-tls-verify=false",
        ],
        transport: "docker://",
        referrers: false,
        version: &["--version"],
    },
    Peer { name: "crane", arguments: &["copy", "--insecure"], transport: "", referrers: false, version: &["version"] },
    Peer {
        name: "regctl",
        arguments: &["image", "copy", "--referrers"],
        transport: "",
        referrers: true,
        version: &["version", "--format", "{{.VCSTag}}"],
    },
    Peer {
        name: "oras",
        arguments: &["cp", "--recursive", "--from-plain-http", "--to-plain-http", "--concurrency", "16"],
        transport: "",
        referrers: true,
        version: &["version"],
    },
];

struct Peer {
    name: &'static str,
    arguments: &'static [&'static str],
    transport: &'static str,
    referrers: bool,
    version: &'static [&'static str],
}

#[derive(Debug, thiserror::Error)]
#[error("the comparison needs skopeo and docker-registry: apt-get install skopeo docker-registry")]
struct Lacking;

pub(super) struct Tools {
    /// Ours, built for release, and the peers that are here.
    pub(super) here: Vec<Tool>,
    /// No tool but a measure: [`plain`](super::plain).
    pub(super) plain: Tool,
    /// The peers that are not.
    pub(super) absent: Vec<&'static str>,
}

/// Looks for the peers, and builds ours.
pub(super) fn all() -> Result<Tools, Box<dyn Error>> {
    let path = env::var_os("PATH").unwrap_or_default();
    if ["skopeo", "docker-registry"].iter().any(|name| !is_on_path(name, &path)) {
        return Err(Lacking.into());
    }
    let mut here = vec![ours()?];
    let mut absent = Vec::new();
    for peer in PEERS {
        if is_on_path(peer.name, &path) {
            here.push(peer.find()?);
        } else {
            absent.push(peer.name);
        }
    }
    Ok(Tools { here, plain: plain()?, absent })
}

/// Builds one of the project's binaries for release.
pub(super) fn build(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    run(cargo().args(["build", "--quiet", "--release", "--package", "bins", "--bin", name]))?;
    Ok(target_directory()?.join("release").join(name))
}

fn ours() -> Result<Tool, Box<dyn Error>> {
    let program = build(OURS)?;
    let version = version(&program, &["--version"])?;
    Ok(Tool { name: OURS, program, arguments: &["--quiet"], transport: "", referrers: true, version })
}

fn plain() -> Result<Tool, Box<dyn Error>> {
    let (program, version) = (env::current_exe()?, String::new());
    Ok(Tool { name: PLAIN, program, arguments: &["bench", "plain"], transport: "", referrers: false, version })
}

impl Peer {
    fn find(self) -> Result<Tool, Box<dyn Error>> {
        let Self { name, arguments, transport, referrers, version: asked } = self;
        let version = version(Path::new(name), asked)?;
        Ok(Tool { name, program: name.into(), arguments, transport, referrers, version })
    }
}

/// The first line of what a program says of itself, without its name.
pub(super) fn version(of: &Path, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let said = String::from_utf8(stdout(program(of).args(arguments))?)?;
    Ok(said.lines().next().and_then(|line| line.split_whitespace().last()).unwrap_or("?").to_owned())
}

impl Tool {
    /// The line that does nothing.
    pub(super) fn idle_line(&self) -> Vec<String> {
        vec![self.program.display().to_string(), "--version".to_owned()]
    }

    /// The line that copies.
    pub(super) fn line(&self, source: &str, destination: &str) -> Vec<String> {
        let mut line = vec![self.program.display().to_string()];
        line.extend(self.arguments.iter().map(|&word| word.to_owned()));
        line.extend([source, destination].map(|reference| format!("{}{reference}", self.transport)));
        line
    }
}
