//! The scalars of a file, listed from the parser's events alone, and the proof that one of them changed by itself. This
//! shares no code with `ledger::yaml`.

use std::{fmt, ops::Range};

use granit_parser::{Event, Parser, ScalarStyle, options};
use ledger::{Document, EditError, KeyPath, Scalar, get_scalar, set_scalar};
use serde_yaml::Value;

/// A scalar as it is written in a file.
pub(super) struct Written {
    document: usize,
    /// The position of each entry or item on the way down.
    route: Vec<usize>,
    pub(super) key: Result<KeyPath, Unnamed>,
    /// Its bytes, quotes included; none for what is not written.
    span: Range<usize>,
    /// Which of the file's events it is.
    event: usize,
    text: String,
    /// Whether it reads as nothing.
    empty: bool,
}

/// Why no key path leads to a scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unnamed {
    Key,
    Root,
    Item,
    Choice,
    Below,
}

impl fmt::Display for Unnamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "a mapping's key",
            Self::Root => "a whole document",
            Self::Item => "a list's item",
            Self::Choice => "what alone tells its list entry from the others",
            Self::Below => "below a list item that no field names, or below a key that is no text",
        })
    }
}

/// All scalars in the order in which they stand; none where this is no YAML.
pub(super) fn scalars(source: &str) -> Option<Vec<Written>> {
    let events = events(source)?;
    let mut reader = Reader { events: &events, next: 0 };
    let mut found = Vec::new();
    let mut document = 0;
    while let Some((event, _)) = events.get(reader.next) {
        reader.next += 1;
        if !matches!(event, Event::DocumentStart(..)) {
            continue;
        }
        if let Some(root) = reader.node() {
            Walk { events: &events, document, found: &mut found }.node(&root, &[], &Err(Unnamed::Root));
            document += 1;
        }
    }
    found.sort_by_key(|written| written.event);
    Some(found)
}

impl Written {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Sets several values, each on the file as it was, and proves that nothing else changed; or says why one of them
    /// is not set. What cannot be read is not set.
    pub(super) fn set(&self, source: &str, key: &KeyPath) -> Result<(), EditError> {
        const VALUES: [&str; 9] = [
            "77031",
            "zz-next",
            "",
            "null",
            "it's \"both\" \\ and \u{e9}\n\u{2028}",
            "a: b # c",
            "- x",
            "latest:",
            "[x",
        ];
        let document = Document::Nth(self.document);
        let read = get_scalar(source.as_bytes(), Some(&document), key);
        let outcomes = VALUES.map(|value| {
            let value = Scalar::new(value);
            let edited = set_scalar(source.as_bytes(), Some(&document), key, &value)?;
            assert_eq!(set_scalar(&edited, Some(&document), key, &value).as_ref(), Ok(&edited), "{source}");
            assert_eq!(get_scalar(&edited, Some(&document), key).as_ref(), Ok(&value), "{source}");
            self.alone(source, str::from_utf8(&edited).unwrap(), value.as_str());
            Ok(())
        });
        let expected = if self.empty { Scalar::empty() } else { Scalar::new(&self.text) };
        if let Err(error) = read {
            assert!(outcomes.iter().all(|outcome| outcome.as_ref() == Err(&error)), "{key} of {source}: {outcomes:?}");
            return Err(error);
        }
        assert_eq!(read, Ok(expected), "{key} of {source}");
        // A value in quotes may stand in front of what the second parser accepts behind a plain one only.
        let allowed = |outcome: &Result<_, _>| matches!(outcome, Ok(()) | Err(EditError::NotProven { .. }));
        assert!(outcomes.iter().all(allowed), "{key} of {source}: {outcomes:?}");
        outcomes.into_iter().collect()
    }

    /// By bytes, by the events, and by the second parser.
    fn alone(&self, source: &str, edited: &str, value: &str) {
        let Range { start, end } = self.span;
        let (before, after) = if start < end {
            (&source[..start], &source[end..])
        } else {
            let same = source.bytes().zip(edited.bytes()).take_while(|(was, is)| was == is).count();
            source.split_at(same)
        };
        assert!(edited.len() >= before.len() + after.len(), "{source} -> {edited}");
        assert!(edited.starts_with(before) && edited.ends_with(after), "{source} -> {edited}");

        let (old, new) = (events(source).unwrap(), events(edited).unwrap());
        assert_eq!(old.len(), new.len(), "{source} -> {edited}");
        for (index, ((old, _), (new, _))) in old.iter().zip(&new).enumerate() {
            if index != self.event {
                assert_eq!(old, new, "{source} -> {edited}");
                continue;
            }
            let Event::Scalar(text, style, ..) = new else { panic!("{new:?}") };
            assert_eq!((&**text, old.anchor_id(), old.tag()), (value, new.anchor_id(), new.tag()));
            assert!(*style != ScalarStyle::Plain || value == "zz-next" || value == "latest:", "{value} is plain");
        }

        let mut expected = super::documents(source.as_bytes()).unwrap();
        *at(&mut expected[self.document], &self.route) = Value::String(value.to_owned());
        assert_eq!(super::documents(edited.as_bytes()), Some(expected), "{source} -> {edited}");
    }
}

/// The value at a route, as the second parser has it.
pub(super) fn at<'v>(root: &'v mut Value, route: &[usize]) -> &'v mut Value {
    route.iter().fold(root, |value, position| match value {
        Value::Mapping(entries) => entries.values_mut().nth(*position).unwrap(),
        Value::Sequence(items) => &mut items[*position],
        other => panic!("{other:?}"),
    })
}

type Events<'s> = Vec<(Event<'s>, Range<usize>)>;

