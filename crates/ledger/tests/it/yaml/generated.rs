//! Random manifests in random styles. The model is made together with the text: what each document holds, and where
//! in the text each scalar is written.

use std::ops::Range;

use ledger::Scalar;
use proptest::{collection::vec, prelude::*, sample::select};
use serde_yaml::{Mapping, Value};

/// A file, what it means, and its scalars.
#[derive(Debug, Clone, Default)]
pub(crate) struct Manifest {
    pub(crate) text: String,
    pub(crate) documents: Vec<Value>,
    pub(crate) places: Vec<Place>,
}

#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) document: usize,
    pub(crate) key: String,
    /// The position of each entry or item on the way down.
    pub(crate) route: Vec<usize>,
    /// The bytes of its value, quotes included; none, behind the colon, for a value that is not written.
    pub(crate) span: Range<usize>,
    pub(crate) scalar: Scalar,
}

#[derive(Debug, Clone)]
enum Node {
    /// The text as it is written, and what it means.
    Scalar(String, Value),
    Mapping(bool, Vec<Entry>),
    /// Mappings, each told from the others by its field `name`, which stands first or last.
    Sequence(bool, Vec<(bool, Vec<Entry>)>),
}

#[derive(Debug, Clone)]
struct Entry {
    key: &'static str,
    quotes: Quotes,
    node: Node,
    above: &'static str,
    gap: &'static str,
    behind: &'static str,
}

#[derive(Debug, Clone, Copy)]
enum Quotes {
    None,
    Single,
    Double,
}

pub(crate) fn manifest() -> impl Strategy<Value = Manifest> {
    let layout = (any::<bool>(), select(vec!["", "---\n", "# head\n--- # start\n"]), any::<bool>(), any::<bool>());
    let manifest =
        (vec(entries(node()), 1..4), layout).prop_map(|(documents, (bom, head, carriage_returns, final_newline))| {
            let mut manifest = Manifest::default();
            manifest.text.push_str(if bom { "\u{feff}" } else { "" });
            manifest.text.push_str(head);
            let last = documents.len() - 1;
            for (document, entries) in documents.into_iter().enumerate() {
                let mut printer = Printer { manifest: &mut manifest, document, key: String::new(), route: Vec::new() };
                let value = printer.block(&entries, 0, false);
                manifest.documents.push(value);
                manifest.text.push_str(if document < last { "---\n" } else { "" });
            }
            if !final_newline {
                manifest.text.pop();
            }
            if carriage_returns { manifest.with_carriage_returns() } else { manifest }
        });
    manifest.prop_filter("there is no scalar", |manifest| !manifest.places.is_empty())
}

impl Manifest {
    fn with_carriage_returns(mut self) -> Self {
        for place in &mut self.places {
            let lines = |end: usize| self.text[..end].matches('\n').count();
            place.span = place.span.start + lines(place.span.start)..place.span.end + lines(place.span.end);
        }
        self.text = self.text.replace('\n', "\r\n");
        self
    }
}

fn node() -> impl Strategy<Value = Node> {
    scalar().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            (any::<bool>(), entries(inner.clone())).prop_map(|(flow, entries)| Node::Mapping(flow, entries)),
            (any::<bool>(), vec((any::<bool>(), entries(inner)), 0..4))
                .prop_map(|(flow, items)| Node::Sequence(flow, items)),
        ]
    })
}

fn entries(node: impl Strategy<Value = Node>) -> impl Strategy<Value = Vec<Entry>> {
    let quotes = select(vec![Quotes::None, Quotes::Single, Quotes::Double]);
    let above = select(vec!["", "", "\n", "# tag: above\n", "\n\n  # \u{f6}\u{1f680}\n"]);
    let gap = select(vec![" ", "  ", "\t"]);
    let behind = select(vec!["", "", " # 'tag: behind", "\t# \u{6771}", "  "]);
    let entry = (quotes, node, above, gap, behind).prop_map(|(quotes, node, above, gap, behind)| Entry {
        key: "",
        quotes,
        node,
        above,
        gap,
        behind,
    });
    vec(entry, 1..5).prop_map(|mut entries| {
        let keys = ["image", "a.b/c", "gr\u{f6}\u{df}e", "two words", "tag"];
        entries.iter_mut().zip(keys).for_each(|(entry, key)| entry.key = key);
        entries
    })
}

fn scalar() -> impl Strategy<Value = Node> {
    let string = |written: String, text: String| Node::Scalar(written, text.into());
    prop_oneof![
        "x[a-z0-9/.-]{0,8}".prop_map(move |text| string(text.clone(), text)),
        (0..100_000_u64).prop_map(|number| Node::Scalar(number.to_string(), number.into())),
        select(vec!["00123", "1_000", "yes", "on", "1:20", "2026-01-01"])
            .prop_map(move |text| string(text.into(), text.into())),
        "[ -~\u{e9}\u{1f680}]{0,8}".prop_map(move |text| string(format!("'{}'", text.replace('\'', "''")), text)),
        "[ -~\u{e9}\u{1f680}\n\u{85}]{0,8}".prop_map(move |text| string(double(&text), text)),
        select(vec!["", "~", "null"]).prop_map(|text| Node::Scalar(text.into(), Value::Null)),
    ]
}

