//! Tells on stderr how a copy goes on: with bars on a terminal, with a line now and then elsewhere, and with an Azure
//! DevOps agent's own commands where one listens.

mod bars;

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    io::{self, Write},
    mem::{Discriminant, discriminant},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use conveyor::{
    Error,
    guarded_http::{HttpError, StatusCode},
    registry_copy::{CopyError, Observer},
    release::Digest,
};
use tokio::time::Instant;

use self::bars::Bars;
use crate::{
    agent,
    flags::Common,
    human::{count, size},
    untrusted::untrusted,
};

/// Between two lines about one copy, or about one kind of failure.
const PAUSE: Duration = Duration::from_secs(30);

/// Between two looks at how far it is.
const BEAT: Duration = Duration::from_secs(1);

/// How a copy goes on, as people see it.
#[derive(Debug)]
pub(crate) struct Progress {
    quiet: bool,
    verbose: bool,
    on_an_agent: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    bars: Option<Bars>,
    copy: Option<Copying>,
    began: Instant,
    /// When it was last told how far it is.
    told: Instant,
    /// When a failure of each kind was last told.
    failed: HashMap<Failure, Instant>,
}

/// A kind of failure.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Failure {
    Request(Discriminant<HttpError>, Option<StatusCode>),
    Step(Discriminant<Error>),
}

/// All that is copied, in all of the copies.
#[derive(Debug, Default)]
struct Copying {
    /// What is to be moved where it is not there already.
    blobs: u64,
    bytes: u64,
    /// Blobs that are stored, or need not be moved.
    done: u64,
    moved: u64,
    /// Of the blobs that are under way, what has moved of each.
    running: BTreeMap<Digest, u64>,
    /// What the agent was last told.
    percent: Option<u64>,
}

impl Progress {
    /// `bars`: stderr is a terminal that can show them.
    pub(crate) fn new(flags: &Common, on_an_agent: bool, bars: bool) -> Self {
        let now = Instant::now();
        let bars = (bars && !flags.quiet && !on_an_agent).then(Bars::new);
        let state = Mutex::new(State { bars, copy: None, began: now, told: now, failed: HashMap::new() });
        Self { quiet: flags.quiet, verbose: flags.verbose, on_an_agent, state }
    }

    /// Goes on telling how far it is, also while nothing moves.
    pub(crate) async fn beat(&self) -> Infallible {
        loop {
            tokio::time::sleep(BEAT).await;
            let mut state = self.state();
            for line in self.due(&mut state) {
                state.write(&line);
            }
        }
    }

    /// What is to be told by now.
    fn due(&self, state: &mut State) -> Vec<String> {
        let mut lines = Vec::new();
        if self.quiet {
            return lines;
        }
        if let Some(bars) = &state.bars {
            bars.tick();
        } else if state.told.elapsed() >= PAUSE {
            state.told = Instant::now();
            lines.push(state.line());
        }
        if self.on_an_agent
            && let Some(percent) = state.copy.as_mut().and_then(Copying::new_percent)
        {
            lines.push(agent::command("task.setprogress", &[("value", &percent.to_string())], "copying"));
        }
        lines
    }

    /// A request is sent again, in `pause`.
    pub(crate) fn repeated(&self, because: &HttpError, _: Duration) {
        self.failed(Failure::of(because), because);
    }

    /// Nothing follows but the result.
    pub(crate) fn finish(&self) {
        let mut state = self.state();
        if let Some(bars) = &mut state.bars {
            bars.clear();
        }
        if state.copy.take().is_some() && self.on_an_agent && !self.quiet {
            state.write(agent::END_GROUP);
        }
    }

    fn failed(&self, failure: Failure, because: &dyn std::error::Error) {
        let mut state = self.state();
        if state.is_news(failure) || self.verbose {
            self.say(&state, &format!("trying again: {}", conveyor::chain(because)));
        }
    }

