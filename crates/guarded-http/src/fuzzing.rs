//! What holds of each parser whatever bytes come: the bodies of the fuzz targets. The tests run them over `corpus/`.

use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, header};
use url::Url;

use crate::{Origin, location, retry::retry_after, shown};

release::fuzz_targets! {
    "location" => a_location,
    "origin" => an_origin,
    "redirect" => a_redirect,
    "retry-after" => a_retry_after,
    "shown" => what_is_shown,
}

const BASES: [&str; 3] = ["https://registry.example/v2/a/", "http://127.0.0.1:5000/v2/a/", "https://[2001:db8::1]/"];

/// What is resolved is of the client's own origin, with nobody's name in it.
fn a_location(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for base in BASES {
        let Ok(base) = Url::parse(base) else { return };
        let Ok(origin) = Origin::of(&base) else { return };
        let Ok(url) = location::resolve(&origin, &base, text) else { continue };
        assert_eq!(Origin::of(&url), Ok(origin));
        assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none(), "{url}");
    }
}

fn an_origin(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(origin) = text.parse::<Origin>() else { return };
    assert_eq!(origin.to_string().parse::<Origin>(), Ok(origin.clone()));
    assert!(!origin.is_loopback() || !text.contains("evil"), "{text} is no loopback");
}

/// A redirect never leads from TLS to plain HTTP, nor from another machine to this one.
fn a_redirect(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let headers = HeaderMap::from_iter([(header::LOCATION, value)]);
    for base in BASES {
        let Ok(base) = Url::parse(base) else { return };
        let Ok(url) = location::target(&base, &headers) else { continue };
        let (from, to) = (Origin::of(&base), Origin::of(&url));
        let both = |of: &dyn Fn(&Origin) -> bool| (from.as_ref().is_ok_and(of), to.as_ref().is_ok_and(of));
        let (from_here, to_here) = both(&Origin::is_loopback);
        assert!(from_here || !to_here, "{base} led to {url}");
        assert!(url.scheme() == "https" || (from_here && to_here && base.scheme() == "http"), "{base} led to {url}");
        assert!(url.username().is_empty() && url.password().is_none(), "{url}");
    }
}

fn a_retry_after(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let headers = HeaderMap::from_iter([(header::RETRY_AFTER, value)]);
    let asked = retry_after(&headers, SystemTime::UNIX_EPOCH);
    assert!(asked.is_none() || bytes.iter().any(u8::is_ascii_digit));
}

/// One line, 300 bytes, and nothing that moves, hides or reorders.
fn what_is_shown(bytes: &[u8]) {
    let text = shown(bytes);
    assert!(text.len() <= 300);
    let hidden =
        |c: char| c.is_control() || ('\u{200b}'..='\u{200f}').contains(&c) || ('\u{2028}'..='\u{202e}').contains(&c);
    assert!(!text.contains(hidden), "{text:?}");
}
