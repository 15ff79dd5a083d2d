use std::collections::BTreeMap;

use release::{ActorId, Artifact, BuildId, Digest, RunId};

use crate::{Act, ActKind, ActResult, Close, Entry, FILE_ENTRIES, Predicate, ResultOutcome};

/// What a record file comes to: what is true of one app in one environment by its entries alone.
///
/// It knows neither the manifest nor the file's history: what is out of band, and what is overdue, is for who does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Newest first.
    acts: Vec<Act>,
    /// The newest result of each act, by its run.
    results: BTreeMap<RunId, ActResult>,
    closes: Vec<Close>,
    full: bool,
}

/// What to go back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Previous<'a> {
    /// The act that brought it.
    pub act: &'a Act,
    /// Whether somebody saw it healthy; else it was only ever put there.
    pub seen_healthy: bool,
}

/// One build stands in a record with two digests: somebody moved a tag or wrote the record by hand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("build {build} is on record with two digests, {} and {}", digests[0], digests[1])]
pub struct DigestConflict {
    /// The build.
    pub build: BuildId,
    /// The newer digest, and an older one that differs.
    pub digests: [Digest; 2],
}

/// Folds the entries of one file, newest first.
#[must_use]
pub fn fold(entries: &[Entry]) -> State {
    let mut state =
        State { acts: Vec::new(), results: BTreeMap::new(), closes: Vec::new(), full: entries.len() >= FILE_ENTRIES };
    for entry in entries {
        match entry.predicate() {
            Predicate::Act(act) => state.acts.push(Act::clone(act)),
            Predicate::Result(result) => {
                state.results.entry(result.of).or_insert_with(|| result.clone());
            }
            Predicate::Close(close) => state.closes.push(close.clone()),
        }
    }
    state
}

impl State {
    /// The newest act. For an app on hosts it is what the environment asks for.
    #[must_use]
    pub fn newest_act(&self) -> Option<&Act> {
        self.acts.first()
    }

    /// The digest that the build has by its acts here; none where it was never here.
    ///
    /// # Errors
    /// [`DigestConflict`] where it has two.
    pub fn digest_of(&self, build: BuildId) -> Result<Option<Digest>, DigestConflict> {
        let mut digests = self.acts_of(build).map(digest);
        let Some(newest) = digests.next() else { return Ok(None) };
        match digests.find(|digest| *digest != newest) {
            Some(other) => Err(DigestConflict { build, digests: [newest, other] }),
            None => Ok(Some(newest)),
        }
    }

    /// Whether the build was promoted here before, with this digest.
    #[must_use]
    pub fn was_promoted(&self, artifact: &Artifact) -> bool {
        self.acts.iter().any(|act| act.subject.artifact == *artifact)
    }

    /// The digest with which the next environment may take the build: it was promoted here and is not in quarantine.
    /// An app on hosts must have been [seen healthy](Self::had_it_healthy) too.
    ///
    /// # Errors
    /// [`DigestConflict`] where it has two.
    pub fn had_it(&self, build: BuildId) -> Result<Option<Digest>, DigestConflict> {
        Ok(self.digest_of(build)?.filter(|_| !self.is_quarantined(build)))
    }

    /// As [`had_it`](Self::had_it), where the build's newest act was seen healthy.
    ///
    /// # Errors
    /// [`DigestConflict`] where it has two.
    pub fn had_it_healthy(&self, build: BuildId) -> Result<Option<Digest>, DigestConflict> {
        let healthy = self.acts_of(build).next().is_some_and(|act| self.is_healthy(act));
        Ok(self.had_it(build)?.filter(|_| healthy))
    }

    /// Whether the environment went from the build back to a lower one, and no promotion has lifted that since.
    #[must_use]
    pub fn is_quarantined(&self, build: BuildId) -> bool {
        let spoken = self.acts.iter().find_map(|act| match &act.kind {
            ActKind::Promote { lifts: Some(_) } if act.subject.artifact.build == build => Some(false),
            kind => (kind.replaces()?.build == build && act.subject.artifact.build < build).then_some(true),
        });
        spoken.unwrap_or(false)
    }

    /// The newest result of an act's run.
    #[must_use]
    pub fn result_of(&self, run: RunId) -> Option<&ActResult> {
        self.results.get(&run)
    }

    /// What a rollback goes back to: the newest act before the current one that is of another build, was seen healthy,
    /// and was not put aside by a later act; where there is none, the newest of which nobody saw what came.
    #[must_use]
    pub fn previous_good(&self) -> Option<Previous<'_>> {
        let (current, older) = self.acts.split_first()?;
        let standing = older.iter().enumerate().filter_map(|(index, act)| {
            let build = act.subject.artifact.build;
            let aside = |later: &Act| later.kind.replaces().is_some_and(|replaced| replaced.build == build);
            let stands = build != current.subject.artifact.build && !self.acts.iter().take(index + 1).any(aside);
            stands.then_some(act)
        });
        let good = standing.clone().find(|act| self.is_healthy(act));
        let placed = || standing.clone().find(|act| self.result_of(act.run).is_none());
        good.map(|act| Previous { act, seen_healthy: true })
            .or_else(|| placed().map(|act| Previous { act, seen_healthy: false }))
    }

    /// For an app on hosts: the newest act, while nobody has seen what came of it.
    #[must_use]
    pub fn in_progress(&self) -> Option<&Act> {
        self.newest_act().filter(|act| self.result_of(act.run).is_none())
    }

    /// The emergencies that nobody has closed who is proven by Azure DevOps and is not who called it; newest first.
    pub fn open_emergencies(&self) -> impl Iterator<Item = &Act> {
        self.acts.iter().filter(|act| {
            let closes = |close: &Close| {
                close.of == act.run && matches!(close.by.id, ActorId::AzureDevOps(_)) && close.by.id != act.requester.id
            };
            matches!(act.kind, ActKind::Emergency { .. }) && !self.closes.iter().any(closes)
        })
    }

    /// Whether the build is older than the whole file: the file is full, and each act in it is of a newer build. What
    /// was known of the build may have left the file, so it cannot be promoted.
    #[must_use]
    pub fn predates(&self, build: BuildId) -> bool {
        self.full && self.acts.iter().all(|act| build < act.subject.artifact.build)
    }

    fn acts_of(&self, build: BuildId) -> impl Iterator<Item = &Act> {
        self.acts.iter().filter(move |act| act.subject.artifact.build == build)
    }

    fn is_healthy(&self, act: &Act) -> bool {
        self.result_of(act.run).is_some_and(|result| result.outcome == ResultOutcome::Healthy)
    }
}

fn digest(act: &Act) -> Digest {
    act.subject.artifact.digest
}
