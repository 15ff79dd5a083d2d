/// The most bytes of a server's text that an error shows.
const LONGEST: usize = 300;

/// A server's text made fit for a log: on one line, cut at 300 bytes, and with every character escaped that moves,
/// hides or reorders others.
#[must_use]
pub fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for character in String::from_utf8_lossy(bytes).trim().chars() {
        let before = text.len();
        match character {
            '\t' | '\n' | '\r' => text.push(' '),
            hidden if is_hidden(hidden) => text.extend(hidden.escape_unicode()),
            plain => text.push(plain),
        }
        if text.len() > LONGEST {
            text.truncate(before);
            break;
        }
    }
    text
}

fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn what_hides_or_reorders_is_escaped() {
        assert_eq!(shown(b"  denied\r\n<b>\x1b[31m\x00 "), "denied  <b>\\u{1b}[31m\\u{0}");
        assert_eq!(
            shown("a\u{202e}b\u{200b}c\u{feff}d\u{2028}e".as_bytes()),
            "a\\u{202e}b\\u{200b}c\\u{feff}d\\u{2028}e"
        );
        assert_eq!(shown(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn at_most_300_bytes_and_no_torn_character() {
        assert_eq!(shown("é".repeat(400).as_bytes()).len(), 300);
        assert_eq!(shown("\u{200b}".repeat(400).as_bytes()).len(), 296);
    }
}
