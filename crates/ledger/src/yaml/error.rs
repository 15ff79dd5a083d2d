use std::fmt;

use crate::{FILE_LIMIT, KeyPath};

/// Why a scalar was not read or changed. Trying again gives the same answer until somebody changes the file or the
/// key path.
///
/// Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The file has no such key. Keys are never created: a mistyped path would add a key that nothing reads.
    #[error(
        "there is no {key}: the way to it ends at line {line}; correct the key path, or add the key with \"\" as its value"
    )]
    Missing {
        /// What was looked for.
        key: KeyPath,
        /// Where the last part that does exist begins.
        line: usize,
    },
    /// The file has fewer documents.
    #[error("there is no document {document}: the file has {documents}, counted from 0")]
    NoDocument {
        /// The document that was asked for, from 0.
        document: usize,
        /// How many there are.
        documents: usize,
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
    #[error("line {line}, column {column}: {what}")]
    Unsupported {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What stands there, and what to write instead.
        what: Construct,
    },
    /// The file is no YAML.
    #[error("line {line}, column {column}: this is no YAML; correct it, or name the values file if this is a template")]
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
    #[error("line {line}, column {column}: not all YAML parsers accept this; write it more simply")]
    Rejected {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What the second parser says.
        source: ParserMessage,
    },
    /// A character that some YAML parsers read as a line break and others do not, or that no YAML may hold.
    #[error("line {line}, column {column}: the character U+{:04X} may not stand in a manifest; remove it", u32::from(*character))]
    Character {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// The character.
        character: char,
    },
    /// The bytes are not UTF-8.
    #[error("line {line}: the bytes are not UTF-8; save the file as UTF-8")]
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
    #[error("line {line}: YAML parsers disagree on this file, so the change was not made; write it more simply")]
    NotProven {
        /// Where the scalar is.
        line: usize,
    },
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
        f.write_str("lines ")?;
        for (index, line) in self.0.iter().enumerate() {
            write!(f, "{}{line}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}
