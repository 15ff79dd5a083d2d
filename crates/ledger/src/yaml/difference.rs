use std::iter::zip;

use super::{
    locate::{Target, chosen, locate, place},
    splice::is_plain_string,
    text,
    tree::{Content, Node, Style, Tree},
};
use crate::{Document, KeyPath, Scalar, key_path::Step};

/// The most scalars of one file that are told apart. Each is found, and may be set again, by itself.
const MOST: usize = 64;

/// A scalar in which two versions of a manifest differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChangedScalar {
    pub(crate) document: Option<Document>,
    pub(crate) key: KeyPath,
    pub(crate) from: Scalar,
    pub(crate) to: Scalar,
    /// Whether document and place are chosen by names, and the first value is a text: then it can be set back in a file
    /// that has changed in other places.
    pub(crate) by_name: bool,
}

/// The scalars that tell one version of a manifest from another, in the file's order; `None` where something else does
/// too, be it a blank, or where one of them has no key path that holds in both.
pub(crate) fn changed_scalars(before: &[u8], after: &[u8]) -> Option<Vec<ChangedScalar>> {
    let (before, after) = (text(before).ok()?, text(after).ok()?);
    let (old, new) = (Tree::parse(before).ok()?, Tree::parse(after).ok()?);
    if old.documents.len() != new.documents.len() {
        return None;
    }
    let mut changed = Vec::new();
    let (mut old_end, mut new_end) = (0, 0);
    for (number, (was, is)) in zip(&old.documents, &new.documents).enumerate() {
        let document = document_of(&old, &new, number);
        let mut routes = Vec::new();
        differing(&was.root, &is.root, &mut Vec::new(), &mut routes)?;
        for route in routes {
            let key = KeyPath::of(steps(&was.root, &is.root, &route)?)?;
            let at = |target: &Target<'_>| (target.place.document, &target.place.route) == (number, &route);
            let from = locate(&old, document.as_ref(), &key).ok().filter(at)?;
            let to = locate(&new, document.as_ref(), &key).ok().filter(at)?;
            let (old_gap, new_gap) = (before.get(old_end..from.span.start)?, after.get(new_end..to.span.start)?);
            // Where nothing stood, a blank comes in front of what stands now.
            let blank = if from.span.is_empty() != to.span.is_empty() { " " } else { "" };
            if old_gap.trim_end_matches(blank) != new_gap.trim_end_matches(blank) {
                return None;
            }
            (old_end, new_end) = (from.span.end, to.span.end);
            let by_name = is_named(document.as_ref(), &key) && is_text(&from);
            let (from, to) = (from.place.scalar, to.place.scalar);
            changed.push(ChangedScalar { document: document.clone(), key, from, to, by_name });
        }
    }
    (before.get(old_end..)? == after.get(new_end..)?).then_some(changed)
}

/// What chooses a document in both versions: its kind and name where no other has them, else its number, if it needs one.
fn document_of(old: &Tree<'_>, new: &Tree<'_>, number: usize) -> Option<Document> {
    let named = ["kind", "metadata.name", "metadata.namespace"].map(|key| {
        let key: KeyPath = key.parse().ok()?;
        let held = |tree: &Tree<'_>| Some(place(tree, number, &key).ok()?.scalar).filter(|held| !held.is_empty());
        let value = held(old).filter(|value| held(new).as_ref() == Some(value))?;
        Some((key, value))
    });
    let is_named = matches!(named, [Some(_), Some(_), _]);
    let document = Document::Where(named.into_iter().flatten().collect());
    let finds = |tree| chosen(tree, &document).is_ok_and(|(found, _)| found == number);
    if is_named && finds(old) && finds(new) {
        return Some(document);
    }
    (old.documents.len() > 1).then_some(Document::Nth(number))
}

/// Whether what leads to a place is no number of a document, and of the fields of lists the name only.
fn is_named(document: Option<&Document>, key: &KeyPath) -> bool {
    let by_name =
        |step: &Step| matches!(step, Step::Key(_)) || matches!(step, Step::Entry { field, .. } if field == "name");
    !matches!(document, Some(Document::Nth(_))) && key.steps().iter().all(by_name)
}

