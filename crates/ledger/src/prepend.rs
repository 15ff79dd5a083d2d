use crate::{LedgerError, Prepend};

/// The file's new bytes with the item in front, cut to `keep` items.
///
/// The file is a JSON array with one item a line: `[`, then the items, each but the last followed by a comma, then `]`,
/// each line ended by a line feed. An absent file and an empty array (`[]`) have no items. The items' own bytes are
/// kept as they are, since signatures are over them.
pub(crate) fn prepend(file: Option<&[u8]>, prepend: &Prepend) -> Result<Vec<u8>, LedgerError> {
    if !is_json_line(&prepend.item) {
        return Err(LedgerError::BrokenItem { file: prepend.file.clone() });
    }
    let broken = |(line, because)| LedgerError::BrokenArray { file: prepend.file.clone(), line, because };
    let older = file.map_or(Ok(Vec::new()), items).map_err(broken)?;
    let kept: Vec<&[u8]> = std::iter::once(&*prepend.item).chain(older).take(prepend.keep).collect();
    if kept.is_empty() {
        return Ok(b"[]\n".to_vec());
    }
    Ok([b"[\n", &*kept.join(&b",\n"[..]), b"\n]\n"].concat())
}

/// Whether these are the file's newest items.
pub(crate) fn begins_with<'a>(file: &[u8], newest_first: impl Iterator<Item = &'a [u8]>) -> bool {
    items(file).is_ok_and(|items| {
        let mut items = items.into_iter();
        newest_first.into_iter().all(|item| items.next() == Some(item))
    })
}

/// The items of an array file, or the line that is wrong, from 1, and why.
fn items<'a>(file: &'a [u8]) -> Result<Vec<&'a [u8]>, (usize, &'static str)> {
    let body = file.strip_suffix(b"\n").unwrap_or(file);
    if body == b"[]" {
        return Ok(Vec::new());
    }
    let lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').collect();
    let [first, items @ .., last] = &*lines else {
        return Err((1, "it is not an array with one item a line"));
    };
    if *first != b"[" {
        return Err((1, "the first line must be [ alone"));
    }
    if *last != b"]" {
        return Err((lines.len(), "the last line must be ] alone"));
    }
    let item = |(index, line): (usize, &&'a [u8])| {
        let is_last = index + 1 == items.len();
        let item = if is_last { Some(*line) } else { line.strip_suffix(b",") };
        let item = item.ok_or((index + 2, "a comma must follow each item but the last"))?;
        is_json_line(item).then_some(()).ok_or((index + 2, "the line must be one JSON value"))?;
        Ok(item)
    };
    items.iter().enumerate().map(item).collect()
}

fn is_json_line(line: &[u8]) -> bool {
    // serde_json does not look into the strings that it ignores.
    let Ok(line) = str::from_utf8(line) else { return false };
    !line.contains(['\n', '\r']) && serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok()
}