    fn say(&self, state: &State, line: &str) {
        if !self.quiet {
            state.say(line);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether a failure is to be told: the first of its kind at once, so that nobody waits for what a look would mend.
    fn is_news(&mut self, failure: Failure) -> bool {
        let is_news = self.failed.get(&failure).is_none_or(|told| told.elapsed() >= PAUSE);
        if is_news {
            self.failed.insert(failure, Instant::now());
        }
        is_news
    }

    /// Adds what is to be moved. What is told of it is told once: referrers follow their image.
    fn plan(&mut self, blobs: u64, bytes: u64) -> Option<String> {
        let Self { copy, bars, .. } = self;
        let begins = copy.is_none();
        let copy = copy.get_or_insert_default();
        copy.blobs += blobs;
        copy.bytes += bytes;
        if let Some(bars) = bars {
            bars.planned(copy.bytes);
        }
        begins.then(|| format!("copying up to {}, {}", count(blobs, "blob"), size(bytes)))
    }

    fn say(&self, line: &str) {
        self.write(&untrusted(line));
    }

    fn write(&self, line: &str) {
        let write = || drop(writeln!(io::stderr(), "{line}"));
        match &self.bars {
            Some(bars) => bars.aside(write),
            None => write(),
        }
    }

    fn line(&self) -> String {
        match &self.copy {
            Some(Copying { blobs, bytes, done, moved, .. }) => {
                format!("{done} of {blobs} blobs done, copied {} of {}", size(*moved), size(*bytes))
            }
            None => format!("at work for {} s", self.began.elapsed().as_secs()),
        }
    }
}

impl Failure {
    fn of(error: &HttpError) -> Self {
        match error {
            HttpError::Redirected { source, .. } => Self::of(source),
            error => Self::Request(discriminant(error), error.status()),
        }
    }
}

impl Copying {
    /// How far it is in percent, where that has not been told. What is there already has no bytes that move.
    fn new_percent(&mut self) -> Option<u64> {
        let percent = |part: u64, whole: u64| part.saturating_mul(100).checked_div(whole).unwrap_or(100).min(100);
        let percent = percent(self.moved, self.bytes).max(percent(self.done, self.blobs));
        (self.percent.replace(percent) != Some(percent)).then_some(percent)
    }
}

impl Observer for Progress {
    fn planned(&self, blobs: u64, bytes: u64) {
        if blobs == 0 {
            return;
        }
        let mut state = self.state();
        let Some(line) = state.plan(blobs, bytes) else { return };
        if self.on_an_agent && !self.quiet {
            state.write(&agent::group(&line));
        } else if state.bars.is_none() {
            self.say(&state, &line);
        }
    }

    fn moved(&self, blob: &Digest, bytes: u64) {
        let State { copy: Some(copy), bars, .. } = &mut *self.state() else { return };
        copy.moved += bytes;
        let moved = copy.running.entry(*blob).or_default();
        *moved += bytes;
        if let Some(bars) = bars {
            bars.moved(blob, *moved, copy.moved);
        }
    }

    fn restarted(&self, blob: &Digest, because: &CopyError) {
        let mut state = self.state();
        let State { copy, bars, .. } = &mut *state;
        if let Some(copy) = copy {
            copy.moved -= copy.running.remove(blob).unwrap_or_default();
            if let Some(bars) = bars {
                bars.ended(blob);
            }
        }
        self.say(&state, &format!("again from its start: {blob}: {}", conveyor::chain(because)));
    }

    fn stored(&self, blob: &Digest) {
        let mut state = self.state();
        let State { copy, bars, .. } = &mut *state;
        if let Some(copy) = copy {
            copy.done += 1;
            copy.running.remove(blob);
            if let Some(bars) = bars {
                bars.ended(blob);
                bars.done(copy.done, copy.blobs);
            }
        }
        if self.verbose {
            state.say(&format!("stored {blob}"));
        }
    }
}

impl conveyor::Observer for Progress {
    fn again(&self, because: &Error, _: Duration) {
        self.failed(Failure::Step(discriminant(because)), because);
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use conveyor::guarded_http::{Call, Method, Origin};

    use super::*;

    #[derive(clap::Parser)]
    struct Flags {
        #[command(flatten)]
        common: Common,
    }

    fn progress(flag: &str, on_an_agent: bool) -> Progress {
        let words = ["x", flag].into_iter().filter(|word| !word.is_empty());
        Progress::new(&Flags::parse_from(words).common, on_an_agent, false)
    }

    /// What is told in this many seconds from now on, one beat after the other.
    async fn told(progress: &Progress, seconds: u64) -> Vec<String> {
        let mut lines = Vec::new();
        for _ in 0..seconds {
            tokio::time::advance(BEAT).await;
            lines.extend(progress.due(&mut progress.state()));
        }
        lines
    }

    const MIB: u64 = 1 << 20;

    #[tokio::test(start_paused = true)]
    async fn a_line_comes_every_thirty_seconds_also_while_nothing_moves() {
        let progress = progress("", false);
        assert_eq!(told(&progress, 29).await, [] as [&str; 0]);
        assert_eq!(told(&progress, 31).await, ["at work for 30 s", "at work for 60 s"]);
        let (one, other) = (Digest::of(b"1"), Digest::of(b"2"));
        progress.planned(2, 3 * MIB);
        progress.moved(&one, MIB);
        progress.moved(&other, MIB / 2);
        progress.stored(&one);
        assert_eq!(told(&progress, 30).await, ["1 of 2 blobs done, copied 1.5 MiB of 3.0 MiB"]);
        progress.restarted(&other, &CopyError::Deadline);
        progress.planned(1, MIB);
        assert_eq!(told(&progress, 30).await, ["1 of 3 blobs done, copied 1.0 MiB of 4.0 MiB"]);
        assert_eq!(told(&progress, 60).await.len(), 2, "nothing moves");
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_is_told_the_percentage_when_it_changes() {
        let progress = progress("", true);
        let blob = Digest::of(b"1");
        let percent = |value: u64| format!("##vso[task.setprogress value={value};]copying");
        assert_eq!(told(&progress, 1).await, [] as [&str; 0]);
        progress.planned(2, 4 * MIB);
        assert_eq!(told(&progress, 2).await, [percent(0)]);
        for _ in 0..100 {
            progress.moved(&blob, MIB / 100);
        }
        assert_eq!(told(&progress, 2).await, [percent(24)]);
        progress.stored(&blob);
        assert_eq!(told(&progress, 2).await, [percent(50)], "one of the two is done");
        progress.stored(&Digest::of(b"2"));
        assert_eq!(told(&progress, 2).await, [percent(100)]);
    }

    #[test]
    fn what_is_to_be_moved_is_told_once() {
        let progress = progress("", false);
        assert_eq!(progress.state().plan(4, 1234).as_deref(), Some("copying up to 4 blobs, 1234 bytes"));
        assert_eq!(progress.state().plan(1, MIB), None);
        assert_eq!(progress.state().line(), "0 of 5 blobs done, copied 0 bytes of 1.0 MiB");
    }

    fn call() -> Call {
        Call::new(Method::GET, Origin::loopback(5000), "/v2/")
    }

    fn answered(status: u16) -> HttpError {
        let status = status.try_into().unwrap();
        HttpError::Status { call: call(), status, detail: String::new(), retry_after: None }
    }

    #[tokio::test(start_paused = true)]
    async fn each_kind_of_failure_is_told_at_once_and_then_now_and_then() {
        let progress = progress("", false);
        let stalled = HttpError::Stalled { call: call(), after: PAUSE };
        for (seconds, failure, expected) in [
            (0, &stalled, true),
            (0, &answered(429), true),
            (0, &answered(503), true),
            (29, &answered(429), false),
            (1, &answered(429), true),
            (0, &stalled, true),
            (0, &stalled, false),
        ] {
            tokio::time::advance(Duration::from_secs(seconds)).await;
            assert_eq!(progress.state().is_news(Failure::of(failure)), expected, "{failure}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn quiet_is_quiet() {
        let progress = progress("--quiet", true);
        progress.planned(2, 4 * MIB);
        assert_eq!(told(&progress, 100).await, [] as [&str; 0]);
    }
}
