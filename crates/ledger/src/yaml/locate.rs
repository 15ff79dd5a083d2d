use std::{mem, ops::Range, ptr};

use super::{
    error::{Construct, EditError},
    tree::{Content, Node, Style, Tree},
};
use crate::{Document, KeyPath, Scalar, key_path::Step};

/// A scalar that a key path leads to.
#[derive(Debug)]
pub(super) struct Place<'t> {
    pub(super) key: &'t KeyPath,
    pub(super) document: usize,
    /// The position of each entry or item on the way down from the document's root.
    pub(super) route: Vec<usize>,
    pub(super) node: &'t Node,
    /// What it reads as.
    pub(super) scalar: Scalar,
    pub(super) style: Style,
    /// The values that chose list entries on the way.
    choices: Vec<&'t Node>,
}

/// The one scalar that is to be changed.
#[derive(Debug)]
pub(super) struct Target<'t> {
    pub(super) place: Place<'t>,
    /// What its document was chosen by.
    pub(super) conditions: Vec<Place<'t>>,
    /// The line of the key in front of it.
    pub(super) line: usize,
    /// The bytes that its value takes: none, behind the colon, where nothing is written.
    pub(super) span: Range<usize>,
    /// Whether it is inside a flow mapping or sequence.
    pub(super) flow: bool,
}

/// Finds the target in the document that is named, or else in the only one that has it.
pub(super) fn locate<'t>(
    tree: &'t Tree<'t>,
    document: Option<&'t Document>,
    key: &'t KeyPath,
) -> Result<Target<'t>, EditError> {
    if let Some(document) = document {
        let (number, conditions) = chosen(tree, document)?;
        let target = Walk::new(tree, number, key)?.target(conditions)?;
        return if target.is_choice() { Err(unsupported(target.place.node, Construct::Choice)) } else { Ok(target) };
    }
    let mut places = Vec::new();
    let mut end = 1;
    for (number, document) in tree.documents.iter().enumerate() {
        match Walk::new(tree, number, key)?.target(Vec::new()) {
            Err(EditError::Missing { line, .. }) => end = line,
            place => places.push((place, document.root.line)),
        }
    }
    // A document where the key cannot be edited has it all the same.
    let lines = places.iter().map(|(place, root)| place.as_ref().map_or(*root, |target| target.line)).collect();
    match (places.pop(), places.is_empty()) {
        (Some((place, _)), true) => place,
        (Some(_), false) => Err(EditError::Ambiguous { key: key.clone(), lines }),
        (None, _) => Err(EditError::Missing { key: key.clone(), line: end }),
    }
}

/// The only document that is such, and what it was chosen by.
pub(super) fn chosen<'t>(tree: &'t Tree<'t>, document: &'t Document) -> Result<(usize, Vec<Place<'t>>), EditError> {
    let mut found = Vec::new();
    for number in 0..tree.documents.len() {
        match document {
            Document::Nth(wanted) if *wanted == number => found.push((number, Vec::new())),
            Document::Nth(_) => {}
            Document::Where(conditions) => {
                let held = conditions.iter().map(|(key, value)| held(tree, number, key, value));
                found.extend(held.collect::<Result<Option<_>, _>>()?.map(|conditions| (number, conditions)));
            }
        }
    }
    let line = |number: usize| tree.documents.get(number).map_or(1, |document| document.root.line);
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some((last, _)), false) => {
            let numbers = found.iter().map(|(number, _)| *number).chain([last]);
            Err(EditError::SeveralDocuments { document: document.clone(), lines: numbers.map(line).collect() })
        }
        (None, _) => {
            let lines = (0..tree.documents.len()).map(line).collect();
            Err(EditError::NoDocument { document: document.clone(), lines })
        }
    }
}

