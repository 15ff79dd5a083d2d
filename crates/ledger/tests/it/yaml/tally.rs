use std::collections::BTreeMap;

use ledger::EditError;

use super::scalars::{Unnamed, scalars};

/// What the scalars of some files come to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) edited: usize,
    /// Each with its file and key path.
    pub(super) refusals: Vec<(String, String, EditError)>,
    pub(super) unnamed: BTreeMap<Unnamed, usize>,
}

impl Tally {
    /// Sets each scalar of a file that a key path leads to.
    pub(super) fn file(&mut self, name: &str, source: &str) {
        for written in scalars(source).into_iter().flatten() {
            match &written.key {
                Err(why) => *self.unnamed.entry(*why).or_default() += 1,
                Ok(key) => match written.set(source, key) {
                    Ok(()) => self.edited += 1,
                    Err(error) => self.refusals.push((name.to_owned(), key.to_string(), error)),
                },
            }
        }
    }

    /// The reason of each refusal, and how many there are.
    pub(super) fn refused(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        self.refusals.iter().for_each(|(_, _, error)| *counts.entry(reason(error)).or_default() += 1);
        counts
    }

    /// How many scalars a key path leads to.
    pub(super) fn named(&self) -> usize {
        self.edited + self.refusals.len()
    }

    pub(super) fn scalars(&self) -> usize {
        self.named() + self.unnamed.values().sum::<usize>()
    }
}

/// The name of what stands in the way.
pub(super) fn reason(error: &EditError) -> String {
    match error {
        EditError::Unsupported { what, .. } => format!("{what:?}"),
        other => format!("{other:?}").split([' ', '{', '(']).next().unwrap().to_owned(),
    }
}
