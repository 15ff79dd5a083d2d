//! Rules for single files: their length, words that must not stay, paths of somebody's machine, JSON that parses.

use super::{File, Finding};

/// More lines than one reads in a sitting.
const MAX_LINES: usize = 500;

// Written in two parts, so that this file keeps its own rules.
const UNFINISHED: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
const UNFINISHED_CODE: &str = concat!("todo", "!");
const SILENCED: [&str; 2] = [concat!("#[", "allow("), concat!("#![", "allow(")];
const MACHINE_PATHS: [&str; 2] = [concat!("/ro", "ot/"), concat!("/ho", "me/")];

pub(super) fn check(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = |line: usize, message: String| findings.push(Finding { file: file.path.clone(), line, message });

    let is_rust = file.path.ends_with(".rs");
    for (number, line) in (1..).zip(file.text.lines()) {
        if let Some(path) = MACHINE_PATHS.into_iter().find(|path| has_absolute_path(line, path)) {
            found(
                number,
                format!("a path of one machine ({path}): use a path from the project's root, or an example's"),
            );
        }
        if !is_rust {
            continue;
        }
        if let Some(word) = UNFINISHED.into_iter().find(|word| has_word(line, word)) {
            found(number, format!("{word}: finish it, or file an issue and remove the comment"));
        }
        if has_word(line, UNFINISHED_CODE) {
            found(number, format!("{UNFINISHED_CODE} is not finished: write the code"));
        }
        if SILENCED.into_iter().any(|attribute| line.contains(attribute)) {
            found(number, "a silenced lint: write #[expect(lint, reason = \"...\")] or mend the code".to_owned());
        }
    }
    let lines = file.text.lines().count();
    if is_rust && lines > MAX_LINES {
        found(MAX_LINES + 1, format!("{lines} lines, {MAX_LINES} are the limit: split it by concept"));
    }
    if file.path.starts_with("schemas/")
        && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&file.text)
    {
        found(error.line().max(1), format!("not JSON: {error}"));
    }
    findings
}

/// A word of its own, not a part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line.get(..start).unwrap_or_default();
        let after = line.get(start + word.len()..).unwrap_or_default();
        !before.ends_with(is_part_of_a_word) && !after.starts_with(is_part_of_a_word)
    })
}

/// The path from the root of a file system, not a part of a longer one.
fn has_absolute_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(start, _)| {
        let before = line.get(..start).unwrap_or_default();
        !before.ends_with(|last| is_part_of_a_word(last) || matches!(last, '.' | '-' | '~' | '}' | ')' | '*'))
    })
}

fn is_part_of_a_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [usize; 0] = [];

    fn findings(path: &str, text: &str) -> Vec<Finding> {
        check(&File { path: path.to_owned(), text: text.to_owned() })
    }

    fn lines(path: &str, text: &str) -> Vec<usize> {
        findings(path, text).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_long_file_is_found_and_one_at_the_limit_is_not() {
        let text = "fn f() {}\n".repeat(MAX_LINES);
        assert_eq!(lines("a.rs", &text), NONE);
        let [finding] = &*findings("a.rs", &(text.clone() + "// more\n")) else { panic!("one finding") };
        assert!(finding.to_string().starts_with("a.rs:501: 501 lines"), "{finding}");
        assert_eq!(lines("a.md", &text.repeat(2)), NONE);
    }

    #[test]
    fn what_is_unfinished_or_silenced_is_found_in_sources() {
        for line in UNFINISHED.map(|word| format!("// {word}: later")).into_iter().chain([
            format!("    {UNFINISHED_CODE}()"),
            format!("    {}dead_code)]", SILENCED[0]),
            format!("{}dead_code)]", SILENCED[1]),
        ]) {
            assert_eq!(lines("a.rs", &format!("\n{line}\n")), [2], "{line}");
            assert_eq!(lines("a.md", &line), NONE, "{line}");
        }
        assert_eq!(lines("a.rs", &format!("let {}S = 1; // {}ist", UNFINISHED[0], UNFINISHED[1])), NONE);
    }

    #[test]
    fn a_path_of_one_machine_is_found_anywhere() {
        for prefix in ["", "cd ", "\"", "file://", "HOME=", "("] {
            for path in MACHINE_PATHS {
                assert_eq!(lines("docs/a.md", &format!("{prefix}{path}ana")), [1], "{prefix}{path}");
            }
        }
        for prefix in ["host", "./", "$HOME_", "${base}", "~"] {
            let prefix = prefix.trim_end_matches('/');
            for path in MACHINE_PATHS {
                assert_eq!(lines("docs/a.md", &format!("{prefix}{path}ana")), NONE, "{prefix}{path}");
            }
        }
    }

    #[test]
    fn a_schema_that_is_not_json_is_found_with_its_line() {
        assert_eq!(lines("schemas/a.json", "{\n  \"type\": \"object\"\n}\n"), NONE);
        assert_eq!(lines("schemas/a.json", "{\n  \"type\": ,\n}\n"), [2]);
        assert_eq!(lines("schemas/a.json", ""), [1]);
        assert_eq!(lines("other/a.json", "{"), NONE);
    }
}
