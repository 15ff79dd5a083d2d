/// A text from outside as one line: each control character and each separator of lines or paragraphs is shown as
/// `\u{…}`, so that a value can neither add a line to what people read nor one to a commit's message.
#[must_use]
pub fn one_line(text: &str) -> String {
    let breaks = |letter: char| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}');
    let mut line = String::with_capacity(text.len());
    for letter in text.chars() {
        if breaks(letter) { line.extend(letter.escape_unicode()) } else { line.push(letter) }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn no_line_ends_early_and_plain_text_stays() {
        for (text, line) in [
            ("na\u{ef}ve \u{2014} \\n # 1", "na\u{ef}ve \u{2014} \\n # 1"),
            ("x\n\nConveyor-Run: 1.1", "x\\u{a}\\u{a}Conveyor-Run: 1.1"),
            ("a\r\u{85}b\u{2028}c\u{2029}\t\u{1b}", "a\\u{d}\\u{85}b\\u{2028}c\\u{2029}\\u{9}\\u{1b}"),
        ] {
            assert_eq!(one_line(text), line);
        }
    }
}
