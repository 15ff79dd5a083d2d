use release::{CommitId, ObjectId};

use super::{
    AGENT, WireError,
    advertisement::{Acknowledgments, Ways},
    pkt_line::{Lines, Writer},
    side_band::bands,
};

const MALFORMED: WireError = WireError::Malformed { expected: "a pack and what belongs to it" };

/// What is left out of a pack, but for objects that are asked for by their ids (git-rev-list(1), `--filter`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filter {
    /// Files.
    Blobs,
    /// Files and folders.
    Trees,
}

/// What is to be fetched.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fetch<'a> {
    /// These, and all that they consist of.
    pub(crate) wants: &'a [ObjectId],
    /// A commit that is here, cut off from its history; what it consists of is not sent again.
    pub(crate) have: Option<CommitId>,
    /// How many commits of history; all without it.
    pub(crate) depth: Option<u32>,
    /// What is not sent.
    pub(crate) filter: Option<Filter>,
}

impl Fetch<'_> {
    /// The request in a server's ways: what it does not offer is not asked for, so that it sends more.
    pub(crate) fn request(&self, ways: &Ways) -> Vec<u8> {
        let mut writer = Writer::default();
        if ways.v2 {
            writer.line("command=fetch").line(AGENT).line("object-format=sha1").delimiter();
            writer.line("no-progress").line("ofs-delta");
        }
        let mut capabilities = if ways.v2 { String::new() } else { capabilities(ways) };
        for want in self.wants {
            writer.line(&format!("want {want}{}\n", std::mem::take(&mut capabilities)));
        }
        if let Some(have) = self.have.filter(|_| ways.shallow) {
            writer.line(&format!("shallow {have}\n"));
        }
        if let Some(depth) = self.depth.filter(|_| ways.shallow) {
            writer.line(&format!("deepen {depth}\n"));
        }
        match self.filter.filter(|_| ways.filter) {
            // Files that cannot be had one by one must come with the rest.
            Some(Filter::Blobs) if ways.by_id => drop(writer.line("filter blob:none\n")),
            Some(Filter::Trees) => drop(writer.line("filter tree:0\n")),
            Some(Filter::Blobs) | None => {}
        }
        if !ways.v2 {
            writer.flush();
        }
        if let Some(have) = self.have.filter(|_| ways.shallow) {
            writer.line(&format!("have {have}\n"));
        }
        writer.line("done\n");
        if ways.v2 {
            writer.flush();
        }
        writer.take()
    }
}

fn capabilities(ways: &Ways) -> String {
    let offered = [
        (ways.acknowledgments == Acknowledgments::Detailed, " multi_ack_detailed"),
        (ways.acknowledgments == Acknowledgments::Many, " multi_ack"),
        (ways.side_band, " side-band-64k no-progress"),
        (ways.ofs_delta, " ofs-delta"),
        (ways.filter, " filter"),
    ];
    let asked = offered.into_iter().filter_map(|(is_offered, name)| is_offered.then_some(name));
    asked.chain([" ", AGENT]).collect()
}

