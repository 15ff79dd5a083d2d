use gix::protocol::transport::client::Capabilities;

use super::{Refs, WireError, ls_refs::insert, pkt_line::Lines};

const MALFORMED: WireError = WireError::Malformed { expected: "what a Git server says of itself" };

/// How a server is spoken to when something is fetched from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ways {
    /// Protocol v2; else v0 or v1, whose requests are the same.
    pub(crate) v2: bool,
    /// It leaves out of a pack what a filter says.
    pub(crate) filter: bool,
    /// It cuts history off.
    pub(crate) shallow: bool,
    /// It hands out any object by its id.
    pub(crate) by_id: bool,
    /// It says which of our commits it knows, in one of v0's ways.
    pub(crate) acknowledgments: Acknowledgments,
    /// It wraps a pack in bands.
    pub(crate) side_band: bool,
    /// It may name a delta's base by its place in the pack.
    pub(crate) ofs_delta: bool,
}

/// The ways of protocol v0 to acknowledge commits. Azure DevOps answers nobody who has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acknowledgments {
    One,
    Many,
    Detailed,
}

impl Ways {
    /// What stock Git offers where its configuration allows filters (git-config(1), `uploadpack.allowFilter`).
    pub(crate) const OPTIMISTIC: Self = Self {
        v2: true,
        filter: true,
        shallow: true,
        by_id: true,
        acknowledgments: Acknowledgments::Detailed,
        side_band: true,
        ofs_delta: true,
    };

    fn of_v2(capabilities: &Capabilities) -> Result<Self, WireError> {
        let format = capabilities.capability("object-format");
        if format.is_some_and(|format| format.value() != Some("sha1".into())) {
            return Err(WireError::Malformed { expected: "that of a repository with SHA-1 ids" });
        }
        let fetch = capabilities.capability("fetch").ok_or(MALFORMED)?;
        let offers = |feature: &str| fetch.supports(feature).unwrap_or_default();
        // gitprotocol-v2(5): wants are not limited to what is advertised.
        Ok(Self { filter: offers("filter"), shallow: offers("shallow"), ..Self::OPTIMISTIC })
    }

    fn of_v0(capabilities: &Capabilities) -> Self {
        let has = |name| capabilities.contains(name);
        Self {
            v2: false,
            filter: has("filter"),
            shallow: has("shallow"),
            // git-config(1), `uploadpack.allowAnySHA1InWant`: one of the two alone is about commits.
            by_id: has("allow-tip-sha1-in-want") && has("allow-reachable-sha1-in-want"),
            acknowledgments: match (has("multi_ack_detailed"), has("multi_ack")) {
                (true, _) => Acknowledgments::Detailed,
                (false, true) => Acknowledgments::Many,
                (false, false) => Acknowledgments::One,
            },
            side_band: has("side-band-64k"),
            ofs_delta: has("ofs-delta"),
        }
    }
}

/// Reads the answer to `info/refs?service=git-upload-pack`: the ways of the server and, but in protocol v2, its refs.
pub(crate) fn answer(answer: &[u8]) -> Result<(Ways, Option<Refs>), WireError> {
    let mut lines = Lines::new(answer);
    let mut first = lines.text()?;
    if first == Some(b"# service=git-upload-pack") {
        // The flush after the service's name, which not every server sends.
        first = lines.text()?;
        if first.is_none() {
            first = lines.text()?;
        }
    }
    if first == Some(b"version 1") {
        first = lines.text()?;
    }
    let Some(first) = first else { return Err(MALFORMED) };
    if first == b"version 2" {
        let mut text = b"version 2\n".to_vec();
        while let Some(capability) = lines.text()? {
            text.extend(capability);
            text.push(b'\n');
        }
        let capabilities = Capabilities::from_lines(text.into()).map_err(|_| MALFORMED)?;
        return Ok((Ways::of_v2(&capabilities)?, None));
    }
    let (capabilities, end) = Capabilities::from_bytes(first).map_err(|_| MALFORMED)?;
    let mut refs = Refs::new();
    let mut line = first.get(..end);
    while let Some(text) = line {
        // A shallow repository lists where its own history is cut off after its refs.
        if !text.starts_with(b"shallow ") {
            insert(&mut refs, text)?;
        }
        line = lines.text()?;
    }
    Ok((Ways::of_v0(&capabilities), Some(refs)))
}

