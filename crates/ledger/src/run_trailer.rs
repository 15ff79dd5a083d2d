use release::RunId;

const KEY: &str = "Conveyor-Run: ";

/// `message` with the run as its only trailer: what a message claims elsewhere does not count. Control characters,
/// which Git or a terminal would choke on, become spaces.
pub(crate) fn signed(message: &str, run: RunId) -> String {
    let message = message.trim_end().replace(|c: char| c.is_control() && c != '\n', " ");
    format!("{message}\n\n{KEY}{run}\n")
}

/// The run in a commit message's last paragraph, where exactly one is there.
pub(crate) fn run_of(message: &str) -> Option<RunId> {
    let last = message.trim_end().rsplit("\n\n").next()?;
    let mut runs = last.lines().filter_map(|line| line.strip_prefix(KEY));
    let run = runs.next()?.parse().ok()?;
    runs.next().is_none().then_some(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_single_run_in_the_last_paragraph_counts() {
        let (ours, other) = (RunId::new(1, 1), RunId::new(2, 2));
        assert_eq!(run_of(&signed("Bring 48213 to dev\n", ours)), Some(ours));
        assert_eq!(run_of(&signed(&signed("a title", other), ours)), Some(ours));
        assert_eq!(run_of(&format!("title\n\nSigned-off-by: A\n{KEY}{ours}")), Some(ours));
        assert_eq!(run_of(&format!("title\n\n{KEY}{ours}\n{KEY}{other}\n")), None);
        assert_eq!(run_of(&format!("title\n\n{KEY}{ours}\n\nmore")), None);
        assert_eq!(run_of("title"), None);
    }
}
