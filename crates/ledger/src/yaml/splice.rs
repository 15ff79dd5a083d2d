use std::ops::Range;

use super::{locate::Target, tree::Style};

/// What to write where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Splice {
    /// The bytes that go.
    pub(super) span: Range<usize>,
    /// The blank that comes in front of the value where nothing stood.
    lead: &'static str,
    /// The value as it is written.
    token: String,
}

impl Splice {
    /// The target's new value in its own style, as far as that style can say it.
    pub(super) fn new(target: &Target<'_>, value: &str) -> Self {
        let span = target.span.clone();
        if span.is_empty() {
            return Self { span, lead: " ", token: double_quoted(value) };
        }
        let token = match target.place.style {
            Style::Plain if is_plain_string(value, target.flow) => value.to_owned(),
            Style::SingleQuoted if !value.contains(needs_escape) => format!("'{}'", value.replace('\'', "''")),
            _ => double_quoted(value),
        };
        Self { span, lead: "", token }
    }

    /// The file with the new value in it.
    pub(super) fn apply(&self, source: &str) -> Option<String> {
        let before = source.get(..self.span.start)?;
        let after = source.get(self.span.end..)?;
        Some([before, self.lead, &self.token, after].concat())
    }

    /// Where the new value is in the changed file.
    pub(super) fn written(&self) -> Range<usize> {
        let start = self.span.start + self.lead.len();
        start..start + self.token.len()
    }
}

/// Whether all readers take this text for a string when it has no quotes: neither the YAML 1.2 core schema nor the
/// YAML 1.1 types (<https://yaml.org/type/>) resolve it to something else. When in doubt it does not: `1.2.3` is a
/// string to most, and a float by YAML 1.1's own expression.
pub(super) fn is_plain_string(text: &str, flow: bool) -> bool {
    const WORDS: [&str; 14] =
        ["y", "yes", "n", "no", "on", "off", "true", "false", "null", "none", "nan", "inf", "infinity", "nil"];
    let safe =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | '+' | '@') || c == ':' && !flow;
    // Digits of any base, signs, exponents, and what stands in dates and times.
    let numeric = |c: char| {
        c.is_ascii_hexdigit()
            || matches!(c, 'x' | 'X' | 'o' | 'O' | '_' | '.' | '+' | '-' | ':' | 'T' | 't' | 'Z' | 'z')
    };
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !text.ends_with(':')
        && text.chars().all(safe)
        && !(text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(numeric))
        && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}

fn double_quoted(text: &str) -> String {
    let mut token = String::with_capacity(text.len() + 2);
    token.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => token.extend(['\\', c]),
            '\n' => token.push_str("\\n"),
            '\r' => token.push_str("\\r"),
            '\t' => token.push_str("\\t"),
            _ if needs_escape(c) => token.push_str(&format!("\\u{:04X}", u32::from(c))),
            _ => token.push(c),
        }
    }
    token.push('"');
    token
}

/// Whether a character may not stand as it is, on one line, in every YAML version. All such are below U+10000.
fn needs_escape(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}
