use std::fmt;

use crate::{Document, FILE_LIMIT, KeyPath};

/// Why a scalar was not read or changed. Trying again gives the same answer until somebody changes the file or the
/// key path.
///
/// Lines and columns count from 1, columns in characters. The sentence says where only if that is more than one place:
/// [`line`](Self::line) and [`column`](Self::column) go in front of it, behind the file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The file has no such key. Keys are never created: a mistyped path would add a key that nothing reads.
    #[error("there is no {key} below this line; correct the key path, or add the key with \"\" as its value")]
    Missing {
        /// What was looked for.
        key: KeyPath,
        /// Where the last part that does exist begins.
        line: usize,
    },
    /// The file has no such document.
    #[error("the file has no document {document}: there is one at {}", Lines(lines))]
    NoDocument {
        /// The document that was asked for.
        document: Document,
        /// Where there are others.
        lines: Vec<usize>,
    },
    /// Several documents are such as was asked for.
    #[error("each document at {} is {document}: name something that only one of them holds", Lines(lines))]
    SeveralDocuments {
        /// The document that was asked for.
        document: Document,
        /// Where they are.
        lines: Vec<usize>,
    },
    /// The key path leads to more than one place: several documents, or several list entries with the same name.
    #[error("{key} leads to {}: name the document, or give each list entry its own name", Lines(lines))]
    Ambiguous {
        /// What was looked for.
        key: KeyPath,
        /// Where the places are.
        lines: Vec<usize>,
    },
    /// A mapping on the way has the same key more than once; readers differ in which one counts.
    #[error("the key {name:?} stands in one mapping more than once, at {}: remove all but one", Lines(lines))]
    DuplicateKey {
        /// The key.
        name: String,
        /// Where it stands.
        lines: Vec<usize>,
    },
    /// The place is written in a way that cannot be changed without touching something else.
    #[error("{what}")]
    Unsupported {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What stands there, and what to write instead.
        what: Construct,
    },
    /// The file is no YAML.
    #[error("this is no YAML; correct it, or name the values file if this is a template")]
    Syntax {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What the parser says.
        source: ParserMessage,
    },
    /// The second parser, which reads as Helm and Kubernetes do, does not accept the file. It refuses some valid YAML
    /// too.
    #[error("not all YAML parsers accept this; write it more simply")]
    Rejected {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What the second parser says.
        source: ParserMessage,
    },
    /// A character that some YAML parsers read as a line break and others do not, or that no YAML may hold.
    #[error("the character U+{:04X} may not stand in a manifest; remove it", u32::from(*character))]
    Character {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// The character.
        character: char,
    },
    /// The bytes are not UTF-8.
    #[error("the bytes are not UTF-8; save the file as UTF-8")]
    NotUtf8 {
        /// The line of the first wrong byte.
        line: usize,
    },
    /// The file is above [`FILE_LIMIT`], or would be.
    #[error("{bytes} bytes are more than the {FILE_LIMIT} that a manifest may have")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The two parsers read this file differently, or the changed file would not differ in this scalar alone.
    #[error("YAML parsers disagree on this file, so the change was not made; write it more simply")]
    NotProven {
        /// Where the scalar is.
        line: usize,
    },
}

impl EditError {
    /// The line that a person must look at, or the first of several; none for a file as a whole.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Missing { line, .. }
            | Self::Unsupported { line, .. }
            | Self::Syntax { line, .. }
            | Self::Rejected { line, .. }
            | Self::Character { line, .. }
            | Self::NotUtf8 { line }
            | Self::NotProven { line } => Some(*line),
            Self::NoDocument { lines, .. }
            | Self::SeveralDocuments { lines, .. }
            | Self::Ambiguous { lines, .. }
            | Self::DuplicateKey { lines, .. } => lines.first().copied(),
            Self::TooLarge { .. } => None,
        }
    }

    /// The column in that line, where one can be told.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        match self {
            Self::Unsupported { column, .. }
            | Self::Syntax { column, .. }
            | Self::Rejected { column, .. }
            | Self::Character { column, .. } => Some(*column),
            _ => None,
        }
    }
}

/// A way to write YAML that is not edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Construct {
    /// `*name`, as the value or on the way to it.
    Alias,
    /// An anchored value that aliases repeat elsewhere.
    Shared,
    /// A key that may come out of `<<`.
    MergeKey,
    /// A mapping on the way has a key that is no scalar.
    ComplexKey,
    /// A tag other than `!!str`, `!!map` or `!!seq`.
    Tag,
    /// `|` or `>`.
    BlockScalar,
    /// A plain scalar over several lines.
    MultiLinePlain,
    /// The value is a mapping or a list.
    Collection,
    /// Nothing is written after an anchor or a tag.
    EmptyProperties,
    /// Nothing is written, and the colon is not next to its key.
    NoColon,
    /// The document was chosen by this very value: with another it would not be found again.
    Choice,
}

impl fmt::Display for Construct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alias => "an alias stands here, and its value is written elsewhere; write the value out",
            Self::Shared => {
                "aliases repeat this anchored value elsewhere, and would change with it; write the value out"
            }
            Self::MergeKey => "the key may come from this merge key; write it out below",
            Self::ComplexKey => "a key here is not a simple text; a template's values file is what to change",
            Self::Tag => "a tagged value stands here; remove the tag",
            Self::BlockScalar => "a block scalar stands here; write the value in quotes on one line",
            Self::MultiLinePlain => "the value goes on over several lines; write it on one",
            Self::Collection => "a mapping or a list stands here; let the key path lead to a single value",
            Self::EmptyProperties => "nothing stands after this anchor or tag; write \"\" after it",
            Self::NoColon => "nothing stands for this key's value; write \"\" after the key's colon",
            Self::Choice => "the document is chosen by this value; choose it by another",
        })
    }
}

/// A parser's own words. They may quote the file: untrusted text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParserMessage(pub(super) String);

struct Lines<'a>(&'a [usize]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.len() == 1 { "line " } else { "lines " })?;
        for (index, line) in self.0.iter().enumerate() {
            write!(f, "{}{line}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}
