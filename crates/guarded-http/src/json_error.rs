use std::fmt;

use serde_json::error::Category;

/// Why a text is not the JSON that was expected: where and of what kind, without a word of the text itself, which may
/// be long, secret or made to mislead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonError {
    line: usize,
    column: usize,
    category: Category,
}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        Self { line: error.line(), column: error.column(), category: error.classify() }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.category {
            Category::Io => "it cannot be read",
            Category::Syntax => "it is no JSON",
            Category::Data => "a value is not what is expected",
            Category::Eof => "it ends early",
        };
        write!(f, "{what} (line {}, column {})", self.line, self.column)
    }
}

impl std::error::Error for JsonError {}
