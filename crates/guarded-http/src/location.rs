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
    let refused = || base.join(location).ok().and_then(|url| Origin::of(&url).ok());
    match (Origin::of(base), plain(base, location)) {
        (Ok(from), Some((url, to))) if from.may_redirect_to(&to) => Ok(url),
        _ => Err(refused()),
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