/// The pack in the answer to a [`Fetch`] that had, or had not, a depth.
pub(crate) fn answer(answer: &[u8], ways: &Ways, deepened: bool) -> Result<Vec<u8>, WireError> {
    let mut lines = Lines::new(answer);
    if ways.v2 {
        // Sections, each but the last ended by a delimiter. The request said that it was done, so a pack comes.
        loop {
            match lines.text()? {
                Some(b"packfile") => return Ok(bands(&mut lines)?.data),
                Some(b"acknowledgments" | b"shallow-info") => while lines.text()?.is_some() {},
                _ => return Err(MALFORMED),
            }
        }
    }
    if deepened && ways.shallow {
        while let Some(line) = lines.text()? {
            if !line.starts_with(b"shallow ") && !line.starts_with(b"unshallow ") {
                return Err(MALFORMED);
            }
        }
    }
    loop {
        match lines.text()? {
            Some(b"NAK") => break,
            // With a word behind the id more acknowledgments follow.
            Some(line) if line.starts_with(b"ACK ") => {
                if line.len() == "ACK ".len() + 40 {
                    break;
                }
            }
            _ => return Err(MALFORMED),
        }
    }
    if ways.side_band { Ok(bands(&mut lines)?.data) } else { Ok(lines.rest().to_vec()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1a6ffd3c1abfc78f8dcd8c03b9885af0c7f87767";

    fn v0() -> Ways {
        Ways { v2: false, ..Ways::OPTIMISTIC }
    }

    fn text(request: &[u8]) -> Vec<String> {
        let mut lines = Lines::new(request);
        let mut text = Vec::new();
        while !lines.rest().is_empty() {
            let line = lines.next().unwrap();
            let shown = line.as_slice().map(|line| String::from_utf8(line.to_vec()).unwrap());
            text.push(shown.map_or_else(|| "--".to_owned(), |line| line.trim_end().to_owned()));
        }
        text
    }

    #[test]
    fn only_what_a_server_offers_is_asked_for() {
        let wants = [ID.parse().unwrap(), ID.parse().unwrap()];
        let have = Some(ID.parse().unwrap());
        let fetch = Fetch { wants: &wants, have, depth: Some(1), filter: Some(Filter::Blobs) };
        let (want, shallow, have) = (format!("want {ID}"), format!("shallow {ID}"), format!("have {ID}"));
        let v2 = text(&fetch.request(&Ways::OPTIMISTIC));
        let middle = [&*want, &want, &shallow, "deepen 1", "filter blob:none"];
        assert_eq!(v2[3..], [&["--", "no-progress", "ofs-delta"][..], &middle, &[&have, "done", "--"]].concat());
        let first = format!("{want} multi_ack_detailed side-band-64k no-progress ofs-delta filter {AGENT}");
        let old = text(&fetch.request(&v0()));
        assert_eq!(old, [&[&*first][..], &middle[1..], &["--", &have, "done"]].concat());
        let nothing = Ways { filter: false, shallow: false, side_band: false, ofs_delta: false, ..v0() };
        let poor = Ways { acknowledgments: Acknowledgments::Many, ..nothing };
        assert_eq!(text(&fetch.request(&poor)), [&format!("{want} multi_ack {AGENT}"), &want, "--", "done"]);
    }

    #[test]
    fn the_pack_is_found_behind_all_that_may_come_first() {
        let band = "0009\u{1}PACK0000";
        let ack = format!("0031ACK {ID}\n");
        let shallow = format!("0034shallow {ID}");
        let sections = format!("0014acknowledgments\n0008NAK\n00010010shallow-info{shallow}0001");
        let cases = [
            (Ways::OPTIMISTIC, true, format!("{sections}000dpackfile\n{band}")),
            (Ways::OPTIMISTIC, false, format!("000dpackfile\n{band}")),
            (v0(), true, format!("{shallow}00000008NAK\n{band}")),
            (v0(), false, format!("0038ACK {ID} common\n{ack}{band}")),
        ];
        for (ways, deepened, whole) in &cases {
            assert_eq!(answer(whole.as_bytes(), ways, *deepened).as_deref(), Ok(&b"PACK"[..]), "{whole}");
            for end in 0..whole.len() {
                assert_eq!(answer(&whole.as_bytes()[..end], ways, *deepened), Err(WireError::Truncated), "{end}");
            }
        }
        let bare = Ways { side_band: false, ..v0() };
        assert_eq!(answer(b"0008NAK\nPACKxyz", &bare, true), Err(MALFORMED));
        assert_eq!(answer(b"0008NAK\nPACKxyz", &bare, false).as_deref(), Ok(&b"PACKxyz"[..]));
        let said = crate::Said::new("upload-pack: not our ref");
        let refused = Err(WireError::Refused { said });
        for ways in [Ways::OPTIMISTIC, v0()] {
            assert_eq!(answer(b"0020ERR upload-pack: not our ref", &ways, false), refused);
        }
        assert_eq!(answer(b"0000", &Ways::OPTIMISTIC, false), Err(MALFORMED));
    }
}
