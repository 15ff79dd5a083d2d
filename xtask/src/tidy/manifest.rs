//! Cargo.toml line by line: where a key stands, and what a member has to inherit. Cargo itself has already parsed it.

use std::path::Path;

use super::metadata::Member;
use super::{File, Finding};

/// What each member inherits, as table, key and value.
const INHERITED: [(&str, &str, &str); 5] = [
    ("package", "version.workspace", "true"),
    ("package", "edition.workspace", "true"),
    ("package", "rust-version.workspace", "true"),
    ("package", "license.workspace", "true"),
    ("lints", "workspace", "true"),
];

pub(super) struct Manifest {
    /// From the project's root.
    pub(super) path: String,
    entries: Vec<Entry>,
}

struct Entry {
    table: String,
    key: String,
    value: String,
    line: usize,
}

impl Manifest {
    /// Of all the project's files.
    pub(super) fn all(files: &[File]) -> Vec<Self> {
        let manifests = files.iter().filter(|file| Path::new(&file.path).file_name() == Some("Cargo.toml".as_ref()));
        manifests.map(Self::parse).collect()
    }

    fn parse(file: &File) -> Self {
        let mut table = String::new();
        let mut entries = Vec::new();
        for (line, text) in (1..).zip(file.text.lines().map(str::trim)) {
            if let Some(name) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                table = name.to_owned();
            } else if let Some((key, value)) = text.split_once('=').filter(|_| !text.starts_with('#')) {
                let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
                entries.push(Entry { table: table.clone(), key, value, line });
            }
        }
        Self { path: file.path.clone(), entries }
    }

    /// The line of a dependency in a table; 1 if it is written in a way that is not seen here.
    pub(super) fn line(&self, table: &str, name: &str) -> usize {
        self.names(table).find(|(found, _)| *found == name).map_or(1, |(_, line)| line)
    }

    /// The first part of each key in a table, and its line.
    pub(super) fn names<'a>(&'a self, table: &'a str) -> impl Iterator<Item = (&'a str, usize)> {
        let entries = self.entries.iter().filter(move |entry| entry.table == table);
        entries.map(|entry| (entry.key.split('.').next().unwrap_or(&entry.key), entry.line))
    }

    fn has(&self, (table, key, value): (&str, &str, &str)) -> bool {
        self.entries.iter().any(|entry| entry.table == table && entry.key == key && entry.value == value)
    }
}

/// The line of a member's dependency.
pub(super) fn line_of(manifests: &[Manifest], member: &Member<'_>, table: &str, name: &str) -> usize {
    find(manifests, &member.manifest()).map_or(1, |manifest| manifest.line(table, name))
}

/// That a member is named like its directory and inherits what all share.
pub(super) fn check(member: Member<'_>, manifests: &[Manifest]) -> Vec<Finding> {
    let file = member.manifest();
    let mut findings = Vec::new();
    let directory = member.directory.rsplit('/').next().unwrap_or(member.directory);
    let name = &member.package.name;
    if directory != name {
        let line = line_of(manifests, &member, "package", "name");
        let message = format!("package `{name}` is in a directory `{directory}`: give both the same name");
        findings.push(Finding { file: file.clone(), line, message });
    }
    for (table, key, value) in INHERITED {
        if find(manifests, &file).is_none_or(|manifest| !manifest.has((table, key, value))) {
            let message =
                format!("this crate does not inherit from the workspace: write `{key} = {value}` in [{table}]");
            findings.push(Finding { file: file.clone(), line: 1, message });
        }
    }
    findings
}

fn find<'a>(manifests: &'a [Manifest], path: &str) -> Option<&'a Manifest> {
    manifests.iter().find(|manifest| manifest.path == path)
}

#[cfg(test)]
mod tests {
    use super::super::metadata::example;
    use super::*;

    const GOOD: &str = "[package]\nname = \"release\"\nversion.workspace = true\nedition.workspace = true\n\
        rust-version.workspace = true\nlicense.workspace = true\n\n[lints]\nworkspace = true\n\n[dependencies]\n\
        # url = 2\nserde.workspace = true\n";

    fn findings(text: &str) -> Vec<Finding> {
        let file = File { path: "crates/release/Cargo.toml".to_owned(), text: text.to_owned() };
        let metadata = example::workspace(&[("release", &["serde"])]);
        check(metadata.members().next().unwrap(), &Manifest::all(&[file]))
    }

    #[test]
    fn a_member_that_inherits_all_is_fine() {
        assert_eq!(findings(GOOD), []);
    }

    #[test]
    fn each_line_that_is_not_inherited_is_found() {
        for (_, key, value) in INHERITED {
            let without = GOOD.replacen(&format!("\n{key} = {value}"), "\n", 1);
            assert_ne!(without, GOOD);
            let [finding] = &*findings(&without) else { panic!("one finding for {key}") };
            assert!(finding.message.contains(&format!("`{key} = {value}`")), "{finding}");
        }
    }

    #[test]
    fn a_key_in_another_table_is_not_inherited() {
        assert_eq!(findings(&GOOD.replace("[lints]", "[dependencies.serde]")).len(), 1);
    }

    #[test]
    fn a_missing_manifest_inherits_nothing() {
        let metadata = example::workspace(&[("release", &[])]);
        assert_eq!(check(metadata.members().next().unwrap(), &[]).len(), INHERITED.len());
    }

    #[test]
    fn a_directory_of_another_name_is_found() {
        let json = serde_json::json!({
            "packages": [{"id": "a", "name": "release", "dependencies": [], "manifest_path": "/p/crates/words/Cargo.toml"}],
            "workspace_members": ["a"], "workspace_root": "/p", "resolve": {"nodes": []},
        });
        let metadata: super::super::metadata::Metadata = serde_json::from_value(json).unwrap();
        let file = File { path: "crates/words/Cargo.toml".to_owned(), text: GOOD.to_owned() };
        let findings = check(metadata.members().next().unwrap(), &Manifest::all(&[file]));
        assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn lines_are_those_of_the_table_asked_for_and_comments_are_none() {
        let manifest = Manifest::parse(&File { path: "Cargo.toml".to_owned(), text: GOOD.to_owned() });
        assert_eq!(manifest.line("dependencies", "serde"), 13);
        assert_eq!(manifest.names("dependencies").count(), 1);
        assert_eq!(manifest.line("dev-dependencies", "serde"), 1);
    }
}
