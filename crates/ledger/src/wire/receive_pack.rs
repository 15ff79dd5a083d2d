use release::CommitId;

use super::{AGENT, pkt_line::Writer};

/// How Git writes that there is no object.
const NOTHING: &str = "0000000000000000000000000000000000000000";

/// One ref to be moved, made or removed, if it still is where it is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    /// Its full name.
    pub(crate) name: String,
    /// Where it is; `None` where it is not there.
    pub(crate) from: Option<CommitId>,
    /// Where it shall be; `None` to remove it.
    pub(crate) to: Option<CommitId>,
}

/// A push (gitprotocol-pack(5), "Pushing Data To a Server"). Where nothing is to be made, there is no pack.
///
/// A single command is not called atomic: what the server would say of a lost race then is less clear.
pub(crate) fn request(commands: &[Command], pack: &[u8]) -> Vec<u8> {
    let atomic = if commands.len() > 1 { " atomic" } else { "" };
    let mut capabilities =
        format!("\0 report-status report-status-v2 side-band-64k delete-refs{atomic} object-format=sha1 {AGENT}");
    let mut writer = Writer::default();
    for Command { name, from, to } in commands {
        let id = |id: &Option<CommitId>| id.map_or_else(|| NOTHING.to_owned(), |id| id.to_string());
        writer.line(&format!("{} {} {name}{}", id(from), id(to), std::mem::take(&mut capabilities)));
    }
    writer.flush();
    if commands.iter().any(|command| command.to.is_some()) {
        writer.raw(pack);
    }
    writer.take()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_several_commands_are_atomic_and_only_a_removal_has_no_pack() {
        let id: CommitId = "1a6ffd3c1abfc78f8dcd8c03b9885af0c7f87767".parse().unwrap();
        let of = |from, to| Command { name: "refs/heads/main".to_owned(), from, to };
        let text = |commands: &[Command]| String::from_utf8(request(commands, b"PACK")).unwrap();
        let moved = text(&[of(Some(id), Some(id))]);
        assert!(moved.contains(&format!("{id} {id} refs/heads/main\0 report-status ")), "{moved}");
        assert!(moved.ends_with("0000PACK") && !moved.contains("atomic"), "{moved}");
        let removed = text(&[of(Some(id), None)]);
        assert!(removed.contains(&format!("{id} {NOTHING} refs")) && removed.ends_with("0000"), "{removed}");
        assert!(text(&[of(Some(id), Some(id)), of(Some(id), None)]).contains(" atomic "));
    }
}
