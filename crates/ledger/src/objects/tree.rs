use std::collections::HashSet;

use gix::bstr::{BStr, BString, ByteSlice as _};
use release::ObjectId;

use super::ObjectError;
use crate::{Kind, Said};

/// A row of a tree. Its name may be any bytes but NUL and `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) mode: Mode,
    pub(crate) name: BString,
    pub(crate) id: ObjectId,
}

/// What a row is, as Git's octal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mode(u32);

impl Mode {
    pub(crate) const FILE: Self = Self(0o100_644);
    pub(crate) const FOLDER: Self = Self(0o40_000);
    pub(crate) const EXECUTABLE: Self = Self(0o100_755);

    pub(crate) fn is_folder(self) -> bool {
        self == Self::FOLDER
    }

    /// What it is, where it is neither an ordinary file nor a folder.
    pub(crate) fn oddity(self) -> Option<Kind> {
        match self {
            Self::FILE | Self::EXECUTABLE | Self::FOLDER => None,
            Self(0o120_000) => Some(Kind::SymbolicLink),
            Self(0o160_000) => Some(Kind::Submodule),
            _ => Some(Kind::Other),
        }
    }

    /// At most six octal digits, the first of which is not 0.
    fn parse(digits: &[u8]) -> Option<Self> {
        let digits = std::str::from_utf8(digits).ok()?;
        let is_canonical = digits.len() <= 6 && digits.starts_with(|digit| matches!(digit, '1'..='7'));
        is_canonical.then(|| u32::from_str_radix(digits, 8).ok().map(Self))?
    }
}

/// Reads a tree that Git itself could have written, byte for byte.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Row>, ObjectError> {
    let mut rows: Vec<Row> = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (row, after) = parse_row(rest)?;
        if rows.last().is_some_and(|before| order(before).gt(order(&row))) {
            return Err(ObjectError::Unsorted { name: said(row.name.as_ref()) });
        }
        rows.push(row);
        rest = after;
    }
    // A folder sorts as if a slash followed its name, so a file of the same name need not stand beside it.
    let mut names = HashSet::new();
    match rows.iter().find(|row| !names.insert(&row.name)) {
        Some(again) => Err(ObjectError::Repeated { name: said(again.name.as_ref()) }),
        None => Ok(rows),
    }
}

/// The bytes of a tree of these rows, which need not be sorted. Their names must differ.
pub(crate) fn write(rows: &[Row]) -> Vec<u8> {
    let mut rows: Vec<&Row> = rows.iter().collect();
    rows.sort_by(|a, b| order(a).cmp(order(b)));
    let mut bytes = Vec::new();
    for row in rows {
        bytes.extend(format!("{:o} ", row.mode.0).into_bytes());
        bytes.extend_from_slice(&row.name);
        bytes.push(0);
        bytes.extend_from_slice(row.id.as_bytes());
    }
    bytes
}

fn parse_row(bytes: &[u8]) -> Result<(Row, &[u8]), ObjectError> {
    let (mode, rest) = bytes.split_once_str(" ").ok_or(ObjectError::CutOff)?;
    let mode = Mode::parse(mode).ok_or_else(|| ObjectError::Mode { mode: said(mode.as_bstr()) })?;
    let (name, rest) = rest.split_once_str("\0").ok_or(ObjectError::CutOff)?;
    let (id, rest) = rest.split_first_chunk::<20>().ok_or(ObjectError::CutOff)?;
    if name.is_empty() || name.contains(&b'/') {
        return Err(ObjectError::Name { name: said(name.as_bstr()) });
    }
    Ok((Row { mode, name: name.into(), id: (*id).into() }, rest))
}

fn order(row: &Row) -> impl Iterator<Item = &u8> {
    let slash: &[u8] = if row.mode.is_folder() { b"/" } else { b"" };
    row.name.iter().chain(slash)
}

fn said(name: &BStr) -> Said {
    Said::new(&name.to_str_lossy())
}
