use http::{HeaderMap, header};
use url::Url;

use crate::{HttpError, Origin};

/// The URL that `reference` names when it was found at `base`; it is of `origin`.
pub(crate) fn resolve(origin: &Origin, base: &Url, reference: &str) -> Result<Url, HttpError> {
    let (url, to) = plain(base, reference).ok_or_else(|| HttpError::Reference { origin: origin.clone() })?;
    if to == *origin { Ok(url) } else { Err(HttpError::ForeignOrigin { origin: origin.clone(), to }) }
}

/// Where a redirect at `base` leads, if it may be followed; else the server that it names, as far as that can be read.
pub(crate) fn target(base: &Url, headers: &HeaderMap) -> Result<Url, Option<Origin>> {
    let mut locations = headers.get_all(header::LOCATION).iter();
    let location = locations.next().filter(|_| locations.next().is_none()).ok_or(None)?;
    let location = location.to_str().map_err(|_| None)?;
    match (Origin::of(base), plain(base, location)) {
        (Ok(from), Some((url, to))) if from.may_redirect_to(&to) => Ok(url),
        _ => Err(base.join(location).ok().and_then(|url| Origin::of(&url).ok())),
    }
}

/// The URL that `reference` names at `base`, where all readers of URLs agree on that.
fn plain(base: &Url, reference: &str) -> Option<(Url, Origin)> {
    // The URL standard drops tabs and newlines and reads a backslash as a slash: others do not, so neither is taken.
    if reference.is_empty() || reference.bytes().any(|b| b.is_ascii_control() || matches!(b, b'\\' | b' ' | b'#')) {
        return None;
    }
    let url = base.join(reference).ok()?;
    let origin = Origin::of(&url).ok()?;
    let absolute =
        if reference.starts_with("//") { format!("{}:{reference}", base.scheme()) } else { reference.into() };
    if Url::parse(&absolute).is_err() {
        return Some((url, origin));
    }
    // Where a server is named, its name is plain too: `127.1`, `user@host` and `http:host` are not.
    let path = absolute.match_indices(['/', '?']).map(|(at, _)| at).nth(2);
    let named = absolute.get(..path.unwrap_or(absolute.len()))?;
    (named.parse() == Ok(origin.clone())).then_some((url, origin))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn one_of(texts: &[&'static str]) -> impl Strategy<Value = &'static str> + use<> {
        prop::sample::select(texts.to_vec())
    }

    /// Texts that are nearly references: a server named well or badly, and anything behind it.
    fn nearly() -> impl Strategy<Value = String> {
        let scheme =
            one_of(&["", "//", "https://", "http://", "https:", "///", "/", "\\\\", "HTTPS://", "file://", "x:"]);
        let user = one_of(&["", "", "", "@", "user@", "user:x@", "h.example@", "h.example:443\\@", "%40"]);
        let hosts = [
            "h.example",
            "H.EXAMPLE",
            "h.example.",
            "127.0.0.1",
            "127.1",
            "localhost",
            "[::1]",
            "h.ex%61mple",
            "h。example",
        ];
        let port = one_of(&["", ":443", ":0443", ":5000", ":", ":80"]);
        let parts =
            ["/", "\\", "@", ":", "?", "#", "..", "%2f", "\t", "\n", " ", "//evil.example", "x", "é", "\0", "\u{ad}"];
        let path = proptest::collection::vec(one_of(&parts), 0..6).prop_map(|parts| parts.concat());
        (scheme, user, one_of(&hosts), port, path)
            .prop_map(|(scheme, user, host, port, path)| format!("{scheme}{user}{host}{port}{path}"))
    }

    /// The authority as a reader finds it who knows no more than RFC 3986: between the slashes and what ends it.
    fn authority(url: &str) -> &str {
        let rest = url.split_once("://").unwrap().1;
        rest.split(['/', '?', '#']).next().unwrap()
    }

    proptest! {
        #[test]
        fn what_is_found_is_of_the_one_origin(reference in nearly()) {
            let base = Url::parse("https://h.example/v2/a/uploads/7?x=y").unwrap();
            let origin = Origin::of(&base).unwrap();
            if let Ok(url) = resolve(&origin, &base, &reference) {
                prop_assert_eq!(authority(url.as_str()), "h.example");
                prop_assert!(url.as_str().starts_with("https://") && url.fragment().is_none(), "{}", url);
                if let Some((_, named)) = reference.split_once("//").filter(|(scheme, _)| matches!(*scheme, "" | "https:")) {
                    let named = named.split(['/', '?']).next().unwrap();
                    prop_assert!(["h.example", "h.example:443"].contains(&&*named.to_lowercase()), "{} in {}", named, reference);
                }
            }
        }

        #[test]
        fn what_is_followed_is_plain_and_allowed(reference in nearly(), loopback in any::<bool>()) {
            let base = if loopback { "http://127.0.0.1:5000/v2/" } else { "https://h.example/v2/" };
            let base = Url::parse(base).unwrap();
            let Ok(location) = HeaderValue::from_str(&reference) else { return Ok(()) };
            if let Ok(url) = target(&base, &HeaderMap::from_iter([(header::LOCATION, location)])) {
                let to = Origin::of(&url).unwrap();
                prop_assert!(to.to_string().starts_with("https://") || (loopback && to.is_loopback()), "{}", to);
                prop_assert!(loopback || !to.is_loopback(), "{}", to);
                prop_assert!(!authority(url.as_str()).contains('@') && url.fragment().is_none(), "{}", url);
            }
        }
    }
}
