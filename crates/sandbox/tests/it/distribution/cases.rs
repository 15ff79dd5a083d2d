use std::collections::BTreeMap;

use super::client::Verdict;

/// What became of the cases, by their paths: `group/shape/…: what is asked`.
#[derive(Default)]
pub(super) struct Cases {
    place: String,
    verdicts: BTreeMap<String, Verdict>,
}

impl Cases {
    pub(super) fn begin(&mut self, place: String) {
        self.place = place;
    }

    pub(super) fn check(&mut self, name: &str, verdict: Verdict) {
        let path = format!("{}: {name}", self.place);
        let twice = self.verdicts.insert(path, verdict).is_some();
        assert!(!twice, "two cases are called {}: {name}", self.place);
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.verdicts.keys().map(String::as_str)
    }

    /// A line for each case that is not as the specification wants it.
    pub(super) fn differences(&self) -> Vec<String> {
        let broken = self.verdicts.iter().filter_map(|(path, verdict)| Some((path, verdict.as_ref().err()?)));
        broken.map(|(path, what)| format!("{path} | {what}")).collect()
    }
}
