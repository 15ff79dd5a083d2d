//! What holds of each parser whatever bytes come: the bodies of the fuzz targets. The tests run them over `corpus/`.

use bytes::Bytes;
use guarded_http::{HeaderMap, HeaderValue, Origin, header};
use release::Digest;

use crate::{
    Manifest,
    http::wire::{challenge, grant::Grant, link, range, realm, refusals},
};

release::fuzz_targets! {
    "challenge" => a_challenge,
    "grant" => a_grant,
    "link" => a_link,
    "manifest" => a_manifest,
    "range" => a_range,
    "realm" => a_realm,
    "refusals" => some_refusals,
}

/// A realm that is answered was written once, in one of the values.
fn a_challenge(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let values: Vec<&str> = text.lines().collect();
    let Ok(Some(challenge::Challenge::Bearer(bearer))) = challenge::parse(&values) else { return };
    assert!(text.is_ascii() && !bearer.realm.is_empty());
    let written = |value: &&str| value.replace('\\', "").contains(&bearer.realm.replace('\\', ""));
    assert!(values.iter().any(written), "{} is in none of {values:?}", bearer.realm);
}

fn a_grant(bytes: &[u8]) {
    let Ok(grant) = serde_json::from_slice::<Grant>(bytes) else { return };
    assert!((1..=86_400).contains(&grant.lifetime.as_secs()), "{:?}", grant.lifetime);
}

/// A next page is a part of one of the values.
fn a_link(bytes: &[u8]) {
    let headers: HeaderMap = bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|value| Some((header::LINK, HeaderValue::from_bytes(value).ok()?)))
        .collect();
    let Ok(Some(next)) = link::next(&headers) else { return };
    let whole = format!("<{next}>");
    assert!(headers.values().any(|value| value.to_str().is_ok_and(|value| value.contains(&whole))), "{next}");
}

/// The bytes stay as they are, and every part of an accepted manifest can be asked for.
fn a_manifest(bytes: &[u8]) {
    let Ok(manifest) = Manifest::parse(None, Bytes::copy_from_slice(bytes)) else { return };
    assert_eq!(manifest.bytes().as_ref(), bytes);
    assert_eq!(manifest.digest(), Digest::of(bytes));
    assert!(bytes.len() <= Manifest::MAX_SIZE);
    assert!(manifest.blobs().is_empty() || manifest.children().is_empty(), "an image and an index in one");
    let again = Manifest::parse(Some(manifest.media_type()), manifest.bytes().clone());
    assert!(again.is_ok_and(|again| again == manifest), "its own type is refused");
}

/// Nothing is acknowledged that was not sent. The first two bytes are how much was.
fn a_range(bytes: &[u8]) {
    let (Some(&[high, low]), Ok(text)) = (bytes.first_chunk(), std::str::from_utf8(bytes.get(2..).unwrap_or_default()))
    else {
        return;
    };
    let sent = u64::from(u16::from_be_bytes([high, low]));
    assert!(range::acknowledged(text, sent).is_none_or(|acknowledged| acknowledged <= sent), "{text} of {sent}");
}

/// What is asked of a realm goes to the origin that was judged.
fn a_realm(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some((origin, url)) = realm::parse(text) else { return };
    let asked = realm::asking(&url, Some("a&b=c#d"), "repository:a/b:pull registry:x");
    assert_eq!(Origin::of(&asked), Ok(origin.clone()));
    assert!(asked.username().is_empty() && asked.password().is_none() && asked.fragment().is_none(), "{asked}");
    let written = text.to_ascii_lowercase();
    let scheme_and_host = origin.to_string();
    assert!(written.starts_with(&scheme_and_host), "{text} is of {scheme_and_host}");
}

fn some_refusals(bytes: &[u8]) {
    let refusals = refusals::parse(bytes);
    if let Some(part) = refusals.missing_part() {
        assert!(refusals.say(&["MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"]));
        assert!(String::from_utf8_lossy(bytes).contains(&part.hex()[..8]) || bytes.contains(&b'\\'), "{part}");
    }
}
