//! The `Range` of an upload session (distribution-spec, "Pushing a blob in chunks").

/// How many bytes of `sent` the server has, from the first: `0-9` are ten. `None`: the text says nothing that can be
/// relied on.
///
/// `0-0` is one byte by the specification, and none where registries have no other word for that: only who sent a
/// single byte is told of one.
pub(crate) fn acknowledged(text: &str, sent: u64) -> Option<u64> {
    let last = text.strip_prefix("bytes=").unwrap_or(text).strip_prefix("0-")?;
    if last.is_empty() || !last.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    match last.parse().ok()? {
        0 if sent != 1 => Some(0),
        last => u64::checked_add(last, 1).filter(|bytes| *bytes <= sent),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_begins_at_the_first_byte_is_acknowledged() {
        for (text, bytes) in [("0-0", 0), ("0-1", 2), ("0-9", 10), ("bytes=0-9", 10), ("0-0009", 10)] {
            assert_eq!(acknowledged(text, 10), Some(bytes), "{text}");
        }
        assert_eq!(acknowledged("0-0", 1), Some(1));
        assert_eq!(acknowledged("0-0", 0), Some(0));
        for text in ["", "0", "0-", "-9", "1-9", "0-9,20-29", "0--9", "0-+9", "0- 9", "0-9 ", "0-18446744073709551615"]
        {
            assert_eq!(acknowledged(text, 10), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(last in 1..u64::MAX, sent in 2..u64::MAX) {
            prop_assert_eq!(acknowledged(&format!("0-{last}"), sent), (last < sent).then_some(last + 1));
        }
    }
}
