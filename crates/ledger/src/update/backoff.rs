use std::time::Duration;

/// How long to let a server rest that failed for the `failures`-th time in a row.
pub(super) fn after_fault(failures: u32) -> Duration {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(2);
    FIRST.saturating_mul(1 << failures.min(16)).min(LONGEST).mul_f64(fastrand::f64())
}

/// How long to stay back after a lost race, for a writer that has `waited` so far and whose attempts take `attempt`.
///
/// It is chance, so that those who lost one race together do not meet again in the next. Who has waited longer stays
/// back for less, and so is passed by fewer.
pub(super) fn after_loss(waited: Duration, attempt: Duration) -> Duration {
    const SHORTEST: Duration = Duration::from_millis(20);
    const LONGEST: Duration = Duration::from_secs(2);
    let attempt = attempt.max(SHORTEST);
    let patience = waited.div_duration_f64(attempt.saturating_mul(8));
    attempt.saturating_mul(4).div_f64(1.0 + patience).clamp(SHORTEST, LONGEST).mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_waited_longer_stays_back_for_less() {
        let attempt = Duration::from_millis(100);
        let pause = |waited| {
            fastrand::seed(7);
            after_loss(Duration::from_millis(waited), attempt)
        };
        let pauses = [0, 100, 500, 2_000, 9_000].map(pause);
        assert!(pauses.is_sorted_by(|longer, shorter| longer > shorter), "{pauses:?}");
        assert!(pauses[0] <= attempt * 4);
    }
}