fn double(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\u{85}', "\\N");
    format!("\"{escaped}\"")
}

struct Printer<'m> {
    manifest: &'m mut Manifest,
    document: usize,
    key: String,
    route: Vec<usize>,
}

impl Printer<'_> {
    /// Prints a block mapping; `inline` when the first entry follows a dash.
    fn block(&mut self, entries: &[Entry], indent: usize, inline: bool) -> Value {
        let mut value = Mapping::new();
        for (position, entry) in entries.iter().enumerate() {
            if position > 0 || !inline {
                self.push(entry.above);
                self.push(&" ".repeat(indent));
            }
            let node = self.entry(entry, position, |printer| match &entry.node {
                Node::Scalar(written, value) => printer.scalar(written, value, entry.gap),
                Node::Mapping(false, entries) => {
                    printer.push("\n");
                    printer.block(entries, indent + 2, false)
                }
                Node::Sequence(false, items) if !items.is_empty() => {
                    printer.push("\n");
                    printer.items(items, indent)
                }
                flow => {
                    printer.push(entry.gap);
                    printer.flow(flow)
                }
            });
            if !self.manifest.text.ends_with('\n') {
                self.push(entry.behind);
                self.push("\n");
            }
            value.insert(entry.key.into(), node);
        }
        value.into()
    }

    fn items(&mut self, items: &[(bool, Vec<Entry>)], indent: usize) -> Value {
        let print = |printer: &mut Self, entries: &[Entry]| {
            printer.push(&" ".repeat(indent));
            printer.push("- ");
            printer.block(entries, indent + 2, true)
        };
        self.named(items, print)
    }

    fn flow(&mut self, node: &Node) -> Value {
        match node {
            Node::Scalar(written, value) => self.scalar(written, value, " "),
            Node::Mapping(_, entries) => self.flow_mapping(entries),
            Node::Sequence(_, items) => {
                self.push("[");
                let value = self.named(items, |printer, entries| {
                    let value = printer.flow_mapping(entries);
                    printer.push(", ");
                    value
                });
                self.push("]");
                value
            }
        }
    }

    fn flow_mapping(&mut self, entries: &[Entry]) -> Value {
        let mut value = Mapping::new();
        self.push("{");
        for (position, entry) in entries.iter().enumerate() {
            let node = self.entry(entry, position, |printer| {
                if !matches!(entry.node, Node::Scalar(..)) {
                    printer.push(" ");
                }
                printer.flow(&entry.node)
            });
            value.insert(entry.key.into(), node);
            self.push(if entry.behind.is_empty() { " , " } else { " ,\n            " });
        }
        self.push("}");
        value.into()
    }

    /// Prints each item with its name, and steps into it by that name.
    fn named(&mut self, items: &[(bool, Vec<Entry>)], print: impl Fn(&mut Self, &[Entry]) -> Value) -> Value {
        let mut values = Vec::new();
        for (position, (first, entries)) in items.iter().enumerate() {
            let name = format!("n{position}");
            let node = Node::Scalar(double(&name), name.clone().into());
            let naming = Entry { key: "name", quotes: Quotes::None, node, above: "", gap: " ", behind: "" };
            let mut entries = entries.clone();
            entries.insert(if *first { 0 } else { entries.len() }, naming);
            let key = format!("{}[name={name}]", self.key);
            values.push(self.inside(key, position, |printer| print(printer, &entries)));
        }
        values.into()
    }

    /// Prints a key and its colon, then what `print` prints.
    fn entry(&mut self, entry: &Entry, position: usize, print: impl FnOnce(&mut Self) -> Value) -> Value {
        match entry.quotes {
            Quotes::None => self.push(entry.key),
            Quotes::Single => self.push(&format!("'{}'", entry.key)),
            Quotes::Double => self.push(&double(entry.key)),
        }
        self.push(":");
        let dot = if self.key.is_empty() { "" } else { "." };
        let key = format!("{}{dot}{}", self.key, double(entry.key));
        self.inside(key, position, print)
    }

    fn inside(&mut self, key: String, position: usize, print: impl FnOnce(&mut Self) -> Value) -> Value {
        let outside = std::mem::replace(&mut self.key, key);
        self.route.push(position);
        let value = print(self);
        self.route.pop();
        self.key = outside;
        value
    }

    fn scalar(&mut self, written: &str, value: &Value, gap: &str) -> Value {
        self.push(if written.is_empty() { "" } else { gap });
        let start = self.manifest.text.len();
        self.push(written);
        let scalar = match value {
            Value::String(text) => Scalar::new(text),
            Value::Number(number) => Scalar::new(number.to_string()),
            _ => Scalar::empty(),
        };
        let (key, route, span) = (self.key.clone(), self.route.clone(), start..start + written.len());
        self.manifest.places.push(Place { document: self.document, key, route, span, scalar });
        value.clone()
    }

    fn push(&mut self, text: &str) {
        self.manifest.text.push_str(text);
    }
}
