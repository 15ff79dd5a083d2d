//! The one place that knows granit-parser: a stream of documents as trees whose nodes know their bytes.

use std::{collections::BTreeSet, ops::Range};

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StructureStyle, options};

use super::error::{EditError, ParserMessage};
use crate::Scalar;

/// A parsed file.
#[derive(Debug, Clone)]
pub(super) struct Tree<'s> {
    pub(super) source: &'s str,
    pub(super) documents: Vec<Document>,
    /// The anchors that at least one alias refers to.
    pub(super) aliased: BTreeSet<Anchor>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Document {
    explicit: bool,
    pub(super) root: Node,
}

/// Anchors are numbered over the whole file.
pub(super) type Anchor = usize;

#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Where the value stands, quotes included, anchor and tag not. No bytes for a value that is not written.
    pub(super) span: Range<usize>,
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) anchor: Option<Anchor>,
    /// The resolved tag, such as `tag:yaml.org,2002:str`.
    pub(super) tag: Option<String>,
    pub(super) content: Content,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    Scalar { text: String, style: Style },
    Mapping { entries: Vec<(Node, Node)>, flow: bool },
    Sequence { items: Vec<Node>, flow: bool },
    Alias(Anchor),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Block,
}

/// Nodes are equal when they say the same in the same way, wherever they stand.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.anchor == other.anchor && self.tag == other.tag && self.content == other.content
    }
}

impl Node {
    /// What the node reads as; none for what is no scalar.
    pub(super) fn scalar(&self) -> Option<Scalar> {
        let Content::Scalar { text, style } = &self.content else { return None };
        let null =
            *style == Style::Plain && self.tag.is_none() && matches!(text.as_str(), "~" | "null" | "Null" | "NULL");
        Some(if null { Scalar::empty() } else { Scalar::new(text) })
    }
}

impl<'s> Tree<'s> {
    pub(super) fn parse(source: &'s str) -> Result<Self, EditError> {
        let parser = Parser::new_from_str_with_options(source, options! { emit_comments: false });
        let mut builder = Builder { events: parser, aliased: BTreeSet::new(), end: source.len() };
        let mut documents = Vec::new();
        while let Some((event, _)) = builder.next()? {
            if let Event::DocumentStart(explicit, _) = event
                && let Some(root) = builder.node()?
            {
                documents.push(Document { explicit, root });
            }
        }
        Ok(Self { source, documents, aliased: builder.aliased })
    }

    /// The node at a route: the document, then the position of each entry or item on the way.
    pub(super) fn at_mut(&mut self, document: usize, route: &[usize]) -> Option<&mut Node> {
        let root = &mut self.documents.get_mut(document)?.root;
        route.iter().try_fold(root, |node, position| match &mut node.content {
            Content::Mapping { entries, .. } => entries.get_mut(*position).map(|(_, value)| value),
            Content::Sequence { items, .. } => items.get_mut(*position),
            Content::Scalar { .. } | Content::Alias(_) => None,
        })
    }
}

struct Builder<E> {
    events: E,
    aliased: BTreeSet<Anchor>,
    /// The file's length: where a span without byte offsets would be put.
    end: usize,
}

impl<'i, E: Iterator<Item = Result<(Event<'i>, Span), ScanError>>> Builder<E> {
    fn next(&mut self) -> Result<Option<(Event<'i>, Span)>, EditError> {
        self.events.next().transpose().map_err(|error| EditError::Syntax {
            line: error.marker().line(),
            column: error.marker().col() + 1,
            source: ParserMessage(error.info()),
        })
    }

    /// The next node with all that is in it; none when the collection or document around it ends instead.
    ///
    /// As deep as the file: the parser stops at 255 levels.
    fn node(&mut self) -> Result<Option<Node>, EditError> {
        let Some((event, span)) = self.next()? else { return Ok(None) };
        let tag = event.tag().map(|tag| format!("{}{}", tag.handle(), tag.suffix()));
        let anchor = event.anchor_id();
        let content = match event {
            Event::Scalar(text, style, ..) => Content::Scalar {
                // The parser makes up a `~` for what is not written.
                text: if span.is_empty() { String::new() } else { text.into_owned() },
                style: style.into(),
            },
            Event::MappingStart(style, ..) => {
                let mut entries = Vec::new();
                while let Some(key) = self.node()? {
                    let Some(value) = self.node()? else { break };
                    entries.push((key, value));
                }
                Content::Mapping { entries, flow: style == StructureStyle::Flow }
            }
            Event::SequenceStart(style, ..) => {
                let mut items = Vec::new();
                while let Some(item) = self.node()? {
                    items.push(item);
                }
                Content::Sequence { items, flow: style == StructureStyle::Flow }
            }
            Event::Alias(anchor) => {
                self.aliased.insert(anchor);
                Content::Alias(anchor)
            }
            _ => return Ok(None),
        };
        let (line, column) = (span.start.line(), span.start.col() + 1);
        Ok(Some(Node { span: span.byte_range().unwrap_or(self.end..self.end), line, column, anchor, tag, content }))
    }
}

impl From<ScalarStyle> for Style {
    fn from(style: ScalarStyle) -> Self {
        match style {
            ScalarStyle::Plain => Self::Plain,
            ScalarStyle::SingleQuoted => Self::SingleQuoted,
            ScalarStyle::DoubleQuoted => Self::DoubleQuoted,
            ScalarStyle::Literal | ScalarStyle::Folded => Self::Block,
        }
    }
}
