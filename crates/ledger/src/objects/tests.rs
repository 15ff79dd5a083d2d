//! Git itself is the judge of what is read and written here.

use std::{
    collections::BTreeMap,
    io::{Read as _, Seek as _, Write as _},
    process::{Command, Stdio},
};

use proptest::{collection::btree_map, prelude::*};
use release::CommitId;
use tempfile::TempDir;

use super::{
    Kind, Object, ObjectError, commit,
    tree::{self, Mode, Row},
};
use crate::Identity;

/// A bare repository of git's.
pub(super) struct Repository(TempDir);

impl Repository {
    pub(super) fn new() -> Self {
        let this = Self(TempDir::new().unwrap());
        this.git(&["init", "--quiet", "--bare", "--template=", "--initial-branch=main", "."], b"");
        this
    }

    /// What git prints, or `None` where it fails.
    pub(super) fn try_git(&self, arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
        let mut stdin = tempfile::tempfile().unwrap();
        stdin.write_all(input).unwrap();
        stdin.rewind().unwrap();
        let mut command = Command::new("git");
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").current_dir(self.0.path());
        let output = command.args(arguments).stdin(stdin).stderr(Stdio::piped()).output().unwrap();
        output.status.success().then_some(output.stdout)
    }

    pub(super) fn git(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        self.try_git(arguments, input).unwrap_or_else(|| panic!("git {arguments:?}"))
    }

    pub(super) fn text(&self, arguments: &[&str], input: &[u8]) -> String {
        String::from_utf8(self.git(arguments, input)).unwrap().trim().to_owned()
    }

    /// Every object, by its id.
    pub(super) fn objects(&self) -> BTreeMap<String, (String, Vec<u8>)> {
        let listing = self.git(&["cat-file", "--batch", "--batch-all-objects"], b"");
        let (mut rest, mut objects) = (&*listing, BTreeMap::new());
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let head = String::from_utf8(rest[..end].to_vec()).unwrap();
            let words: Vec<&str> = head.split(' ').collect();
            let size: usize = words[2].parse().unwrap();
            let mut bytes = Vec::new();
            (&rest[end + 1..]).take(size as u64).read_to_end(&mut bytes).unwrap();
            objects.insert(words[0].to_owned(), (words[1].to_owned(), bytes));
            rest = &rest[end + size + 2..];
        }
        objects
    }
}

pub(super) fn blob(bytes: impl Into<bytes::Bytes>) -> Object {
    Object::new(Kind::Blob, bytes.into()).unwrap()
}

fn row(mode: &str, name: &str) -> Vec<u8> {
    [format!("{mode} {name}\0").as_bytes(), &[7; 20]].concat()
}

fn rows(rows: &[(&str, &str)]) -> Vec<u8> {
    rows.iter().flat_map(|(mode, name)| row(mode, name)).collect()
}

#[test]
fn a_tree_that_programs_may_read_in_two_ways_is_refused() {
    let parse = |list: &[(&str, &str)]| tree::parse(&rows(list)).map(|rows| rows.len());
    // As Git sorts: `a.b` < `a/` < `a0`.
    assert_eq!(parse(&[("100644", "a.b"), ("40000", "a"), ("100644", "a0")]), Ok(3));
    assert_eq!(parse(&[]), Ok(0));
    for odd in ["120000", "160000", "100664", "1"] {
        assert_eq!(parse(&[(odd, "a")]), Ok(1), "{odd}");
    }
    for mode in ["040000", "0", "", "+40000", "8", "1000000", "4000\n"] {
        let refused = parse(&[(mode, "a")]);
        assert!(matches!(refused, Err(ObjectError::Mode { .. })), "{mode:?}: {refused:?}");
    }
    let unsorted = |list: &[(&str, &str)]| matches!(parse(list), Err(ObjectError::Unsorted { .. }));
    assert!(unsorted(&[("100644", "b"), ("100644", "a")]));
    assert!(unsorted(&[("40000", "a"), ("100644", "a.b")]));
    assert!(unsorted(&[("40000", "a"), ("100644", "a")]));
    let repeated = |list: &[(&str, &str)]| matches!(parse(list), Err(ObjectError::Repeated { .. }));
    assert!(repeated(&[("100644", "a"), ("100644", "a")]));
    assert!(repeated(&[("100644", "a"), ("40000", "a")]));
    assert!(repeated(&[("100644", "a"), ("100644", "a.b"), ("40000", "a")]), "they need not stand side by side");
    for name in ["", "a/b", "/"] {
        assert!(matches!(parse(&[("100644", name)]), Err(ObjectError::Name { .. })), "{name:?}");
    }
    let whole = rows(&[("100644", "a"), ("100644", "b")]);
    let first = whole.len() / 2;
    for end in (1..whole.len()).filter(|end| *end != first) {
        assert!(tree::parse(&whole[..end]).is_err(), "{end}");
    }
}

