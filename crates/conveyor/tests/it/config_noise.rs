//! conveyor.yaml: whatever the bytes are, there is an answer.

use conveyor::config::Config;
use proptest::prelude::*;

use crate::config::GOOD;

/// Reads bytes that may be anything, and shows what is wrong with them.
pub(crate) fn read(bytes: &[u8]) {
    if let Err(error) = Config::parse(bytes) {
        let lines = 1 + bytes.iter().filter(|byte| **byte == b'\n').count();
        assert!((1..=lines).contains(&error.line()));
        assert!(error.to_string().contains("--> conveyor.yaml:"), "{error}");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        read(&bytes);
    }

    #[test]
    fn no_text_is_too_strange(text in r#"[-a-z{}\[\]:#&*!|>'"%@,?~\u{e9}\u{2028}\n\t ]{0,200}"#) {
        read(text.as_bytes());
    }

    #[test]
    fn no_change_of_a_good_file_is_too_strange(
        at in 0..GOOD.len(), length in 0..40_usize, instead in r"(\PC|\n){0,6}"
    ) {
        let mut bytes = GOOD.as_bytes().to_vec();
        bytes.splice(at..(at + length).min(GOOD.len()), instead.bytes());
        read(&bytes);
    }
}
