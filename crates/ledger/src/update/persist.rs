use tokio::time::{Instant, sleep_until, timeout_at};

use super::backoff;
use crate::LedgerError;

/// Calls until that gives something else than a temporary fault, or until the deadline. For what may be done twice.
///
/// # Errors
/// A fault that no retry mends; at the deadline, the last temporary fault.
pub async fn persist<T>(deadline: Instant, call: impl AsyncFn() -> Result<T, LedgerError>) -> Result<T, LedgerError> {
    let mut last = LedgerError::Deadline;
    for failures in 0.. {
        match timeout_at(deadline, call()).await {
            Ok(Err(error)) if error.is_retryable() => last = error,
            Ok(done) => return done,
            Err(_) => break,
        }
        sleep_until(deadline.min(Instant::now() + backoff::after_fault(failures))).await;
    }
    Err(last)
}
