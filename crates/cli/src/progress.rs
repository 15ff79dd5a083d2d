use std::{
    io::{self, Write},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use conveyor::{
    Error,
    registry_copy::{CopyError, Observer},
    release::Digest,
};

use crate::{flags::Common, untrusted::untrusted};

/// Between two lines about one copy.
const PAUSE: Duration = Duration::from_secs(30);

/// Tells on stderr how a copy goes on: a line when it begins, one every 30 seconds, and with `--verbose` one a blob.
#[derive(Debug)]
pub(crate) struct Progress {
    quiet: bool,
    verbose: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    bytes: u64,
    moved: u64,
    told: Instant,
    /// When a failure was last told.
    failed: Option<Instant>,
}

impl Progress {
    pub(crate) fn new(flags: &Common) -> Self {
        let state = Mutex::new(State { bytes: 0, moved: 0, told: Instant::now(), failed: None });
        Self { quiet: flags.quiet, verbose: flags.verbose, state }
    }

    fn say(&self, line: &str) {
        if !self.quiet {
            let _closed = writeln!(io::stderr(), "{}", untrusted(line));
        }
    }

    fn with(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Observer for Progress {
    fn planned(&self, blobs: u64, bytes: u64) {
        self.with(|state| *state = State { bytes, moved: 0, told: Instant::now(), ..*state });
        if blobs > 0 {
            self.say(&format!("copying {blobs} blobs, {}", mebibytes(bytes)));
        }
    }

    fn moved(&self, _: &Digest, bytes: u64) {
        let mut line = None;
        self.with(|state| {
            state.moved += bytes;
            if state.told.elapsed() >= PAUSE {
                state.told = Instant::now();
                line = Some(format!("copied {} of {}", mebibytes(state.moved), mebibytes(state.bytes)));
            }
        });
        if let Some(line) = line {
            self.say(&line);
        }
    }

    fn restarted(&self, blob: &Digest, because: &CopyError) {
        self.say(&format!("again from its start: {blob}: {}", conveyor::chain(because)));
    }

    fn stored(&self, blob: &Digest) {
        if self.verbose {
            self.say(&format!("stored {blob}"));
        }
    }
}

impl conveyor::Observer for Progress {
    /// The first failure is told at once, so that nobody waits for what a look would mend.
    fn again(&self, because: &Error, _: Duration) {
        let mut tell = false;
        self.with(|state| {
            tell = self.verbose || state.failed.is_none_or(|told| told.elapsed() >= PAUSE);
            if tell {
                state.failed = Some(Instant::now());
            }
        });
        if tell {
            self.say(&format!("trying again: {}", conveyor::chain(because)));
        }
    }
}

fn mebibytes(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    format!("{}.{} MiB", bytes / MIB, bytes % MIB * 10 / MIB)
}
