use std::collections::BTreeMap;

use super::{WireError, pkt_line::Lines, side_band::bands};

const MALFORMED: WireError = WireError::Malformed { expected: "a report of what became of the push" };

/// The most refs that a report is read to speak of: no push of ours has more than two.
const MOST_REFS: usize = 16;

/// What a server says became of a push. It is a hint until the refs are read again, unless all of it is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    /// Whether the pack was taken.
    unpacked: bool,
    /// What became of each ref: the reason where it was refused.
    refs: BTreeMap<String, Verdict>,
    /// All its words, for people.
    pub(crate) words: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Taken,
    Refused(String),
    /// Taken as something else than what was sent: a hook of the server made another ref or commit of it.
    Changed,
}

impl Report {
    /// Whether the server did to this ref what it was told, and to all others too.
    pub(crate) fn is_taken(&self, name: &str) -> bool {
        self.unpacked && self.refs.get(name) == Some(&Verdict::Taken)
    }

    /// Why the server refused a ref.
    pub(crate) fn reason(&self, name: &str) -> &str {
        match self.refs.get(name) {
            Some(Verdict::Refused(reason)) => reason,
            Some(Verdict::Taken | Verdict::Changed) | None => "",
        }
    }
}

/// Reads a report (gitprotocol-pack(5), "Report Status"), in bands or not. One that is not whole is no report.
pub(crate) fn answer(answer: &[u8]) -> Result<Report, WireError> {
    let mut first = Lines::new(answer).next()?.as_slice().unwrap_or_default().iter();
    if !matches!(first.next(), Some(1..=3)) {
        return report(answer, &[]);
    }
    let bands = bands(&mut Lines::new(answer))?;
    report(&bands.data, &bands.words)
}

fn report(report: &[u8], progress: &[u8]) -> Result<Report, WireError> {
    let mut lines = Lines::new(report);
    let mut words = String::new();
    let unpacked = lines.text()?.and_then(|line| line.strip_prefix(b"unpack ")).ok_or(MALFORMED)?;
    if unpacked != b"ok" {
        words = format!("{} ", String::from_utf8_lossy(unpacked));
    }
    let mut refs = BTreeMap::new();
    let mut last = None;
    while let Some(line) = lines.text()? {
        let line = String::from_utf8_lossy(line);
        let (kind, rest) = line.split_once(' ').ok_or(MALFORMED)?;
        let (name, verdict) = match kind {
            "ok" => (rest.to_owned(), Verdict::Taken),
            "ng" => {
                let (name, reason) = rest.split_once(' ').unwrap_or((rest, ""));
                words.push_str(reason);
                words.push(' ');
                (name.to_owned(), Verdict::Refused(reason.to_owned()))
            }
            // What follows a ref in the second version of the report.
            "option" => match last.take() {
                Some(name) if rest.starts_with("refname ") || rest.starts_with("new-oid ") => (name, Verdict::Changed),
                name => {
                    last = name;
                    continue;
                }
            },
            _ => return Err(MALFORMED),
        };
        last = Some(name.clone());
        refs.insert(name, verdict);
        if refs.len() > MOST_REFS {
            return Err(MALFORMED);
        }
    }
    words.push_str(&String::from_utf8_lossy(progress));
    Ok(Report { unpacked: unpacked == b"ok", refs, words })
}

#[cfg(test)]
mod tests {
    use super::{super::pkt_line::Writer, *};

    const MAIN: &str = "refs/heads/main";

    fn lines(lines: &[&str]) -> Vec<u8> {
        let mut writer = Writer::default();
        for line in lines {
            writer.line(line);
        }
        writer.flush().take()
    }

    /// In bands, cut into pieces of two lengths, with words between them.
    fn banded(report: &[u8]) -> Vec<u8> {
        let mut whole = Vec::new();
        for piece in report.chunks(7) {
            whole.extend(b"000a\x02hook!");
            whole.extend(format!("{:04x}\u{1}", piece.len() + 5).into_bytes());
            whole.extend(piece);
        }
        [&*whole, b"0000"].concat()
    }

    #[test]
    fn a_report_is_read_in_bands_and_without() {
        let good = lines(&["unpack ok\n", "ok refs/heads/main\n", "option old-oid 1\n", "ok refs/x"]);
        for whole in [good.clone(), banded(&good)] {
            let report = answer(&whole).unwrap();
            assert!(report.is_taken(MAIN) && report.is_taken("refs/x") && !report.is_taken("refs/y"));
            for end in 0..whole.len() {
                assert_eq!(answer(&whole[..end]), Err(WireError::Truncated), "{end}");
            }
        }
        // The bands end, but what was in them does not.
        assert_eq!(answer(&banded(&good[..good.len() - 4])), Err(WireError::Truncated));
        assert!(answer(&banded(&good)).unwrap().words.starts_with("hook!"));
    }

    #[test]
    fn only_what_is_wholly_good_is_taken() {
        let odd = [
            &["unpack ok", "ng refs/heads/main failed to update ref"][..],
            &["unpack index-pack abnormal exit", "ok refs/heads/main"],
            &["unpack ok", "ok refs/heads/main", "option refname refs/changes/1"],
            &["unpack ok", "ok refs/heads/main", "option old-oid 1", "option new-oid 2"],
            &["unpack ok", "ok refs/heads/main", "ng refs/heads/main"],
            &["unpack ok"],
        ];
        for lines_of in odd {
            let report = answer(&lines(lines_of)).unwrap();
            assert!(!report.is_taken(MAIN), "{lines_of:?}");
        }
        let refused = answer(&lines(odd[0])).unwrap();
        assert_eq!((refused.reason(MAIN), &*refused.words), ("failed to update ref", "failed to update ref "));
        for none in [&[][..], &["ok refs/heads/main"], &["unpack ok", "maybe refs/heads/main"], &["unpack ok", "ok"]] {
            assert_eq!(answer(&lines(none)), Err(MALFORMED), "{none:?}");
        }
        assert!(answer(b"<html>sign in</html>").is_err());
    }
}
