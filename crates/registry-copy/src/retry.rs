use std::time::Duration;

use tokio::time::Instant;

use crate::CopyError;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The pauses between tries: each up to twice as long as the one before, with jitter so that many agents do not come
/// back together.
pub(crate) struct Backoff {
    pause: Duration,
    deadline: Instant,
}

impl Backoff {
    pub(crate) fn until(deadline: Instant) -> Self {
        Self { pause: FIRST_PAUSE, deadline }
    }

    /// Waits; `false` at once where the next try would begin after the deadline.
    pub(crate) async fn wait(&mut self) -> bool {
        let pause = self.pause.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        let enough = Instant::now() + pause < self.deadline;
        if enough {
            tokio::time::sleep(pause).await;
        }
        enough
    }
}

/// Calls until it succeeds, fails for good, or the deadline leaves no time for another try.
pub(crate) async fn retry<T, F, Call>(deadline: Instant, mut call: F) -> Result<T, CopyError>
where
    F: FnMut() -> Call + Send,
    Call: Future<Output = Result<T, CopyError>> + Send,
{
    let mut backoff = Backoff::until(deadline);
    loop {
        match call().await {
            Err(error) if error.is_retryable() && backoff.wait().await => {}
            done => return done,
        }
    }
}