#[test]
fn a_commit_is_read_and_one_that_programs_may_read_in_two_ways_is_not() {
    const TREE: &str = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n";
    const PARENT: &str = "parent 587be6b4c3f93f93c489c0111bba5596147a26cb\n";
    const AUTHOR: &str = "author A <a@b> 1 +0000\n";
    const BY: &str = "author A <a@b> 1 +0000\ncommitter B <b@c> 1800000000 -0930\n";
    let read = |text: &str| commit::parse(text.as_bytes());
    let signed =
        read(&format!("{TREE}{PARENT}{BY}gpgsig x\n y\n \n tree z\nmergetag a\nmergetag b\n\ntitle\n\nbody\n"))
            .unwrap();
    assert_eq!((signed.time.as_second(), signed.parents.len()), (1_800_000_000, 1));
    assert_eq!((&*signed.message, &*format!("tree {}\n", signed.tree)), ("title\n\nbody\n", TREE));
    assert_eq!(read(&format!("{TREE}{PARENT}{PARENT}{BY}\n")).unwrap().parents.len(), 2);
    assert_eq!(read(&format!("{TREE}{BY}")).unwrap().message, "");
    let undated = read(&format!("{TREE}author A <a@b> x\ncommitter B <b@c>\n\ntitle")).unwrap();
    assert_eq!(undated.time, jiff::Timestamp::UNIX_EPOCH);
    let late = read(&format!("{TREE}{AUTHOR}committer B <b@c> 99999999999999999999999 +0000\n\ntitle")).unwrap();
    assert_eq!(late.time.as_second(), jiff::Timestamp::MAX.as_second());
    for text in [format!("{TREE}{BY}x \0\n\ntitle"), format!("\0{TREE}{BY}\ntitle")] {
        assert_eq!(read(&text), Err(ObjectError::Nul), "{text:?}");
    }
    assert!(read(&format!("{TREE}{BY}\ntitle\0")).is_ok());
    for (text, header) in [
        (format!("{TREE}{TREE}{BY}\ntitle"), "author"),
        (format!("{TREE}{BY}{TREE}\ntitle"), "tree"),
        (format!("{TREE}{BY}{PARENT}\ntitle"), "parent"),
        (format!("{TREE}{BY}{BY}\ntitle"), "author"),
        (format!("{TREE}{AUTHOR}{AUTHOR}committer B <b@c> 1 +0000\n\ntitle"), "committer"),
        (format!("{TREE}{BY}committer C <c@d> 1 +0000\n\ntitle"), "committer"),
        (format!("{TREE}{BY}encoding a\nencoding b\n\ntitle"), "encoding"),
        (format!("{TREE}{BY}gpgsig a\ngpgsig b\n\ntitle"), "gpgsig"),
        (format!("{BY}\ntitle"), "tree"),
        (format!("{PARENT}{TREE}{BY}\ntitle"), "tree"),
        (format!(" x\n{TREE}{BY}\ntitle"), "tree"),
        (format!("\n{TREE}{BY}\ntitle"), "tree"),
        (format!("{TREE} x\n{BY}\ntitle"), "author"),
        (format!("{TREE}{AUTHOR} x\ncommitter B <b@c> 1 +0000\n\ntitle"), "committer"),
        (format!("{TREE}{BY} x\n\ntitle"), "committer"),
        ("tree x\n".to_owned(), "tree"),
        (format!("{TREE}parent x\n{BY}\ntitle"), "parent"),
        (format!("{TREE}\n{BY}\ntitle"), "author"),
        (format!("{TREE}committer B <b@c> 1 +0000\n{AUTHOR}\ntitle"), "author"),
        (format!("{}\r\n{BY}\ntitle", TREE.trim()), "tree"),
        (String::new(), "tree"),
    ] {
        match read(&text) {
            Err(ObjectError::Header { header: found } | ObjectError::RepeatedHeader { header: found }) => {
                assert_eq!(found, header, "{text}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof!["[ab./_-]{1,3}".prop_map(|name| name.replace('/', "0")), "[a-z\u{e4}\\\\ ]{1,8}"]
        .prop_filter("git's own names", |name| !matches!(&**name, "." | ".."))
}

fn identities() -> impl Strategy<Value = Identity> {
    ("[A-Za-z\u{fc}]([A-Za-z \u{fc}.,]{0,10}[a-z])?", "[a-z]{1,5}@[a-z]{1,5}")
        .prop_map(|(name, email)| Identity::new(&name, &email).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_tree_is_written_and_read_as_git_does(names in btree_map(names(), 0..3_usize, 0..12)) {
        let git = Repository::new();
        let empty = tree::write(&[]);
        prop_assert_eq!(git.text(&["hash-object", "-w", "-t", "tree", "--stdin"], &empty), Object::new(Kind::Tree, empty.into()).unwrap().id().to_string());
        let file = git.text(&["hash-object", "-w", "--stdin"], b"x");
        let row = |(name, what): (&String, &usize)| {
            let (mode, id) = match what {
                0 => (Mode::FILE, file.as_str()),
                1 => (Mode::EXECUTABLE, file.as_str()),
                _ => (Mode::FOLDER, "4b825dc642cb6eb9a060e54bf8d69288fbee4904"),
            };
            Row { mode, name: name.as_str().into(), id: id.parse().unwrap() }
        };
        let rows: Vec<Row> = names.iter().map(row).collect();
        let bytes = tree::write(&rows);
        let kind = |row: &Row| if row.mode.is_folder() { "040000 tree" } else if row.mode == Mode::FILE { "100644 blob" } else { "100755 blob" };
        let listing: String = rows.iter().rev().map(|row| format!("{} {}\t{}\0", kind(row), row.id, row.name)).collect();
        let theirs = git.text(&["mktree", "-z"], listing.as_bytes());
        prop_assert_eq!(theirs, Object::new(Kind::Tree, bytes.clone().into()).unwrap().id().to_string());
        let mut read = tree::parse(&bytes).unwrap();
        prop_assert_eq!(&tree::write(&read), &bytes);
        read.sort_by(|a, b| a.name.cmp(&b.name));
        prop_assert_eq!(read, rows);
    }

    #[test]
    fn a_commit_is_what_git_reads_in_it(
        author in identities(),
        committer in identities(),
        seconds in 1_u64..4_000_000_000,
        parents in 0..3_usize,
        message in "[a-z\u{df}][a-z\u{df} \n]{0,30}[a-z]\n",
        signature in proptest::option::of("-----BEGIN X-----\n[a-z\n]{0,40}[a-z]\n-----END X-----\n"),
    ) {
        let git = Repository::new();
        let tree = git.text(&["hash-object", "-w", "-t", "tree", "--stdin"], b"").parse().unwrap();
        let parents: Vec<CommitId> = (0..parents)
            .map(|which| {
                let bytes = commit::write(tree, &[], &author, &author, which as u64 + 1, "seed\n", None);
                git.text(&["hash-object", "-w", "-t", "commit", "--stdin"], &bytes).parse().unwrap()
            })
            .collect();
        let bytes = commit::write(tree, &parents, &author, &committer, seconds, &message, signature.as_deref());
        let id = git.text(&["hash-object", "-w", "-t", "commit", "--stdin"], &bytes);
        git.git(&["update-ref", "refs/heads/main", &id], b"");
        let listed: String = parents.iter().map(|id| format!("{id} ")).collect();
        let seen = git.text(&["log", "-1", "--date=unix", "--encoding=UTF-8", "--format=%T|%P|%an <%ae>|%cn <%ce>|%ad|%cd|%B", &id], b"");
        let said = format!("{tree}|{}|{author}|{committer}|{seconds}|{seconds}|{message}", listed.trim_end());
        prop_assert_eq!(seen.trim(), said.trim());
        prop_assert!(git.try_git(&["fsck", "--strict", "--no-dangling"], b"").is_some());
        let read = commit::parse(&bytes).unwrap();
        let time = jiff::Timestamp::from_second(seconds as i64).unwrap();
        prop_assert_eq!(read, commit::Commit { tree, parents, time, message });
    }
}