/// The place where a document holds this value, if it does.
fn held<'t>(
    tree: &'t Tree<'t>,
    document: usize,
    key: &'t KeyPath,
    value: &Scalar,
) -> Result<Option<Place<'t>>, EditError> {
    match place(tree, document, key) {
        Ok(place) => Ok(Some(place).filter(|place| place.scalar == *value)),
        Err(EditError::Missing { .. } | EditError::Unsupported { what: Construct::Collection, .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// The place of a value to read.
pub(super) fn place<'t>(tree: &'t Tree<'t>, document: usize, key: &'t KeyPath) -> Result<Place<'t>, EditError> {
    Ok(Walk::new(tree, document, key)?.place(Purpose::Read)?.0)
}

impl Target<'_> {
    /// Whether something on the way to it was chosen by its value.
    fn is_choice(&self) -> bool {
        let chose = |node: &&Node| ptr::eq(*node, self.place.node);
        self.conditions.iter().any(|place| chose(&place.node) || place.choices.iter().any(chose))
    }
}

/// What a value is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Read,
    Change,
}

/// A way down one document.
struct Walk<'t> {
    tree: &'t Tree<'t>,
    key: &'t KeyPath,
    document: usize,
    /// Where the walk has come to.
    node: &'t Node,
    /// The line of the last key or item that the walk went through.
    line: usize,
    flow: bool,
    choices: Vec<&'t Node>,
}

impl<'t> Walk<'t> {
    fn new(tree: &'t Tree<'t>, document: usize, key: &'t KeyPath) -> Result<Self, EditError> {
        let missing = || EditError::Missing { key: key.clone(), line: 1 };
        let node = &tree.documents.get(document).ok_or_else(missing)?.root;
        Ok(Self { tree, key, document, node, line: node.line, flow: false, choices: Vec::new() })
    }

