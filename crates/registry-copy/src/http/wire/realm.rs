//! The URL that a challenge names as the giver of tokens.

use guarded_http::Origin;
use url::Url;

/// A realm, and the server that it is of. `None`: it is no plain HTTP URL.
///
/// Its host must be written in its one canonical form: what the URL standard would silently turn into another host,
/// other software may take for a third.
pub(crate) fn parse(text: &str) -> Option<(Origin, Url)> {
    if text.bytes().any(|b| !b.is_ascii_graphic() || matches!(b, b'\\' | b'#')) {
        return None;
    }
    let authority = text.find("://")? + "://".len();
    let end = text.get(authority..)?.find(['/', '?']).map_or(text.len(), |at| authority + at);
    let origin: Origin = text.get(..end)?.parse().ok()?;
    let url = Url::parse(text).ok()?;
    (Origin::of(&url).as_ref() == Ok(&origin)).then_some((origin, url))
}

/// The same realm with what is asked of it in its query, percent-encoded.
pub(crate) fn asking(realm: &Url, service: Option<&str>, scope: &str) -> Url {
    let mut url = realm.clone();
    url.query_pairs_mut()
        .extend_pairs(service.map(|service| ("service", service)))
        .extend_pairs(scope.split_ascii_whitespace().map(|scope| ("scope", scope)));
    url
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_realm_is_a_plain_url() {
        for (text, origin) in [
            ("https://auth.docker.io/token", "https://auth.docker.io"),
            ("https://auth.docker.io", "https://auth.docker.io"),
            ("https://auth.docker.io?a=b", "https://auth.docker.io"),
            ("HTTPS://Auth.Docker.io:443/token?a=b", "https://auth.docker.io"),
            ("http://127.0.0.1:5000/token/?x=@y", "http://127.0.0.1:5000"),
            ("http://[::1]:5000/token", "http://[::1]:5000"),
        ] {
            assert_eq!(parse(text).unwrap().0.to_string(), origin, "{text}");
        }
        for text in [
            "",
            "token",
            "/token",
            "//auth.docker.io/token",
            "https:/auth.docker.io/token",
            "https:auth.docker.io/token",
            "https:///auth.docker.io/token",
            "ftp://auth.docker.io/token",
            "https://user@auth.docker.io/token",
            "https://user:password@auth.docker.io/token",
            "https://auth.docker.io/token#x",
            "https://auth.docker.io\\@evil.example/token",
            "https://auth.docker.io /token",
            "https://auth.docker.io:99999/token",
            "http://2130706433:5000/token",
            "http://0x7f.1:5000/token",
            "http://127.1:5000/token",
            "http://[::ffff:127.0.0.1]:5000/token",
            "https://auth.d\u{f6}cker.io/token",
            "https://%61uth.docker.io/token",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_asked_comes_out_again(service in "(?s).{0,30}", scope in "[!-~]{1,30}", more in "[!-~]{1,30}") {
            let realm = Url::parse("https://a.example/token?own=1").unwrap();
            let url = asking(&realm, Some(&service), &format!("{scope} {more}"));
            let pairs: Vec<_> = url.query_pairs().into_owned().collect();
            let expected = [("own", "1"), ("service", &service), ("scope", &scope), ("scope", &more)];
            prop_assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
            prop_assert_eq!((url.host_str(), url.path(), url.fragment()), (Some("a.example"), "/token", None));
        }
    }
}
