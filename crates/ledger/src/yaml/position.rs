use std::ops::Range;

use super::tree::{Content, Node, Tree};

/// The bytes of the first document's value at a route of mapping keys; where the route ends early, of the last value
/// on it, or of its key where the value is not written or spans lines. For pointing at a mistake.
///
/// None where the text is no YAML or its root has none of the keys.
#[must_use]
pub fn position(text: &str, route: &[&str]) -> Option<Range<usize>> {
    let tree = Tree::parse(text).ok()?;
    let mut node = &tree.documents.first()?.root;
    let mut found = None;
    for key in route {
        let Content::Mapping { entries, .. } = &node.content else { break };
        let named = |entry: &&(Node, Node)| entry.0.scalar().is_some_and(|name| name.as_str() == *key);
        let Some((name, value)) = entries.iter().find(named) else { break };
        let one_line = text.get(value.span.clone()).is_some_and(|value| !value.is_empty() && !value.contains('\n'));
        found = Some(if one_line { value.span.clone() } else { name.span.clone() });
        node = value;
    }
    found
}
