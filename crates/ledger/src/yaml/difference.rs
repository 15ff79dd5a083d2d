use std::iter::zip;

use super::{
    locate::locate,
    text,
    tree::{Content, Node, Tree},
};
use crate::{Document, KeyPath, Scalar, key_path::Step};

/// The most scalars of one file that are told apart. Each is found, and may be set again, by itself.
const MOST: usize = 256;

/// A scalar in which two versions of a manifest differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChangedScalar {
    pub(crate) document: Option<Document>,
    pub(crate) key: KeyPath,
    pub(crate) from: Scalar,
    pub(crate) to: Scalar,
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
        let document = (old.documents.len() > 1).then_some(Document::Nth(number));
        let mut routes = Vec::new();
        differing(&was.root, &is.root, &mut Vec::new(), &mut routes)?;
        for route in routes {
            let key = KeyPath::of(steps(&was.root, &is.root, &route)?)?;
            let from = locate(&old, document.as_ref(), &key).ok().filter(|target| target.place.route == route)?;
            let to = locate(&new, document.as_ref(), &key).ok().filter(|target| target.place.route == route)?;
            let (old_gap, new_gap) = (before.get(old_end..from.span.start)?, after.get(new_end..to.span.start)?);
            // Where nothing stood, a blank comes in front of what stands now.
            let blank = if from.span.is_empty() != to.span.is_empty() { " " } else { "" };
            if old_gap.trim_end_matches(blank) != new_gap.trim_end_matches(blank) {
                return None;
            }
            (old_end, new_end) = (from.span.end, to.span.end);
            let (from, to) = (from.place.scalar, to.place.scalar);
            changed.push(ChangedScalar { document: document.clone(), key, from, to });
        }
    }
    (before.get(old_end..)? == after.get(new_end..)?).then_some(changed)
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

/// What chooses this item and no other, in both versions of a list: its name, or the first field that does.
fn choice(old: &[Node], new: &[Node], position: usize) -> Option<Step> {
    let kept = fields(new.get(position)?);
    let mut usable = fields(old.get(position)?);
    usable.retain(|field| !field.1.is_empty() && kept.contains(field) && is_one(old, field) && is_one(new, field));
    let (field, value) = usable.iter().find(|(field, _)| *field == "name").or(usable.first())?;
    Some(Step::Entry { field: (*field).to_owned(), value: value.as_str().to_owned() })
}

fn is_one(items: &[Node], field: &(&str, Scalar)) -> bool {
    items.iter().filter(|item| fields(item).contains(field)).count() == 1
}

fn fields(item: &Node) -> Vec<(&str, Scalar)> {
    let Content::Mapping { entries, .. } = &item.content else { return Vec::new() };
    let scalars = entries.iter().filter_map(|(key, value)| match &key.content {
        Content::Scalar { text, .. } => Some((text.as_str(), value.scalar()?)),
        _ => None,
    });
    scalars.collect()
}