#[cfg(test)]
mod tests {
    use super::{super::pkt_line::Writer, *};

    const ID: &str = "1a6ffd3c1abfc78f8dcd8c03b9885af0c7f87767";

    fn lines(lines: &[&str]) -> Vec<u8> {
        let mut writer = Writer::default();
        for line in lines {
            if line.is_empty() {
                writer.flush()
            } else {
                writer.line(line)
            };
        }
        writer.flush().take()
    }

    #[test]
    fn the_first_protocols_say_refs_and_capabilities() {
        let first = format!("{ID} HEAD\0multi_ack thin-pack shallow filter allow-tip-sha1-in-want agent=x\n");
        let main = format!("{ID} refs/heads/main\n");
        let service = "# service=git-upload-pack\n";
        for start in [&[service, ""][..], &[service], &[], &[service, "", "version 1\n"]] {
            let whole = lines(&[start, &[&first, &main, &format!("shallow {ID}")]].concat());
            let (ways, refs) = answer(&whole).unwrap();
            assert_eq!(refs.unwrap().keys().collect::<Vec<_>>(), ["HEAD", "refs/heads/main"]);
            assert!(!ways.v2 && ways.filter && ways.shallow && !ways.by_id && !ways.side_band);
            assert_eq!(ways.acknowledgments, Acknowledgments::Many);
        }
        let none = format!("{} capabilities^{{}}\0shallow\n", "0".repeat(40));
        let (_, refs) = answer(&lines(&[&none])).unwrap();
        assert_eq!(refs.unwrap().len(), 0);
    }

    #[test]
    fn the_second_protocol_says_what_a_fetch_may_ask() {
        let start = ["# service=git-upload-pack\n", "", "version 2\n", "agent=git/2\n", "ls-refs=unborn\n"];
        let of = |fetch: &str| answer(&lines(&[&start[..], &[fetch]].concat()));
        let (ways, refs) = of("fetch=shallow wait-for-done filter\n").unwrap();
        assert_eq!((ways, refs), (Ways::OPTIMISTIC, None));
        assert!(!of("fetch=shallow").unwrap().0.filter);
        assert!(!of("fetch").unwrap().0.shallow);
        assert_eq!(of("server-option\n"), Err(MALFORMED));
        let other = answer(&lines(&["version 2", "fetch", "object-format=sha256"]));
        assert!(matches!(other, Err(WireError::Malformed { .. })), "{other:?}");
    }

    #[test]
    fn what_is_no_advertisement_is_an_error() {
        assert_eq!(answer(b""), Err(WireError::Truncated));
        assert_eq!(answer(b"0000"), Err(MALFORMED));
        assert!(matches!(answer(b"<html>"), Err(WireError::Malformed { .. })));
        let said = crate::Said::new("no such repository");
        assert_eq!(answer(&lines(&["ERR no such\nrepository"])), Err(WireError::Refused { said }));
        assert_eq!(answer(&lines(&[&format!("{ID} HEAD")])), Err(MALFORMED));
        let sha256 = format!("{} HEAD\0object-format=sha256", "a".repeat(64));
        assert!(matches!(answer(&lines(&[&sha256])), Err(WireError::Malformed { .. })));
        let whole = lines(&[&format!("{ID} HEAD\0shallow"), &format!("{ID} refs/heads/main")]);
        for end in 0..whole.len() {
            assert_eq!(answer(&whole[..end]), Err(WireError::Truncated), "{end}");
        }
    }
}