fn events(source: &str) -> Option<Events<'_>> {
    let parser = Parser::new_from_str_with_options(source, options! { emit_comments: false });
    parser.map(|event| event.ok().map(|(event, span)| (event, span.byte_range().unwrap_or_default()))).collect()
}

enum Node {
    /// The number of its event.
    Scalar(usize),
    Mapping(Vec<(Node, Node)>),
    Sequence(Vec<Node>),
    Alias,
}

struct Reader<'e, 's> {
    events: &'e Events<'s>,
    next: usize,
}

impl Reader<'_, '_> {
    /// The next node; none where what is around it ends.
    fn node(&mut self) -> Option<Node> {
        let number = self.next;
        self.next += 1;
        match &self.events[number].0 {
            Event::Scalar(..) => Some(Node::Scalar(number)),
            Event::Alias(_) => Some(Node::Alias),
            Event::SequenceStart(..) => Some(Node::Sequence(std::iter::from_fn(|| self.node()).collect())),
            Event::MappingStart(..) => {
                let entry = || self.node().map(|key| (key, self.node().unwrap()));
                Some(Node::Mapping(std::iter::from_fn(entry).collect()))
            }
            _ => None,
        }
    }
}

struct Walk<'w, 's> {
    events: &'w Events<'s>,
    document: usize,
    found: &'w mut Vec<Written>,
}

impl Walk<'_, '_> {
    /// Lists what is at and below a node; `key` is the key path to it, as text.
    fn node(&mut self, node: &Node, route: &[usize], key: &Result<String, Unnamed>) {
        let inside = |position: usize| [route, &[position]].concat();
        match node {
            Node::Alias => {}
            Node::Scalar(event) => self.push(*event, route, key),
            Node::Mapping(entries) => {
                for (position, (name, value)) in entries.iter().enumerate() {
                    self.below(name, Unnamed::Key);
                    self.node(value, &inside(position), &self.inside_mapping(key, name));
                }
            }
            Node::Sequence(items) => {
                for (position, item) in items.iter().enumerate() {
                    let route = inside(position);
                    let Node::Mapping(entries) = item else {
                        self.node(item, &route, &Err(Unnamed::Item));
                        continue;
                    };
                    let fields = self.fields_of_its_own(items, position);
                    for (position, (name, value)) in entries.iter().enumerate() {
                        self.below(name, Unnamed::Key);
                        // Not the field that is to be changed.
                        let chosen = fields.iter().find(|(entry, _)| *entry != position);
                        let unchosen = if fields.is_empty() { Unnamed::Below } else { Unnamed::Choice };
                        let key = key.clone().map_err(|_| Unnamed::Below);
                        let key = key.and_then(|key| Ok(key + &chosen.ok_or(unchosen)?.1));
                        self.node(value, &[&route[..], &[position]].concat(), &self.inside_mapping(&key, name));
                    }
                }
            }
        }
    }

    /// Lists what no key path leads to.
    fn below(&mut self, node: &Node, why: Unnamed) {
        match node {
            Node::Scalar(event) => self.push(*event, &[], &Err(why)),
            Node::Mapping(entries) => {
                entries.iter().for_each(|(key, value)| {
                    self.below(key, why);
                    self.below(value, why);
                });
            }
            Node::Sequence(items) => items.iter().for_each(|item| self.below(item, why)),
            Node::Alias => {}
        }
    }

    fn inside_mapping(&self, key: &Result<String, Unnamed>, name: &Node) -> Result<String, Unnamed> {
        let key = match key {
            Err(Unnamed::Root) => "",
            Err(Unnamed::Item) => return Err(Unnamed::Below),
            key => &(key.clone()? + "."),
        };
        Ok(format!("{key}{}", self.word(name).ok_or(Unnamed::Below)?))
    }

    /// The fields whose value no other of the items has: the entry's position, and the step that chooses by it.
    fn fields_of_its_own(&self, items: &[Node], position: usize) -> Vec<(usize, String)> {
        let steps = |item: &Node| {
            let Node::Mapping(entries) = item else { return Vec::new() };
            let step = |name, value| Some(format!("[{}={}]", self.word(name)?, self.word(value)?));
            let fields = entries.iter().enumerate();
            fields.filter_map(|(field, (name, value))| Some((field, step(name, value)?))).collect()
        };
        let alone = |step: &String| {
            items.iter().flat_map(steps).filter(|(_, other): &(usize, String)| other == step).count() == 1
        };
        let mut fields: Vec<(usize, String)> = steps(&items[position]);
        fields.retain(|(_, step)| alone(step));
        fields
    }

    /// A scalar as a quoted word of a key path.
    fn word(&self, node: &Node) -> Option<String> {
        let Node::Scalar(event) = node else { return None };
        let (text, empty) = self.text(*event);
        let usable = !empty && !text.is_empty() && !text.contains(char::is_control);
        usable.then(|| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
    }

    /// What a scalar says, and whether that is nothing.
    fn text(&self, event: usize) -> (String, bool) {
        let (Event::Scalar(text, style, ..), span) = &self.events[event] else { panic!("no scalar") };
        let tag = self.events[event].0.tag();
        let null = *style == ScalarStyle::Plain && tag.is_none() && ["~", "null", "Null", "NULL"].contains(&&**text);
        (if span.is_empty() { String::new() } else { text.clone().into_owned() }, null || span.is_empty())
    }

    fn push(&mut self, event: usize, route: &[usize], key: &Result<String, Unnamed>) {
        let (text, empty) = self.text(event);
        // A key path of more than 512 bytes is none.
        let key = key.clone().and_then(|key| key.parse().map_err(|_| Unnamed::Below));
        let (document, route, span) = (self.document, route.to_vec(), self.events[event].1.clone());
        self.found.push(Written { document, route, key, span, event, text, empty });
    }
}
