//! Looks at registries and Ledger after every step and says what must never be so. It reads the bytes by itself and
//! shares no code with what it judges.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::FutureExt;
use ledger::{Meta, Remote};
use release::{CommitId, Digest, RunId};
use serde_json::Value;

use crate::world::{ENVIRONMENTS, Forge, main_branch, manifest_path, record_path, value_at, word};

/// An environment and an app.
pub(crate) type Place = (&'static str, &'static str);

/// The Ledger after one commit.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) value: BTreeMap<Place, String>,
    /// The newest act's build.
    pub(crate) newest: BTreeMap<Place, u64>,
    /// Every build that ever had an act.
    pub(crate) recorded: BTreeMap<Place, BTreeSet<u64>>,
    /// There are rules that nobody can evaluate.
    pub(crate) has_rules: bool,
}

impl State {
    /// The build in the manifest, if it is one; an empty value is older than all.
    pub(crate) fn build(&self, place: Place) -> Option<u64> {
        match &*self.value[&place] {
            "" => Some(0),
            value => value.parse().ok().filter(|_| !value.starts_with('0')),
        }
    }

    pub(crate) fn has(&self, place: Place, build: u64) -> bool {
        self.recorded.get(&place).is_some_and(|builds| builds.contains(&build))
    }

    /// The manifest asks for the build, and the newest act says so.
    pub(crate) fn is_settled(&self, place: Place, build: u64) -> bool {
        self.build(place) == Some(build) && self.newest.get(&place) == Some(&build)
    }
}

/// A rule in Rego, once somebody has written it.
pub(crate) const RULE: &str = "policy/friday.rego";

/// The environment that one promotes from.
pub(crate) fn before_it(environment: &str) -> Option<&'static str> {
    let place = ENVIRONMENTS.iter().position(|known| *known == environment).unwrap();
    place.checked_sub(1).map(|before| ENVIRONMENTS[before])
}

