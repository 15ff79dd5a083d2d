use std::time::Duration;

use tokio::time::Instant;

/// How fast things go, as far as one writer has seen.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// How long an attempt of its own takes.
    attempt: Duration,
    /// How long the queue takes for one turn.
    turn: Duration,
    /// When it last looked, and how many were ahead.
    last: Option<(Instant, usize)>,
}

impl Pace {
    /// How many requests an attempt is about.
    const REQUESTS: u32 = 4;

    /// A look took so long, and so many were ahead.
    pub(super) fn looked(&mut self, took: Duration, ahead: usize) {
        let guess = took.saturating_mul(Self::REQUESTS);
        if self.attempt.is_zero() {
            self.attempt = guess;
        }
        let now = Instant::now();
        let (then, were) = *self.last.get_or_insert((now, ahead));
        if ahead < were {
            self.turn = (self.turn + (now - then).div_f64((were - ahead) as f64)) / 2;
            self.last = Some((now, ahead));
        } else {
            // The turn that is under way takes at least as long as it has so far.
            self.turn = self.turn.max(guess.min(self.attempt)).max(now - then);
        }
        // A queue that is slower than this is held up by somebody who is gone, which is no measure of those that follow.
        self.turn = self.turn.min(self.attempt * 2);
    }

    /// An attempt took so long, and others were faster.
    pub(super) fn lost(&mut self, took: Duration) {
        (self.attempt, self.turn, self.last) = (took, Duration::ZERO, None);
    }

    pub(super) fn attempt(&self) -> Duration {
        self.attempt
    }

    /// When to look again with so many ahead: a little before the turn should come, since looking late holds up all who
    /// wait behind.
    pub(super) fn wait(&self, ahead: usize) -> Duration {
        const SHORTEST: Duration = Duration::from_millis(10);
        const LONGEST: Duration = Duration::from_secs(10);
        let until_first = self.turn.mul_f64(ahead as f64 - 0.5);
        until_first.mul_f64(0.5 + fastrand::f64() / 2.0).clamp(SHORTEST, LONGEST)
    }

    /// How long the first of the queue may leave the branch as it is before it is passed over.
    pub(super) fn patience(&self) -> Duration {
        const SHORTEST: Duration = Duration::from_secs(1);
        const LONGEST: Duration = Duration::from_secs(10);
        self.attempt.saturating_mul(4).clamp(SHORTEST, LONGEST)
    }
}
