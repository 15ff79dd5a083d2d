//! What holds of the answers of a Git server, whatever bytes come.

use super::{
    advertisement::{self, Ways},
    fetch, ls_refs,
    pkt_line::Lines,
    report_status,
    side_band::bands,
};

const MAIN: &str = "refs/heads/main";

/// In version 2 of the protocol there are no refs yet; in the others each stands in the bytes.
pub(crate) fn an_advertisement(bytes: &[u8]) {
    let Ok((ways, refs)) = advertisement::answer(bytes) else { return };
    assert_eq!(ways.v2, refs.is_none());
    let text = String::from_utf8_lossy(bytes);
    for (name, id) in refs.into_iter().flatten() {
        assert!(text.contains(&format!("{id} {name}")), "{name}");
    }
}

/// A pack, or a part of one, is no longer than what it came in.
pub(crate) fn a_fetch(bytes: &[u8]) {
    let first = Ways { v2: false, ..Ways::OPTIMISTIC };
    for ways in [Ways::OPTIMISTIC, first, Ways { side_band: false, ..first }] {
        for deepened in [true, false] {
            let pack = fetch::answer(bytes, &ways, deepened).unwrap_or_default();
            assert!(pack.len() < bytes.len().max(1));
        }
    }
}

/// Each ref stands in the bytes.
pub(crate) fn some_refs(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for (name, id) in ls_refs::answer(bytes).unwrap_or_default() {
        assert!(text.contains(&format!("{id} {name}")), "{name}");
    }
}

/// Each line is as long as it says, and together they are the bytes up to where the lines end.
pub(crate) fn packet_lines(bytes: &[u8]) {
    let mut lines = Lines::new(bytes);
    let mut length = 0;
    while let Ok(line) = lines.next() {
        length += 4 + line.as_slice().map_or(0, <[u8]>::len);
        assert_eq!(Some(lines.rest()), bytes.get(length..));
    }
}

/// A report does not depend on what comes behind its end, and no ref is both taken and refused.
pub(crate) fn a_report(bytes: &[u8]) {
    let Ok(report) = report_status::answer(bytes) else { return };
    assert!(!report.is_taken(MAIN) || report.reason(MAIN).is_empty());
    assert_eq!(report_status::answer(&[bytes, b"0000 more"].concat()), Ok(report));
}

/// Nothing is in the bands that was not in the bytes.
pub(crate) fn some_bands(bytes: &[u8]) {
    let Ok(bands) = bands(&mut Lines::new(bytes)) else { return };
    assert!(bands.data.len() + bands.words.len() <= bytes.len());
}