pub(crate) struct Judge<'f> {
    forge: &'f Forge,
    apps: &'static [&'static str],
    /// What was published, and the whole of it.
    images: BTreeMap<(&'static str, u64), (Digest, Vec<Digest>)>,
    /// What somebody other than who asked has approved for production.
    approved: BTreeSet<(&'static str, u64)>,
    /// After each commit, oldest first.
    pub(crate) states: Vec<State>,
    commits: Vec<CommitId>,
    runs: BTreeMap<RunId, CommitId>,
    tags: BTreeMap<Place, BTreeMap<String, Digest>>,
}

impl<'f> Judge<'f> {
    pub(crate) fn new(forge: &'f Forge, apps: &'static [&'static str]) -> Self {
        Self {
            forge,
            apps,
            images: BTreeMap::new(),
            approved: BTreeSet::new(),
            states: Vec::new(),
            commits: Vec::new(),
            runs: BTreeMap::new(),
            tags: BTreeMap::new(),
        }
    }

    /// From now on this image is what the build's tags may hold.
    pub(crate) fn published(&mut self, app: &'static str, build: u64, image: &crate::image::Image) {
        self.images.insert((app, build), (image.digest(), image.closure()));
    }

    pub(crate) fn approve(&mut self, app: &'static str, build: u64) {
        self.approved.insert((app, build));
    }

    pub(crate) fn is_approved(&self, app: &'static str, build: u64) -> bool {
        self.approved.contains(&(app, build))
    }

    pub(crate) fn now(&self) -> &State {
        self.states.last().unwrap()
    }

    pub(crate) fn commit_of(&self, run: RunId) -> Option<CommitId> {
        self.runs.get(&run).copied()
    }

    pub(crate) fn has_tag(&self, place: Place, build: u64) -> bool {
        self.tags.get(&place).is_some_and(|tags| tags.contains_key(&build.to_string()))
    }

    /// Judges whatever has happened since the last look.
    pub(crate) fn look(&mut self) {
        for environment in ENVIRONMENTS {
            for app in self.apps {
                self.look_at_tags((environment, app));
            }
        }
        let head = self.forge.ledger.head(&main_branch()).now_or_never().unwrap().unwrap();
        if self.commits.last() == Some(&head) {
            return;
        }
        let mut log = self.forge.ledger.log(&main_branch());
        log.reverse();
        let known: Vec<CommitId> = log.iter().take(self.commits.len()).map(|meta| meta.id).collect();
        assert_eq!(known, self.commits, "the branch lost a commit");
        for meta in &log[known.len()..] {
            assert_eq!(meta.parents.first(), self.commits.last(), "a commit is on another parent");
            self.judge_commit(meta);
            self.commits.push(meta.id);
        }
    }

    fn look_at_tags(&mut self, place: Place) {
        let (environment, app) = place;
        let repository = word(&format!("forge/{app}"));
        let registry = self.forge.registry(environment);
        let now: BTreeMap<String, Digest> =
            registry.tags(&repository).iter().map(|(tag, digest)| (tag.to_string(), *digest)).collect();
        let known = self.tags.entry(place).or_default();
        if *known == now {
            return;
        }
        for (tag, digest) in known.iter() {
            assert_eq!(now.get(tag), Some(digest), "the tag {tag} of {app} in {environment} moved");
        }
        let holds = registry.digests(&repository);
        for (tag, digest) in &now {
            let (image, closure) = &self.images[&(app, tag.parse().unwrap())];
            assert_eq!(digest, image, "the tag {tag} of {app} in {environment} holds other bytes");
            assert!(closure.iter().all(|part| holds.contains(part)), "{app} {tag} is not whole in {environment}");
        }
        *known = now;
    }

    fn judge_commit(&mut self, meta: &Meta) {
        let mut state = self.states.last().cloned().unwrap_or_default();
        state.has_rules |= meta.changed.contains(&word(RULE));
        let mut touched = BTreeSet::new();
        for place in ENVIRONMENTS.iter().flat_map(|environment| self.apps.iter().map(|app| (*environment, *app))) {
            let (manifest, record) = (manifest_path(place.0, place.1), record_path(place.0, place.1));
            let before = state.value.get(&place).cloned().unwrap_or_default();
            if meta.changed.contains(&manifest) {
                touched.insert(manifest.clone());
                state.value.insert(place, value_at(&self.forge.ledger, &meta.id, place.0, place.1));
            }
            if meta.changed.contains(&record) {
                touched.insert(record.clone());
            }
            let Some(run) = meta.run else { continue };
            let (edited, recorded) = (meta.changed.contains(&manifest), meta.changed.contains(&record));
            assert!(recorded || !edited, "{place:?} was changed without a record");
            if recorded {
                let build = self.judge_entry(meta, place, run);
                let news = edited || state.newest.get(&place) != Some(&build);
                assert!(news, "{place:?} says twice that {build} came");
                self.judge_act(&state, place, build);
                assert_eq!(state.value[&place], build.to_string(), "the record says other than the manifest");
                state.newest.insert(place, build);
                state.recorded.entry(place).or_default().insert(build);
            }
            if edited {
                let now = state.build(place);
                let was: Option<u64> = if before.is_empty() { Some(0) } else { before.parse().ok() };
                assert!(was.is_some() && was < now, "{place:?} went from {before:?} to {now:?} by itself");
            }
        }
        if let Some(run) = meta.run {
            assert_eq!(touched, meta.changed, "a run changed something else");
            assert_eq!(self.runs.insert(run, meta.id), None, "the run {run} has two commits");
            assert!(!touched.is_empty(), "a commit without a change");
        }
        self.states.push(state);
    }

    /// The one entry that a commit added to a record file; its build.
    fn judge_entry(&self, meta: &Meta, place: Place, run: RunId) -> u64 {
        let (environment, app) = place;
        let path = record_path(environment, app);
        let read = |at: &CommitId| -> Vec<Value> {
            let file = self.forge.ledger.file(at, &path);
            file.map(|bytes| serde_json::from_slice(&bytes).unwrap()).unwrap_or_default()
        };
        let (before, after) = (read(&meta.parents[0]), read(&meta.id));
        assert_eq!(after[1..], before[..before.len().min(31)], "older entries changed");
        let act = &after[0]["statement"]["predicate"];
        let build: u64 = act["build"].as_str().unwrap().parse().unwrap();
        assert_eq!(act["run"], run.to_string());
        assert_eq!((&act["app"], &act["environment"]), (&app.into(), &environment.into()));
        let decided: CommitId = act["decided"]["commit"].as_str().unwrap().parse().unwrap();
        assert!(self.commits.contains(&decided), "decided on a commit that is none of the branch's");
        let mut reads = vec![word("conveyor.yaml"), word(RULE), path.clone()];
        reads.extend(before_it(environment).map(|environment| record_path(environment, app)));
        for read in &reads {
            let [then, now] = [&decided, &meta.parents[0]].map(|at| self.forge.ledger.file(at, read));
            assert_eq!(then, now, "{read} was not what {app} {build} was decided on");
        }
        let sha256 = after[0]["statement"]["subject"][0]["digest"]["sha256"].as_str().unwrap();
        let held = self.forge.tag(environment, app, build);
        assert_eq!(held.map(|digest| digest.hex()).as_deref(), Some(sha256), "the registry does not hold it");
        build
    }

    fn judge_act(&self, before: &State, (environment, app): Place, build: u64) {
        assert!(!before.has_rules, "{app} {build} came to {environment} past the rules");
        if let Some(source) = before_it(environment) {
            assert!(before.has((source, app), build), "{app} {build} came to {environment} past {source}");
        }
        let approved = environment != "prod-wealth" || self.approved.contains(&(app, build));
        assert!(approved, "nobody approved {app} {build} for production");
    }
}
