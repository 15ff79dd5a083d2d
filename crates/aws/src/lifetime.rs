//! How long something that ends is used.

use std::time::{Duration, SystemTime};

/// It is renewed this long before it ends.
const MARGIN: Duration = Duration::from_secs(300);

/// How long it is used where its end is not known, or is said to have been before it was given.
const UNKNOWN: Duration = Duration::from_secs(300);

/// How long something that was given just now is used.
pub(crate) fn usable_for(ends: Option<SystemTime>) -> Duration {
    usable_from(SystemTime::now(), ends)
}

fn usable_from(now: SystemTime, ends: Option<SystemTime>) -> Duration {
    match ends.and_then(|ends| ends.duration_since(now).ok()) {
        Some(left) if !left.is_zero() => left.saturating_sub(MARGIN).max(left / 2),
        _ => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    #[test]
    fn it_is_renewed_before_it_ends() {
        let used = |seconds| usable_from(NOW, Some(NOW + Duration::from_secs(seconds))).as_secs();
        assert_eq!(used(12 * 3600), 12 * 3600 - 300);
        assert_eq!(used(400), 200);
        assert_eq!(used(60), 30);
    }

    #[test]
    fn an_end_in_the_past_is_no_end() {
        let later = NOW + Duration::from_secs(10);
        for ends in [None, Some(NOW), Some(later)] {
            assert_eq!(usable_from(later, ends), UNKNOWN);
        }
    }
}
