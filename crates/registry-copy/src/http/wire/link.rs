//! The `Link` header (RFC 8288), as far as pages are concerned.

use guarded_http::{HeaderMap, header};

/// A `Link` names a next page in a way that cannot be followed.
pub(crate) struct Unreadable;

/// What the headers name as the next page.
pub(crate) fn next(headers: &HeaderMap) -> Result<Option<&str>, Unreadable> {
    let mut found = None;
    for value in headers.get_all(header::LINK) {
        let value = value.to_str().map_err(|_| Unreadable)?;
        for link in parts(value, ',') {
            let (target, parameters) = match link.trim().strip_prefix('<') {
                Some(link) => link.split_once('>').map(|(target, rest)| (Some(target), rest)).ok_or(Unreadable)?,
                None => (None, link),
            };
            if parts(parameters, ';').any(is_next) {
                let target = target.ok_or(Unreadable)?;
                if found.replace(target).is_some_and(|other| other != target) {
                    return Err(Unreadable);
                }
            }
        }
    }
    Ok(found)
}

/// Whether a parameter is `rel="next"`, perhaps among other relations.
fn is_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
    name.trim().eq_ignore_ascii_case("rel") && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
}

/// The parts between separators that stand neither in `<>` nor in quotes.
fn parts(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut until = None;
    text.split(move |character| match until {
        Some(end) => {
            until = until.filter(|_| character != end);
            false
        }
        None => {
            until = match character {
                '<' => Some('>'),
                '"' => Some('"'),
                _ => None,
            };
            character == separator
        }
    })
}

#[cfg(test)]
mod tests {
    use guarded_http::HeaderValue;

    use super::*;

    fn of(values: &[&'static str]) -> Result<Option<String>, ()> {
        let mut map = HeaderMap::new();
        for value in values {
            map.append(header::LINK, HeaderValue::from_static(value));
        }
        next(&map).map(|found| found.map(str::to_owned)).map_err(|_| ())
    }

    #[test]
    fn the_next_page_is_found_among_others() {
        let found: [&[&str]; 9] = [
            &["</n>; rel=\"next\""],
            &["</n>;rel=next"],
            &["</n>; title=\"a, <b>; rel=prev\"; REL=\"last Next\""],
            &["</style.css>; rel=preload", "</n>; rel=\"next\""],
            &["</n>; rel=\"next\"", "</style.css>; rel=preload"],
            &["</x>; rel=\"prev\", </n>; rel=\"next\""],
            &["</n>; rel=\"next\",</x>; rel=\"prev\""],
            &["</n>; rel=next, </n>; rel=next"],
            &["garbage, </n>; rel=next"],
        ];
        for values in found {
            assert_eq!(of(values), Ok(Some("/n".to_owned())), "{values:?}");
        }
        assert_eq!(of(&["</a,b;c>; rel=next"]), Ok(Some("/a,b;c".to_owned())));
        let none: [&[&str]; 6] =
            [&[], &["</n>"], &["</n>; rel=prev"], &["</n>; rel=nextish"], &["</rel=next>; a=b"], &["</n>; x=next"]];
        for values in none {
            assert_eq!(of(values), Ok(None), "{values:?}");
        }
        for value in ["/n; rel=next", "</n; rel=next", "</n>; rel=next, </m>; rel=next", "</n; rel=\"next\""] {
            assert_eq!(of(&[value]), Err(()), "{value}");
        }
    }
}