/// Whether every reader takes a value for a string.
fn is_text(target: &Target<'_>) -> bool {
    target.place.style != Style::Plain || is_plain_string(target.place.scalar.as_str(), target.flow)
}

/// Collects the ways to the scalars that differ; `None` where the trees have different shapes.
fn differing(was: &Node, is: &Node, route: &mut Vec<usize>, routes: &mut Vec<Vec<usize>>) -> Option<()> {
    if was.anchor != is.anchor || was.tag != is.tag {
        return None;
    }
    let pairs: Vec<(&Node, &Node)> = match (&was.content, &is.content) {
        (Content::Scalar { .. }, Content::Scalar { .. }) => {
            if was.scalar() != is.scalar() {
                routes.push(route.clone());
            }
            return (routes.len() <= MOST).then_some(());
        }
        (Content::Mapping { entries: old, .. }, Content::Mapping { entries: new, .. }) => {
            if !old.iter().map(|(key, _)| key).eq(new.iter().map(|(key, _)| key)) {
                return None;
            }
            zip(old, new).map(|((_, was), (_, is))| (was, is)).collect()
        }
        (Content::Sequence { items: old, .. }, Content::Sequence { items: new, .. }) => {
            if old.len() != new.len() {
                return None;
            }
            zip(old, new).collect()
        }
        (Content::Alias(old), Content::Alias(new)) if old == new => return Some(()),
        _ => return None,
    };
    for (position, (was, is)) in pairs.into_iter().enumerate() {
        route.push(position);
        differing(was, is, route, routes)?;
        route.pop();
    }
    Some(())
}

/// A key path's steps along a route, list entries chosen by a field that has not changed.
fn steps(mut was: &Node, mut is: &Node, route: &[usize]) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    for position in route {
        match (&was.content, &is.content) {
            (Content::Mapping { entries: old, .. }, Content::Mapping { entries: new, .. }) => {
                let ((key, value), (_, now)) = (old.get(*position)?, new.get(*position)?);
                let Content::Scalar { text, .. } = &key.content else { return None };
                steps.push(Step::Key(text.clone()));
                (was, is) = (value, now);
            }
            (Content::Sequence { items: old, .. }, Content::Sequence { items: new, .. }) => {
                steps.push(choice(old, new, *position)?);
                (was, is) = (old.get(*position)?, new.get(*position)?);
            }
            _ => return None,
        }
    }
    Some(steps)
}

/// What chooses this item and no other, in both versions of a list: its name, or one of its first fields.
fn choice(old: &[Node], new: &[Node], position: usize) -> Option<Step> {
    const FIELDS: usize = 16;
    let Content::Mapping { entries, .. } = &old.get(position)?.content else { return None };
    let field = |(key, value): &'_ (Node, Node)| match &key.content {
        Content::Scalar { text, .. } => Some((text.clone(), value.scalar().filter(|value| !value.is_empty())?)),
        _ => None,
    };
    let name = entries.iter().filter_map(field).find(|(field, _)| field == "name");
    let mut fields = name.into_iter().chain(entries.iter().filter_map(field).take(FIELDS));
    let is_only = |items: &[Node], (field, value): &(String, Scalar)| {
        items.get(position).is_some_and(|item| has(item, field, value))
            && items.iter().filter(|item| has(item, field, value)).count() == 1
    };
    let (field, value) = fields.find(|field| is_only(old, field) && is_only(new, field))?;
    Some(Step::Entry { field, value: value.as_str().to_owned() })
}

/// Whether an item is a mapping where this field has this value.
fn has(item: &Node, field: &str, wanted: &Scalar) -> bool {
    let Content::Mapping { entries, .. } = &item.content else { return false };
    let is_field = |key: &Node| matches!(&key.content, Content::Scalar { text, .. } if text == field);
    entries.iter().any(|(key, value)| is_field(key) && value.scalar().as_ref() == Some(wanted))
}
