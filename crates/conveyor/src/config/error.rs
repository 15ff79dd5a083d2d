use std::{fmt, ops::Range};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// What is wrong with a conveyor.yaml: one sentence, the place, and what to write instead.
///
/// [`Display`](fmt::Display) shows the line with a mark under the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
    text: String,
    span: Range<usize>,
}

impl ConfigError {
    pub(super) fn new(
        text: &str,
        span: Option<Range<usize>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let span = span.filter(|span| text.get(span.clone()).is_some()).unwrap_or(0..0);
        Self { message: masked(&message.into()), help: help.into(), text: masked(text), span }
    }

    /// The line of the place, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.text.get(..self.span.start).map_or(1, |before| before.matches('\n').count() + 1)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let snippet = Snippet::source(&self.text)
            .path(super::FILE)
            .fold(true)
            .annotation(AnnotationKind::Primary.span(self.span.clone()));
        let report = [Level::ERROR
            .no_name()
            .primary_title(&self.message)
            .element(snippet)
            .element(Level::HELP.message(&self.help))];
        f.write_str(&Renderer::plain().render(&report))
    }
}

impl std::error::Error for ConfigError {}

/// The text with each user and password in a URL starred out, byte for byte, so that no place in it moves.
fn masked(text: &str) -> String {
    let mut parts = text.split("://");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |done, part| {
        let authority = part.find(|c: char| c.is_whitespace() || "/\"'".contains(c)).unwrap_or(part.len());
        let user = part.get(..authority).and_then(|authority| authority.rfind('@')).unwrap_or(0);
        done + "://" + &"*".repeat(user) + part.get(user..).unwrap_or_default()
    })
}
