use std::time::Duration;

use tokio::time::Instant;

/// How fast things go, as far as one writer has seen.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// How long an attempt of its own takes.
    attempt: Duration,
    /// How long a look takes.
    look: Duration,
    /// How long the queue takes for one turn; none as long as it has not moved.
    turn: Option<Duration>,
    /// When it was first seen, and when it last moved, and how many were ahead then.
    seen: Option<Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    first: Instant,
    moved: Instant,
    ahead: usize,
}

impl Pace {
    /// How many requests an attempt is about.
    const REQUESTS: u32 = 4;

    /// A look took so long, and so many were ahead.
    pub(super) fn looked(&mut self, took: Duration, ahead: usize) {
        self.look = took;
        if self.attempt.is_zero() {
            self.attempt = took * Self::REQUESTS;
        }
        let now = Instant::now();
        let seen = self.seen.get_or_insert(Seen { first: now, moved: now, ahead });
        if ahead < seen.ahead {
            let one = (now - seen.moved).div_f64((seen.ahead - ahead) as f64);
            self.turn = Some(self.turn.map_or(one, |turn| (turn + one) / 2));
        }
        if ahead != seen.ahead {
            (seen.moved, seen.ahead) = (now, ahead);
        }
    }

    /// An attempt took so long, and others were faster.
    pub(super) fn lost(&mut self, took: Duration) {
        (self.attempt, self.turn, self.seen) = (took, None, None);
    }

    pub(super) fn attempt(&self) -> Duration {
        self.attempt
    }

    /// When to look again with so many ahead: before the turn should come, since looking late holds up all who wait
    /// behind, and after no more time than the queue was watched for, since many who begin at once make a server slow
    /// for a moment that says little of later.
    pub(super) fn wait(&self, ahead: usize) -> Duration {
        const SHORTEST: Duration = Duration::from_millis(10);
        const LONGEST: Duration = Duration::from_secs(10);
        // A queue that is slower than this is held up by somebody who is gone, which is no measure of those that follow.
        let turn = self.turn.unwrap_or(self.look).min(self.attempt * 2);
        let (watched, still) = self.seen.map(|seen| (seen.first.elapsed(), seen.moved.elapsed())).unwrap_or_default();
        let first = (turn / 2).min(self.look * 2).max(still / 4);
        let wait = first + turn.mul_f64(ahead.saturating_sub(1) as f64);
        wait.min(watched.max(self.look * Self::REQUESTS)).mul_f64(0.5 + fastrand::f64() / 2.0).clamp(SHORTEST, LONGEST)
    }

    /// How long the first of the queue may leave the branch as it is before it is passed over, where `gone` were just
    /// before it: who is gone is often not alone.
    pub(super) fn patience(&self, gone: u32) -> Duration {
        const SHORTEST: Duration = Duration::from_secs(1);
        const LONGEST: Duration = Duration::from_secs(10);
        ((self.attempt * 4).clamp(SHORTEST, LONGEST) / (1 + gone)).max(self.attempt * 2)
    }
}
