//! That each dependency that is declared is used: a normal one outside of tests, one for tests anywhere in the crate.

use super::manifest::{Manifest, line_of};
use super::metadata::{Member, Metadata};
use super::{File, Finding};

pub(super) fn check(metadata: &Metadata, manifests: &[Manifest], files: &[File]) -> Vec<Finding> {
    let mut findings = unused_in_workspace(metadata, manifests);
    findings.extend(metadata.members().flat_map(|member| unused_in_member(&member, manifests, files)));
    findings
}

fn unused_in_workspace(metadata: &Metadata, manifests: &[Manifest]) -> Vec<Finding> {
    let Some(root) = manifests.iter().find(|manifest| manifest.path == "Cargo.toml") else { return Vec::new() };
    let used = |name: &str| {
        metadata.members().any(|member| member.package.dependencies.iter().any(|dependency| dependency.key() == name))
    };
    let unused = root.names("workspace.dependencies").filter(|(name, _)| !used(name));
    unused
        .map(|(name, line)| {
            let message = format!("no crate uses `{name}`: remove this line");
            Finding { file: root.path.clone(), line, message }
        })
        .collect()
}

fn unused_in_member(member: &Member<'_>, manifests: &[Manifest], files: &[File]) -> Vec<Finding> {
    let sources: Vec<(&str, &File)> = files
        .iter()
        .filter_map(|file| Some((file.path.strip_prefix(member.directory)?.strip_prefix('/')?, file)))
        .filter(|(path, _)| path.ends_with(".rs"))
        .collect();
    let unused = member.package.dependencies.iter().filter(|dependency| {
        let (name, is_dev) = (dependency.key().replace('-', "_"), dependency.is_dev());
        !sources.iter().any(|(path, file)| (is_dev || !is_for_tests(path)) && uses(&file.text, &name, is_dev))
    });
    unused
        .map(|dependency| {
            let (name, table) = (dependency.key(), dependency.table());
            let apart = if dependency.is_dev() { "" } else { ", tests apart," };
            let message =
                format!("no source of `{}`{apart} uses `{name}`: remove it from [{table}]", member.package.name);
            Finding { file: member.manifest(), line: line_of(manifests, member, table, name), message }
        })
        .collect()
}

/// Whether Cargo builds a source, whose path is from its crate's directory, with the dependencies for tests.
fn is_for_tests(path: &str) -> bool {
    ["tests/", "benches/", "examples/"].into_iter().any(|directory| path.starts_with(directory))
}

/// Whether a source names the crate: as the start of a path, or in a `use`. Comments do not count, except that tests may
/// stand in doc comments.
fn uses(source: &str, name: &str, in_doc_tests_too: bool) -> bool {
    let code: String = source
        .lines()
        .map(str::trim_start)
        .filter(|line| !line.starts_with("//") || (in_doc_tests_too && is_doc(line)))
        .flat_map(|line| [line, "\n"])
        .collect();
    code.split(';').any(|statement| {
        let in_use = words(statement).any(|(_, word)| word == "use");
        words(statement).any(|(start, word)| {
            let (before, after) = (statement.get(..start), statement.get(start + word.len()..));
            let starts_path = after.is_some_and(|after| after.starts_with("::"));
            let goes_on = before.is_some_and(|before| before.ends_with("::") && !is_absolute(before));
            word == name && !goes_on && (starts_path || in_use)
        })
    })
}

fn is_doc(line: &str) -> bool {
    line.starts_with("///") || line.starts_with("//!")
}

/// Whether a path begins with these colons, as in `::http::Uri`.
fn is_absolute(before: &str) -> bool {
    let rest = before.trim_end_matches(':');
    !rest.ends_with(|last: char| last.is_alphanumeric() || matches!(last, '_' | '>'))
}

/// Each identifier or keyword with the index of its first byte.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut from = 0;
    std::iter::from_fn(move || {
        let rest = text.get(from..)?;
        let start = from + rest.find(part)?;
        let word = text.get(start..)?.split(|letter| !part(letter)).next()?;
        from = start + word.len();
        Some((start, word))
    })
}

#[cfg(test)]
mod tests {
    use super::super::metadata::example;
    use super::*;

    #[test]
    fn a_crate_is_used_by_a_path_or_a_use() {
        for code in [
            "fn f() -> http::Uri { x }",
            "let uri: ::http::Uri = x;",
            "use http::Uri;",
            "pub use http;",
            "pub use {bytes, http};",
            "use {\n    bytes,\n    http as h,\n};",
            "#[http::test]",
        ] {
            assert!(uses(code, "http", false), "{code}");
        }
    }

    #[test]
    fn a_crate_is_not_used_by_a_word() {
        for code in [
            "// http::Uri",
            "/// See http::Uri.",
            "let http = 1;",
            "let url = \"http://host\";",
            "crate::http::get()",
            "use crate::http::get;",
            "mod guarded_http;",
            "use guarded_http::Client;\nlet http = Client::new();",
            "guarded_http::http()",
        ] {
            assert!(!uses(code, "http", false), "{code}");
        }
    }

    #[test]
    fn doc_tests_count_for_what_tests_use() {
        assert!(uses("/// use http::Uri;", "http", true));
        assert!(!uses("// use http::Uri;", "http", true));
    }

    #[test]
    fn a_dependency_that_no_source_names_is_found_with_its_line() {
        let metadata = example::workspace(&[("ledger", &["serde", "async-trait", "dev:proptest", "dev:wiremock"])]);
        let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
        let mut files = vec![
            file("Cargo.toml", "[workspace.dependencies]\nserde = \"1\"\nurl = \"2\"\n"),
            file("crates/ledger/Cargo.toml", "[dependencies]\nserde.workspace = true\n"),
            file("crates/ledger/src/lib.rs", "use async_trait::async_trait;\n"),
            file("crates/ledger-tool/src/lib.rs", "use serde::Serialize;\nuse wiremock::Mock;\n"),
            file("crates/ledger/tests/it/main.rs", "use proptest::prelude::*;\nuse serde::Serialize;\n"),
        ];
        let shown = |files: &[File]| -> Vec<String> {
            check(&metadata, &Manifest::all(files), files).iter().map(ToString::to_string).collect()
        };
        assert_eq!(
            shown(&files),
            [
                "Cargo.toml:3: no crate uses `url`: remove this line",
                "crates/ledger/Cargo.toml:2: no source of `ledger`, tests apart, uses `serde`: remove it from [dependencies]",
                "crates/ledger/Cargo.toml:1: no source of `ledger` uses `wiremock`: remove it from [dev-dependencies]",
            ]
        );
        files.push(file("crates/ledger/src/entry.rs", "use serde::Serialize;\n"));
        assert_eq!(shown(&files).len(), 2);
    }
}
