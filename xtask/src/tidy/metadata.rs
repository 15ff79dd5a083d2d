//! The dependency graph, as `cargo metadata` prints it.

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;

use serde::Deserialize;

use crate::command::{cargo, stdout};

#[derive(Deserialize)]
pub(super) struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    workspace_root: String,
    resolve: Resolve,
}

#[derive(Deserialize)]
pub(super) struct Package {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) dependencies: Vec<Dependency>,
    manifest_path: String,
}

#[derive(Deserialize)]
pub(super) struct Dependency {
    name: String,
    rename: Option<String>,
    kind: Option<Kind>,
    path: Option<String>,
}

/// Cargo prints a normal dependency's kind as null.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Build,
    Dev,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Deserialize)]
struct EdgeKind {
    kind: Option<Kind>,
}

/// A crate of the workspace.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    pub(super) package: &'a Package,
    /// From the project's root, with `/`.
    pub(super) directory: &'a str,
}

impl Member<'_> {
    /// Its Cargo.toml, from the project's root.
    pub(super) fn manifest(&self) -> String {
        format!("{}/Cargo.toml", self.directory)
    }
}

impl Dependency {
    /// The name that this Cargo.toml gives it.
    pub(super) fn key(&self) -> &str {
        self.rename.as_deref().unwrap_or(&self.name)
    }

    /// Whether it is a crate of this project.
    pub(super) fn is_ours(&self) -> bool {
        self.path.is_some()
    }

    pub(super) fn is_dev(&self) -> bool {
        self.kind == Some(Kind::Dev)
    }

    /// The table of Cargo.toml that holds it.
    pub(super) fn table(&self) -> &'static str {
        match self.kind {
            None => "dependencies",
            Some(Kind::Build) => "build-dependencies",
            Some(Kind::Dev) => "dev-dependencies",
        }
    }
}

impl Metadata {
    pub(super) fn read() -> Result<Self, Box<dyn Error>> {
        let json = stdout(cargo().args(["metadata", "--format-version", "1", "--locked"]))?;
        Ok(serde_json::from_slice(&json)?)
    }

    pub(super) fn members(&self) -> impl Iterator<Item = Member<'_>> {
        let ours = self.packages.iter().filter(|package| self.workspace_members.contains(&package.id));
        ours.map(|package| {
            let relative = package.manifest_path.strip_prefix(&self.workspace_root).unwrap_or(&package.manifest_path);
            let directory = relative.trim_start_matches('/').trim_end_matches("Cargo.toml").trim_end_matches('/');
            Member { package, directory }
        })
    }

    /// The shortest chain of crates by which `from` is built with a crate that `wanted` names. What only tests use does
    /// not count.
    pub(super) fn chain<'a>(&'a self, from: &'a Package, wanted: impl Fn(&str) -> bool) -> Option<Vec<&'a str>> {
        let names: BTreeMap<&str, &str> = self.packages.iter().map(|package| (&*package.id, &*package.name)).collect();
        let edges: BTreeMap<&str, &[Edge]> = self.resolve.nodes.iter().map(|node| (&*node.id, &*node.deps)).collect();
        let name = |id: &str| names.get(id).copied().unwrap_or_default();

        let mut parents: BTreeMap<&str, Option<&str>> = BTreeMap::from([(&*from.id, None)]);
        let mut queue = VecDeque::from([&*from.id]);
        while let Some(id) = queue.pop_front() {
            if id != from.id && wanted(name(id)) {
                let back = std::iter::successors(Some(id), |id| parents.get(id).copied().flatten());
                let mut chain: Vec<&str> = back.map(name).collect();
                chain.reverse();
                return Some(chain);
            }
            for edge in edges.get(id).copied().unwrap_or_default() {
                let built = edge.dep_kinds.iter().any(|kind| kind.kind != Some(Kind::Dev));
                if built && !parents.contains_key(&*edge.pkg) {
                    parents.insert(&edge.pkg, Some(id));
                    queue.push_back(&edge.pkg);
                }
            }
        }
        None
    }
}

#[cfg(test)]
pub(super) mod example {
    //! A workspace in a few words, for the checks' tests.

    use serde_json::{Value, json};

    use super::Metadata;

    /// Each crate with its dependencies, `dev:` before those that only tests use. What has a row is ours.
    pub(in crate::tidy) fn workspace(crates: &[(&str, &[&str])]) -> Metadata {
        let ours = |name: &str| crates.iter().any(|(member, _)| *member == name);
        let split = |word: &str| match word.strip_prefix("dev:") {
            Some(name) => (name.to_owned(), json!("dev")),
            None => (word.to_owned(), Value::Null),
        };
        let mut packages = Vec::new();
        let mut nodes = Vec::new();
        for (name, dependencies) in crates {
            let dependencies: Vec<_> = dependencies.iter().map(|word| split(word)).collect();
            let listed: Vec<_> = dependencies
                .iter()
                .map(|(name, kind)| json!({"name": name, "kind": kind, "path": ours(name).then_some("somewhere")}))
                .collect();
            let edges: Vec<_> =
                dependencies.iter().map(|(name, kind)| json!({"pkg": name, "dep_kinds": [{"kind": kind}]})).collect();
            let manifest = format!("/project/crates/{name}/Cargo.toml");
            packages.push(json!({"id": name, "name": name, "dependencies": listed, "manifest_path": manifest}));
            nodes.push(json!({"id": name, "deps": edges}));
            for (name, _) in dependencies.iter().filter(|(name, _)| !ours(name)) {
                packages.push(json!({"id": name, "name": name, "dependencies": [], "manifest_path": "/registry"}));
            }
        }
        let members: Vec<_> = crates.iter().map(|(name, _)| name).collect();
        serde_json::from_value(json!({
            "packages": packages,
            "workspace_members": members,
            "workspace_root": "/project",
            "resolve": {"nodes": nodes},
        }))
        .unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package<'a>(metadata: &'a Metadata, name: &str) -> &'a Package {
        metadata.members().find(|member| member.package.name == name).unwrap().package
    }

    #[test]
    fn a_chain_goes_by_what_is_built_and_not_by_what_tests_use() {
        let metadata = example::workspace(&[("top", &["middle"]), ("middle", &["far", "dev:proptest"])]);
        let top = package(&metadata, "top");
        assert_eq!(metadata.chain(top, |name| name == "far"), Some(vec!["top", "middle", "far"]));
        assert_eq!(metadata.chain(top, |name| name == "proptest"), None);
        assert_eq!(metadata.chain(top, |name| name == "top"), None);
    }

    #[test]
    fn a_member_knows_its_directory() {
        let metadata = example::workspace(&[("release", &[])]);
        let member = metadata.members().next().unwrap();
        assert_eq!((member.directory, member.manifest()), ("crates/release", "crates/release/Cargo.toml".to_owned()));
    }
}
