/// Whether `pattern` matches all of `text`; `*` stands for any characters, or none.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    let Some(mut middle) = rest.strip_suffix(last) else { return false };
    // The first place where a part fits leaves the most for those behind it.
    for part in parts {
        match middle.split_once(part) {
            Some((_, behind)) => middle = behind,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::matches;

    /// The definition, without a thought of time.
    fn model(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|skipped| model(rest, &text[skipped..])),
            Some((byte, rest)) => text.first() == Some(byte) && model(rest, &text[1..]),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn it_is_what_the_definition_says(pattern in "[ab*]{0,6}", text in "[ab]{0,6}") {
            prop_assert_eq!(matches(&pattern, &text), model(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn a_text_with_parts_left_out_matches(text in "[a-z0-9._-]{1,20}", cuts in proptest::collection::vec(0usize..20, 0..5)) {
            let mut pattern = text.clone();
            for cut in cuts {
                let cut = cut.min(pattern.len());
                pattern.insert(cut, '*');
            }
            prop_assert!(matches(&pattern, &text));
        }
    }

    #[test]
    fn many_stars_cost_little() {
        assert!(!matches(&"a*".repeat(64), &"a".repeat(63)));
        assert!(!matches(&format!("{}b", "a*".repeat(5000)), &"a".repeat(10_000)));
    }

    #[test]
    fn ends_are_ends() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("dev-*", "dev-1", true),
            ("dev-*", "my-dev-1", false),
            ("*-rc", "1-rc", true),
            ("*-rc", "1-rc2", false),
            // The two ends may not share a character.
            ("ab*ba", "aba", false),
            ("48213", "48213", true),
            ("48213", "482130", false),
            ("dev-*", "DEV-1", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
