use std::ops::Range;

use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices, group_diff_ops};

use crate::RepoPath;

/// How many lines around a change are shown.
const CONTEXT: usize = 3;

/// What changes in a file, as a unified diff that `git apply` takes; nothing where nothing does. A file that was empty
/// is shown as a new one.
///
/// Lines end at line feeds alone. Control characters stay as they are, so a terminal must not get them raw; bytes that
/// are not UTF-8 become U+FFFD.
#[must_use]
pub fn diff(path: &RepoPath, before: &[u8], after: &[u8]) -> String {
    if before == after {
        return String::new();
    }
    let (before, after) = (String::from_utf8_lossy(before), String::from_utf8_lossy(after));
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let from = if old.is_empty() { "/dev/null".to_owned() } else { format!("a/{path}") };
    let mut text = format!("--- {from}\n+++ b/{path}\n");
    for hunk in group_diff_ops(capture_diff_slices(Algorithm::Myers, &old, &new), CONTEXT) {
        text.push_str(&header(&hunk));
        for part in hunk {
            let (removed, added) = (old.get(part.old_range()), new.get(part.new_range()));
            if part.tag() == DiffTag::Equal {
                put(&mut text, ' ', removed);
            } else {
                put(&mut text, '-', removed);
                put(&mut text, '+', added);
            }
        }
    }
    text
}

/// Which lines a hunk is about, in both files.
fn header(hunk: &[DiffOp]) -> String {
    let of = |range: fn(&DiffOp) -> Range<usize>| {
        let start = hunk.first().map_or(0, |part| range(part).start);
        match hunk.last().map_or(0, |part| range(part).end) - start {
            // No lines are those behind the line that is named.
            0 => format!("{start},0"),
            1 => format!("{}", start + 1),
            count => format!("{},{count}", start + 1),
        }
    };
    format!("@@ -{} +{} @@\n", of(DiffOp::old_range), of(DiffOp::new_range))
}

fn put(text: &mut String, sign: char, lines: Option<&[&str]>) {
    for line in lines.unwrap_or_default() {
        text.push(sign);
        text.push_str(line);
        if !line.ends_with('\n') {
            text.push_str("\n\\ No newline at end of file\n");
        }
    }
}
