//! What a token server gives (distribution, "Token Authentication Specification").

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

/// A token, and how long it is good for.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Answer")]
pub(crate) struct Grant {
    pub(crate) token: SecretString,
    pub(crate) lifetime: Duration,
}

#[derive(Deserialize)]
struct Answer {
    token: Option<SecretString>,
    access_token: Option<SecretString>,
    /// Seconds. `issued_at` is not read: it is of a clock that may be wrong.
    expires_in: Option<Value>,
}

/// What the specification says of a token that does not tell its lifetime.
const DEFAULT: Duration = Duration::from_secs(60);
const SHORTEST: Duration = Duration::from_secs(1);
/// A token that is said to be good for years is still asked for again now and then.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

impl TryFrom<Answer> for Grant {
    type Error = &'static str;

    fn try_from(answer: Answer) -> Result<Self, &'static str> {
        let token = answer.token.or(answer.access_token).ok_or("there is no token")?;
        let seconds = answer.expires_in.as_ref().and_then(Value::as_u64).map(Duration::from_secs);
        Ok(Self { token, lifetime: seconds.unwrap_or(DEFAULT).clamp(SHORTEST, LONGEST) })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn both_names_are_known_and_lifetimes_are_bounded() {
        for (text, token, seconds) in [
            (r#"{"token":"a"}"#, "a", 60),
            (r#"{"access_token":"b"}"#, "b", 60),
            (r#"{"token":"a","access_token":"b","expires_in":300,"issued_at":"never"}"#, "a", 300),
            (r#"{"token":null,"access_token":"b","expires_in":null}"#, "b", 60),
            (r#"{"token":"a","expires_in":0}"#, "a", 1),
            (r#"{"token":"a","expires_in":18446744073709551615}"#, "a", 86_400),
            (r#"{"token":"a","expires_in":-5}"#, "a", 60),
            (r#"{"token":"a","expires_in":1e300}"#, "a", 60),
            (r#"{"token":"a","expires_in":"300"}"#, "a", 60),
        ] {
            let grant: Grant = serde_json::from_str(text).unwrap();
            assert_eq!((grant.token.expose_secret(), grant.lifetime.as_secs()), (token, seconds), "{text}");
            assert!(!format!("{grant:?}").contains(&format!("{token:?}")));
        }
        for text in ["", "{}", "[]", "null", r#"{"token":1}"#, r#"{"token":"a","token":"b"}"#, r#"{"Token":"a"}"#] {
            assert!(serde_json::from_str::<Grant>(text).is_err(), "{text}");
        }
    }
}
