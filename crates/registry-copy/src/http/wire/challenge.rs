//! `WWW-Authenticate` (RFC 9110, 11.6.1), as far as registries use it.

use std::collections::BTreeMap;

use http_auth::{ChallengeRef, parser::ChallengeParser};

/// How a registry wants to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// With a user and a password.
    Basic,
    /// With a token.
    Bearer(Bearer),
}

/// Where tokens come from (distribution, "Token Authentication Specification").
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bearer {
    /// The URL that gives them; whether it may is still to be judged.
    pub(crate) realm: String,
    /// What the registry calls itself there.
    pub(crate) service: Option<String>,
    /// What the token must allow, separated by spaces.
    pub(crate) scope: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChallengeError {
    #[error("its challenge is not well formed")]
    Malformed,
    #[error("its challenge says the same parameter twice")]
    Twice,
    #[error("its challenge names no realm")]
    NoRealm,
    #[error("it names several places that give tokens")]
    Several,
}

/// The most bytes of challenges. They name a URL and a few words.
const MOST: usize = 8 * 1024;

/// The challenge to answer, of all that the values of the header hold: a bearer challenge before a basic one, `None`
/// where there is neither.
///
/// What two parsers could read in two ways is refused: a parameter that comes twice, bearer challenges that differ,
/// characters that are not printable ASCII.
pub(crate) fn parse(values: &[&str]) -> Result<Option<Challenge>, ChallengeError> {
    let plain = |value: &&str| value.bytes().all(|b| matches!(b, b' '..=b'~'));
    if values.iter().map(|value| value.len()).sum::<usize>() > MOST || !values.iter().all(plain) {
        return Err(ChallengeError::Malformed);
    }
    let mut found = None;
    for challenge in values.iter().flat_map(|value| ChallengeParser::new(value)) {
        let challenge = challenge.map_err(|_| ChallengeError::Malformed)?;
        let mut parameters = parameters(&challenge)?;
        if challenge.scheme.eq_ignore_ascii_case("bearer") {
            let realm = parameters.remove("realm").filter(|realm| !realm.is_empty());
            let bearer = Challenge::Bearer(Bearer {
                realm: realm.ok_or(ChallengeError::NoRealm)?,
                service: parameters.remove("service"),
                scope: parameters.remove("scope"),
            });
            match &found {
                Some(other @ Challenge::Bearer(_)) if *other != bearer => return Err(ChallengeError::Several),
                _ => found = Some(bearer),
            }
        } else if challenge.scheme.eq_ignore_ascii_case("basic") {
            found = found.or(Some(Challenge::Basic));
        }
    }
    Ok(found)
}

fn parameters(challenge: &ChallengeRef<'_>) -> Result<BTreeMap<String, String>, ChallengeError> {
    let mut all = BTreeMap::new();
    for (name, value) in &challenge.params {
        if all.insert(name.to_ascii_lowercase(), value.to_unescaped()).is_some() {
            return Err(ChallengeError::Twice);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Challenge::Bearer(Bearer { realm: realm.to_owned(), service: owned(service), scope: owned(scope) })
    }

    #[test]
    fn what_registries_send_is_read() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        let known = [
            (
                vec![hub],
                bearer("https://auth.docker.io/token", Some("registry.docker.io"), Some("repository:a/b:pull,push")),
            ),
            (vec![r#"bearer REALM="https://a.example/t""#], bearer("https://a.example/t", None, None)),
            (vec![r#"Bearer realm="r", error="invalid_token""#], bearer("r", None, None)),
            (vec![r#"Bearer realm="a\"b""#], bearer("a\"b", None, None)),
            (vec![r#"Basic realm="forge""#], Challenge::Basic),
            (vec!["Basic"], Challenge::Basic),
            (vec![r#"Basic realm="x", Bearer realm="r""#], bearer("r", None, None)),
            (vec![r#"Bearer realm="r""#, r#"Basic realm="x""#], bearer("r", None, None)),
            (vec![r#"Bearer realm="r""#, r#"Bearer realm="r""#], bearer("r", None, None)),
        ];
        for (values, challenge) in known {
            assert_eq!(parse(&values), Ok(Some(challenge)), "{values:?}");
        }
        for values in [vec![], vec!["Negotiate"], vec![r#"Digest realm="x", nonce="y""#]] {
            assert_eq!(parse(&values), Ok(None), "{values:?}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        use ChallengeError::{Malformed, NoRealm, Several, Twice};
        let long = format!("Bearer realm=\"{}\"", "x".repeat(MOST));
        let refused = [
            (vec![r#"Bearer realm="a",realm="b""#], Twice),
            (vec![r#"Bearer realm="a",Realm="a""#], Twice),
            (vec![r#"Bearer realm="a",service="b",service="b""#], Twice),
            (vec![r#"Bearer realm="a",scope="b",scope="c""#], Twice),
            (vec![r#"Bearer realm="a", Bearer realm="b""#], Several),
            (vec![r#"Bearer realm="a""#, r#"Bearer realm="b""#], Several),
            (vec![r#"Bearer realm="a""#, r#"Basic realm="x""#, r#"Bearer realm="a",service="s""#], Several),
            (vec!["Bearer"], NoRealm),
            (vec![r#"Bearer realm="""#], NoRealm),
            (vec![r#"Bearer service="a""#], NoRealm),
            (vec![r#"Bearer realm="a"#], Malformed),
            (vec![r#"Bearer realm="a" service="b""#], Malformed),
            (vec!["Bearer realm=https://a.example/t"], Malformed),
            (vec!["Bearer realm=\"\u{e9}\""], Malformed),
            (vec!["Bearer realm=\"a\r\nb\""], Malformed),
            (vec!["Bearer realm=\"a\tb\""], Malformed),
            (vec!["Bearer realm=\"a\u{7f}\""], Malformed),
            (vec![long.as_str()], Malformed),
        ];
        for (values, error) in refused {
            assert_eq!(parse(&values), Err(error), "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn a_challenge_that_is_written_is_read(
            realm in "[ -~]{1,40}", service in proptest::option::of("[ -~]{0,40}"), scope in proptest::option::of("[ -~]{0,40}"),
        ) {
            let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
            let mut text = format!("Bearer realm={}", quoted(&realm));
            for (name, value) in [("service", &service), ("scope", &scope)] {
                text.extend(value.iter().map(|value| format!(", {name}={}", quoted(value))));
            }
            prop_assert_eq!(parse(&[&text]), Ok(Some(Challenge::Bearer(Bearer { realm, service, scope }))));
        }

        #[test]
        fn any_text_has_an_answer(values in prop::collection::vec("(?s).{0,60}", 0..3)) {
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            if let Ok(Some(Challenge::Bearer(bearer))) = parse(&values) {
                prop_assert!(!bearer.realm.is_empty() && values.concat().is_ascii());
            }
        }
    }
}
