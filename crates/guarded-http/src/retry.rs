use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, header};
use tokio::time::Instant;

use crate::HttpError;

/// The first pause between two attempts; each next one is twice as long.
const FIRST: Duration = Duration::from_millis(200);
/// The longest pause that is not asked for by the server.
const LONGEST: Duration = Duration::from_secs(10);
/// With less time left than this, another attempt is not worth it.
const WORTHWHILE: Duration = Duration::from_millis(100);

/// Who is told of each repetition: what failed, and how long it is waited before the next attempt.
pub type Told = Arc<dyn Fn(&HttpError, Duration) + Send + Sync>;

/// The attempts at one thing, and the pauses between them.
pub struct Retries {
    deadline: Instant,
    told: Option<Told>,
    attempts: u32,
    last: Option<HttpError>,
}

impl Retries {
    pub(crate) fn until(deadline: Instant, told: Option<Told>) -> Self {
        Self { deadline, told, attempts: 0, last: None }
    }

    /// How long to wait after an attempt failed with `error`: as the server asks, where the time left can hold that,
    /// else 0.2 s, each time up to twice as long, 10 s at most.
    ///
    /// # Errors
    /// [`HttpError::Exhausted`] when no time is left for another attempt.
    pub fn pause(&mut self, error: HttpError) -> Result<Duration, HttpError> {
        self.attempts += 1;
        let asked = error.retry_after();
        // That the time is up says less than what went wrong before.
        let last = match (self.last.take(), error) {
            (Some(last), error) if error.is_deadline() => last,
            (_, error) => error,
        };
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left < WORTHWHILE {
            return Err(HttpError::Exhausted { attempts: self.attempts, last: Box::new(last) });
        }
        let pause = pause(self.attempts, asked, left, fastrand::f64());
        if let Some(told) = &self.told {
            told(&last, pause);
        }
        self.last = Some(last);
        Ok(pause)
    }
}

impl fmt::Debug for Retries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retries").field("attempts", &self.attempts).field("last", &self.last).finish_non_exhaustive()
    }
}

/// The pause after the given attempt, 1 being the first; `jitter` is in `0.0..1.0`.
///
/// A wait that the time left cannot hold is not waited for, however sternly it is asked for.
fn pause(attempt: u32, asked: Option<Duration>, left: Duration, jitter: f64) -> Duration {
    let doubled = FIRST.saturating_mul(2u32.saturating_pow(attempt.saturating_sub(1))).min(LONGEST);
    let own = doubled.mul_f64(0.5 + jitter / 2.0).min(left / 2);
    asked.filter(|asked| *asked < left).map_or(own, |asked| asked.max(own))
}

/// How long a server asks to wait (RFC 9110, 10.2.3): seconds, or a date that is compared with the server's own clock
/// where it shows it, else with `now`. Anything else says nothing.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let date = |name| headers.get(name).and_then(|value| httpdate::parse_http_date(value.to_str().ok()?).ok());
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    date(header::RETRY_AFTER)?.duration_since(date(header::DATE).unwrap_or(now)).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn asks(value: &str, server_date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_str(value).unwrap())]);
        headers.extend(server_date.map(|date| (header::DATE, HeaderValue::from_str(date).unwrap())));
        retry_after(&headers, httpdate::parse_http_date("Tue, 24 Nov 2026 07:00:00 GMT").unwrap())
    }

    #[test]
    fn both_forms_are_read_and_garbage_is_not() {
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(asks("2", None), seconds(2));
        assert_eq!(asks(" 2 ", None), seconds(2));
        assert_eq!(asks("0", None), seconds(0));
        assert_eq!(asks("1000000000000", None), seconds(1_000_000_000_000));
        assert_eq!(asks("Tue, 24 Nov 2026 07:00:30 GMT", None), seconds(30));
        assert_eq!(asks("Tuesday, 24-Nov-26 07:00:30 GMT", None), seconds(30));
        assert_eq!(asks("Tue, 24 Nov 2026 08:00:30 GMT", Some("Tue, 24 Nov 2026 08:00:00 GMT")), seconds(30));
        for nothing in ["-1", "", "1.5", "soon", "99999999999999999999", "+3", "Tue, 24 Nov 2026 06:59:59 GMT"] {
            assert_eq!(asks(nothing, None), None, "{nothing}");
        }
    }

    #[test]
    fn a_server_is_heeded_where_time_allows() {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        assert_eq!(pause(1, Some(30 * second), minute, 0.9), 30 * second);
        assert_eq!(pause(1, Some(Duration::from_secs(1_000_000_000_000)), minute, 1.0), FIRST);
        assert_eq!(pause(1, Some(Duration::ZERO), minute, 1.0), FIRST);
    }

    proptest! {
        #[test]
        fn whatever_is_asked_is_read_as_seconds_or_not_at_all(text in "[-+ 0-9.a-zA-Z:,]{0,30}", seconds in any::<u64>()) {
            prop_assert_eq!(asks(&seconds.to_string(), None), Some(Duration::from_secs(seconds)));
            if let Some(asked) = asks(&text, None) {
                prop_assert_eq!(text.trim().parse(), Ok(asked.as_secs()));
            }
        }

        #[test]
        fn a_pause_is_jittered_bounded_and_leaves_time_to_act(
            attempt in 1..u32::MAX, asked in proptest::option::of(0..u64::MAX), left in 1..100_000u64, jitter in 0.0..1.0f64,
        ) {
            let left = Duration::from_millis(left);
            let pause = pause(attempt, asked.map(Duration::from_secs), left, jitter);
            prop_assert!(pause < left);
            if asked.is_none() {
                prop_assert!(pause <= LONGEST && pause >= (FIRST / 2).min(left / 2));
            }
        }
    }
}
