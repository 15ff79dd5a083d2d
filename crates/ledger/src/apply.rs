use std::collections::BTreeMap;

use bytes::Bytes;
use release::BuildId;

use crate::{
    Change, Draft, Edit, FILE_LIMIT, Found, From, KeyPath, LedgerError, Prepend, RepoPath, Restore, Scalar, get_scalar,
    prepend::{begins_with, prepend},
    run_trailer, set_scalar,
    yaml::has_several_documents,
};

/// Some paths as they stand at one commit; `None` for what is absent there.
pub type Snapshot = BTreeMap<RepoPath, Option<Found>>;

/// What a change comes to on one parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// It is to be written.
    Draft {
        /// What the commit writes.
        draft: Draft,
        /// The edits that change something; those that were settled already are left out.
        edits: Vec<AppliedEdit>,
    },
    /// Every edit is settled: there is nothing to write.
    Unchanged,
    /// A place holds neither its new value nor what it must hold. Nothing of the change may be written.
    Superseded {
        /// The edit's index in [`Change::edits`].
        edit: usize,
        /// What the place holds.
        found: Scalar,
    },
    /// Something that the decision read is not what it was.
    ReadsMoved {
        /// The first path that differs.
        path: RepoPath,
    },
}

/// An edit that changed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedEdit {
    /// The edit's index in [`Change::edits`].
    pub edit: usize,
    /// The manifest.
    pub file: RepoPath,
    /// The scalar's place in it.
    pub key: KeyPath,
    /// What it held.
    pub from: Scalar,
    /// What it holds now.
    pub to: Scalar,
}

/// Judges a change on one parent and says what a commit on top of it would write. Pure.
///
/// In this order: a read that differs stops it; a file to [restore](Restore) must be one that can be; each edit is settled, or holds and is spliced in, or stops it; a change
/// that had edits, all of them settled, is unchanged; what is left is one commit of the spliced edits and of the
/// prepends that are not on behalf of a settled edit, with the old bytes of what is to be restored. Edits of one file build on each other, in their order. A change
/// that has no edits is settled where its items are their files' newest already, so that it may be run again.
///
/// `parent` must hold each of [`Change::paths`].
///
/// # Errors
/// A manifest that is absent, too large or cannot be edited or [restored](LedgerError::Touched), a record file that is broken, a path that was not read.
pub fn apply(parent: &Snapshot, change: &Change) -> Result<Applied, LedgerError> {
    for read in &change.reads {
        if found(parent, &read.path)?.map(|found| found.id) != read.was {
            return Ok(Applied::ReadsMoved { path: read.path.clone() });
        }
    }
    for restore in &change.restores {
        recognise(parent, change, restore)?;
    }
    let mut files = Files { parent, written: BTreeMap::new() };
    let mut settled = vec![false; change.edits.len()];
    let mut edits = Vec::new();
    for ((index, edit), settled) in change.edits.iter().enumerate().zip(&mut settled) {
        let file = edit.file.clone();
        let refused = |source| LedgerError::Edit { file: edit.file.clone(), source };
        let bytes = files.get(&file)?.ok_or_else(|| LedgerError::NoFile { file: file.clone() })?;
        let from = get_scalar(&bytes, edit.document.as_ref(), &edit.key).map_err(refused)?;
        if from == edit.to {
            *settled = true;
        } else if holds(edit, &from) {
            let spliced = set_scalar(&bytes, edit.document.as_ref(), &edit.key, &edit.to).map_err(refused)?;
            files.set(&file, spliced)?;
            edits.push(AppliedEdit { edit: index, file, key: edit.key.clone(), from, to: edit.to.clone() });
        } else {
            return Ok(Applied::Superseded { edit: index, found: from });
        }
    }
    let is_due = |of: Option<usize>| of.is_none_or(|edit| settled.get(edit) == Some(&false));
    if !settled.is_empty() && edits.is_empty() {
        return Ok(Applied::Unchanged);
    }
    let due: Vec<&Prepend> = change.prepends.iter().filter(|item| is_due(item.of)).collect();
    for item in &due {
        let newest_first = due.iter().rev().filter(|other| other.file == item.file).map(|other| &*other.item);
        let before = found(parent, &item.file)?;
        if change.edits.is_empty() && before.is_some_and(|before| begins_with(&before.bytes, newest_first)) {
            continue;
        }
        let bytes = files.get(&item.file)?;
        files.set(&item.file, prepend(bytes.as_deref(), item)?)?;
    }
    for Restore { file, from, to, .. } in &change.restores {
        if found(parent, file)?.is_some_and(|now| now.id == *from) {
            files.set(file, to.bytes.to_vec())?;
        }
    }
    if files.written.is_empty() {
        return Ok(Applied::Unchanged);
    }
    let message = run_trailer::signed(&change.message, change.run);
    Ok(Applied::Draft { draft: Draft { files: files.written.into_iter().collect(), message, run: change.run }, edits })
}

/// Refuses a file in which edits may lead to other places than they are meant for, or make a text of a number.
fn recognise(parent: &Snapshot, change: &Change, restore: &Restore) -> Result<(), LedgerError> {
    let Restore { file, from, to, in_part } = restore;
    let Some(now) = found(parent, file)? else { return Ok(()) };
    let names_no_document = || change.edits.iter().any(|edit| edit.file == *file && edit.document.is_none());
    let is_one = now.id == *from || now.id == to.id;
    if is_one || *in_part && !(names_no_document() && has_several_documents(&now.bytes)) {
        return Ok(());
    }
    Err(LedgerError::Touched { file: file.clone() })
}

fn holds(edit: &Edit, value: &Scalar) -> bool {
    match &edit.from {
        From::Exactly(expected) => value == expected,
        From::OlderThan(build) => value.is_empty() || value.as_str().parse().is_ok_and(|was: BuildId| was < *build),
        From::Any => true,
    }
}

fn found<'a>(parent: &'a Snapshot, path: &RepoPath) -> Result<Option<&'a Found>, LedgerError> {
    match parent.get(path) {
        Some(found) => Ok(found.as_ref()),
        None => Err(LedgerError::NotRead { path: path.clone() }),
    }
}

/// The parent's files under those that were written over them.
struct Files<'a> {
    parent: &'a Snapshot,
    written: BTreeMap<RepoPath, Bytes>,
}

impl Files<'_> {
    fn get(&self, path: &RepoPath) -> Result<Option<Bytes>, LedgerError> {
        if let Some(bytes) = self.written.get(path) {
            return Ok(Some(bytes.clone()));
        }
        Ok(found(self.parent, path)?.map(|found| found.bytes.clone()))
    }

    fn set(&mut self, path: &RepoPath, bytes: Vec<u8>) -> Result<(), LedgerError> {
        within_limit(path, bytes.len() as u64)?;
        self.written.insert(path.clone(), bytes.into());
        Ok(())
    }
}

/// Refuses a file that is too large to be read again.
pub(crate) fn within_limit(path: &RepoPath, bytes: u64) -> Result<(), LedgerError> {
    if bytes > FILE_LIMIT as u64 {
        return Err(LedgerError::TooLarge { path: path.clone(), bytes });
    }
    Ok(())
}
