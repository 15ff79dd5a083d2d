//! The diff, judged by stock git.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use ledger::{Document, Scalar, diff, set_scalar};
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::{support::path, yaml::generated::manifest};

/// The file that `git apply` makes of the one before.
fn applied(before: &[u8], patch: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    if !before.is_empty() {
        fs::write(&file, before).unwrap();
    }
    let mut git = Command::new("git");
    git.args(["apply", "--whitespace=nowarn", "-"]).current_dir(&folder).env("GIT_CEILING_DIRECTORIES", folder.path());
    let mut git = git.stdin(Stdio::piped()).spawn().unwrap();
    git.stdin.take().unwrap().write_all(patch.as_bytes()).unwrap();
    assert!(git.wait().unwrap().success(), "{patch}");
    fs::read(file).unwrap()
}

/// What `git diff` shows between two files, without its own headers.
fn by_git(before: &[u8], after: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), before).unwrap();
    fs::write(folder.path().join("b"), after).unwrap();
    let mut git = Command::new("git");
    git.args(["-c", "core.attributesFile=/dev/null", "diff", "--no-index", "--no-color", "--text", "a", "b"]);
    let output = git.current_dir(&folder).env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let hunks = text.find("\n@@ ").map_or("", |start| &text[start + 1..]);
    // Git puts the last line that looks like a function's behind the second @@.
    let line = |line: &str| {
        line.strip_prefix("@@ ")
            .map_or(line.to_owned(), |rest| format!("@@ {} @@\n", rest.split_once(" @@").unwrap().0))
    };
    hunks.split_inclusive('\n').map(line).collect()
}

fn hunks(before: &[u8], after: &[u8]) -> String {
    let text = diff(&path("a.yaml"), before, after);
    text.split_inclusive('\n').skip(2).collect()
}

#[test]
fn a_diff_is_as_git_prints_it() {
    let before = "image:\n  repository: web\n  # the tag\n  tag: v1\n  pull: Always\nport: 80\nlast: x";
    let after = before.replace("v1", "\"48213\"");
    let expected = "--- a/apps/web.yaml\n+++ b/apps/web.yaml\n@@ -1,7 +1,7 @@\n image:\n   repository: web\n   # the tag\n\
                    -  tag: v1\n+  tag: \"48213\"\n   pull: Always\n port: 80\n last: x\n\\ No newline at end of file\n";
    assert_eq!(diff(&path("apps/web.yaml"), before.as_bytes(), after.as_bytes()), expected);
    assert_eq!(diff(&path("a"), b"a\n", b"a\n"), "");
    assert_eq!(diff(&path("a"), b"", b"a\n"), "--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+a\n");
    for (before, after) in [
        ("a\n", "b\n"),
        ("a", "a\n"),
        ("a\n", "a"),
        ("a\rb\r", "a\rc\r"),
        ("a\r\nb\r\n", "a\r\nc\r\n"),
        ("a\n", ""),
        ("1\n2\n3\n4\n5\n6\n7\n8\n", "0\n1\n2\n3\n4\n5\n6\n7\n8\n9"),
        ("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "x\n2\n3\n4\n5\n6\n7\n8\ny\n"),
        ("\u{1b}[2J\u{2028}\n", "##vso[x]\n"),
    ] {
        assert_eq!(
            hunks(before.as_bytes(), after.as_bytes()),
            by_git(before.as_bytes(), after.as_bytes()),
            "{before:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn git_applies_the_diff_of_an_edit(manifest in manifest(), index: Index, value in "[ -~\u{e9}\n\t]{0,12}") {
        let place = index.get(&manifest.places);
        let (before, document) = (manifest.text.as_bytes(), Document::Nth(place.document));
        if let Ok(key) = place.key.parse() {
            let after = set_scalar(before, Some(&document), &key, &Scalar::new(value)).unwrap();
            if after != before {
                let patch = diff(&path("a.yaml"), before, &after);
                prop_assert_eq!(applied(before, &patch), after);
            }
        }
    }

    #[test]
    fn git_applies_the_diff_of_any_texts(
        before in vec("[ab\r]{0,2}\n", 0..24), after in vec("[ab\r]{0,2}\n", 0..24), cut: bool,
    ) {
        let (before, mut after) = (before.concat(), after.concat());
        after.truncate(after.len() - usize::from(cut && !after.is_empty()));
        if before != after {
            let patch = diff(&path("a.yaml"), before.as_bytes(), after.as_bytes());
            prop_assert_eq!(applied(before.as_bytes(), &patch), after.as_bytes());
        }
    }
}