    fn target(mut self, conditions: Vec<Place<'t>>) -> Result<Target<'t>, EditError> {
        let (place, last_key) = self.place(Purpose::Change)?;
        let span = self.span(last_key, place.style)?;
        Ok(Target { place, conditions, line: self.line, span, flow: self.flow })
    }

    /// Goes all the way down: to the scalar there, and the last key in front of it.
    fn place(&mut self, purpose: Purpose) -> Result<(Place<'t>, &'t Node), EditError> {
        let mut route = Vec::new();
        let mut last_key = self.node;
        for step in self.key.steps() {
            self.passable(purpose, &["map", "seq"])?;
            let position = match step {
                Step::Key(name) => {
                    let (position, key, value) = self.entry(name)?;
                    (last_key, self.line, self.node) = (key, key.line, value);
                    position
                }
                Step::Entry { field, value } => {
                    let (position, item, choice) = self.item(field, value)?;
                    (self.line, self.node) = (item.line, item);
                    self.choices.push(choice);
                    position
                }
            };
            route.push(position);
        }
        self.passable(purpose, &["str"])?;
        let (Content::Scalar { style, .. }, Some(scalar)) = (&self.node.content, self.node.scalar()) else {
            return Err(unsupported(self.node, Construct::Collection));
        };
        let (key, document, node, style) = (self.key, self.document, self.node, *style);
        let choices = mem::take(&mut self.choices);
        Ok((Place { key, document, route, node, scalar, style, choices }, last_key))
    }

    /// Where the value of the scalar that the walk has come to is written, if it can be written anew.
    fn span(&self, key: &Node, style: Style) -> Result<Range<usize>, EditError> {
        let node = self.node;
        let written = self.tree.source.get(node.span.clone()).unwrap_or_default();
        if style == Style::Block {
            return Err(unsupported(key, Construct::BlockScalar));
        }
        if style == Style::Plain && written.contains(['\n', '\r']) {
            return Err(unsupported(node, Construct::MultiLinePlain));
        }
        if !written.is_empty() {
            return Ok(node.span.clone());
        }
        if node.anchor.is_some() || node.tag.is_some() {
            return Err(unsupported(node, Construct::EmptyProperties));
        }
        let rest = self.tree.source.get(key.span.end..).unwrap_or_default();
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        if rest.as_bytes().get(blanks) != Some(&b':') {
            return Err(unsupported(key, Construct::NoColon));
        }
        let after_colon = key.span.end + blanks + 1;
        Ok(after_colon..after_colon)
    }

    /// Refuses a node whose content is written, or repeated, somewhere else, or means more than what stands there.
    fn passable(&self, purpose: Purpose, tags: &[&str]) -> Result<(), EditError> {
        let node = self.node;
        let core = |tag: &String| tag.strip_prefix("tag:yaml.org,2002:").is_some_and(|name| tags.contains(&name));
        let what = if matches!(node.content, Content::Alias(_)) {
            Construct::Alias
        } else if purpose == Purpose::Change && node.anchor.is_some_and(|anchor| self.tree.aliased.contains(&anchor)) {
            Construct::Shared
        } else if !node.tag.as_ref().is_none_or(core) {
            Construct::Tag
        } else {
            return Ok(());
        };
        Err(unsupported(node, what))
    }

    /// The only entry with this key of the mapping that the walk has come to.
    fn entry(&mut self, name: &str) -> Result<(usize, &'t Node, &'t Node), EditError> {
        let Content::Mapping { entries, flow } = &self.node.content else { return Err(self.missing()) };
        self.flow |= flow;
        match lookup(entries, name)? {
            Some(found) => Ok(found),
            None => Err(self.missing()),
        }
    }

    /// The only mapping with this field of the sequence that the walk has come to.
    fn item(&mut self, field: &str, wanted: &str) -> Result<(usize, &'t Node, &'t Node), EditError> {
        let Content::Sequence { items, flow } = &self.node.content else { return Err(self.missing()) };
        self.flow |= flow;
        let mut found = Vec::new();
        for (position, item) in items.iter().enumerate() {
            let entries = match &item.content {
                Content::Mapping { entries, .. } => entries,
                Content::Alias(_) => return Err(unsupported(item, Construct::Alias)),
                Content::Scalar { .. } | Content::Sequence { .. } => continue,
            };
            let Some((_, _, value)) = lookup(entries, field)? else { continue };
            match value.scalar() {
                Some(text) if text.as_str() == wanted => found.push((position, item, value)),
                None if matches!(value.content, Content::Alias(_)) => return Err(unsupported(value, Construct::Alias)),
                _ => {}
            }
        }
        match found.as_slice() {
            [] => Err(self.missing()),
            [only] => Ok(*only),
            more => {
                let lines = more.iter().map(|(_, item, _)| item.line).collect();
                Err(EditError::Ambiguous { key: self.key.clone(), lines })
            }
        }
    }

    fn missing(&self) -> EditError {
        EditError::Missing { key: self.key.clone(), line: self.line }
    }
}

/// The entry with this key; none when there surely is none.
fn lookup<'t>(entries: &'t [(Node, Node)], name: &str) -> Result<Option<(usize, &'t Node, &'t Node)>, EditError> {
    let mut found = Vec::new();
    let mut merge = None;
    for (position, (key, value)) in entries.iter().enumerate() {
        match &key.content {
            Content::Scalar { text, .. } if text == name => found.push((position, key, value)),
            Content::Scalar { text, style: Style::Plain } if text == "<<" => merge = Some(key),
            Content::Scalar { .. } => {}
            _ => return Err(unsupported(key, Construct::ComplexKey)),
        }
    }
    match (found.as_slice(), merge) {
        ([], None) => Ok(None),
        ([], Some(key)) => Err(unsupported(key, Construct::MergeKey)),
        ([only], _) => Ok(Some(*only)),
        (more, _) => {
            let lines = more.iter().map(|(_, key, _)| key.line).collect();
            Err(EditError::DuplicateKey { name: name.to_owned(), lines })
        }
    }
}

fn unsupported(node: &Node, what: Construct) -> EditError {
    EditError::Unsupported { line: node.line, column: node.column, what }
}
