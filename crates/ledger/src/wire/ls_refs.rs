use release::CommitId;

use super::{
    AGENT, Refs, WireError,
    pkt_line::{Lines, Writer},
};

const MALFORMED: WireError = WireError::Malformed { expected: "a list of refs with SHA-1 ids" };

/// A request for the refs whose names begin with one of these. The server may answer with others too.
pub(crate) fn request(prefixes: &[&str]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.line("command=ls-refs\n").line(&format!("{AGENT}\n")).line("object-format=sha1\n").delimiter();
    for prefix in prefixes {
        writer.line(&format!("ref-prefix {prefix}\n"));
    }
    writer.flush().take()
}

/// Reads the answer to [`request`].
pub(crate) fn answer(answer: &[u8]) -> Result<Refs, WireError> {
    let mut lines = Lines::new(answer);
    let mut refs = Refs::new();
    while let Some(line) = lines.text()? {
        // Attributes follow the name, which has no spaces (git-check-ref-format(1)).
        let end = line.iter().enumerate().filter(|(_, byte)| **byte == b' ').map(|(at, _)| at).nth(1);
        if !line.starts_with(b"unborn ") {
            insert(&mut refs, line.get(..end.unwrap_or(line.len())).unwrap_or(line))?;
        }
    }
    Ok(refs)
}

/// Adds what a line `ID NAME` says.
pub(super) fn insert(refs: &mut Refs, line: &[u8]) -> Result<(), WireError> {
    let (id, name) = line.split_at_checked(40).ok_or(MALFORMED)?;
    let name = name.strip_prefix(b" ").ok_or(MALFORMED)?;
    let id: CommitId = str::from_utf8(id).ok().and_then(|id| id.parse().ok()).ok_or(MALFORMED)?;
    // How a repository without refs says its capabilities.
    if let (Ok(name), true) = (str::from_utf8(name), name != b"capabilities^{}") {
        refs.insert(name.to_owned(), id);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1a6ffd3c1abfc78f8dcd8c03b9885af0c7f87767";

    #[test]
    fn refs_are_read_with_whatever_stands_behind_them() {
        assert_eq!(
            String::from_utf8(request(&["refs/heads/main"])).unwrap().split_once("0001").unwrap().1,
            "001fref-prefix refs/heads/main\n0000"
        );
        let mut writer = Writer::default();
        writer.line(&format!("{ID} HEAD symref-target:refs/heads/main\n")).line("unborn refs/heads/x");
        let answered = writer.line(&format!("{ID} refs/heads/main")).flush().take();
        let refs = answer(&answered).unwrap();
        assert_eq!(refs.into_keys().collect::<Vec<_>>(), ["HEAD", "refs/heads/main"]);
        for end in 0..answered.len() {
            assert_eq!(answer(&answered[..end]), Err(WireError::Truncated), "{end}");
        }
        for odd in [ID, &format!("{ID}\t"), &ID.to_uppercase(), &format!("{}0 x", ID.replace('1', "g"))] {
            assert_eq!(answer(&Writer::default().line(odd).flush().take()), Err(MALFORMED), "{odd}");
        }
    }
}
