/// Text from outside, safe to print: control characters, escape sequences, bidirectional and zero-width characters
/// are shown as `\u{…}`, and no logging command of an Azure DevOps agent (`##vso[`, `##[`) survives. Line ends stay.
///
/// The agent looks for its markers anywhere in a line of stdout and stderr, in any case, and some versions ignore
/// zero-width characters: so those are mapped first, and then the two signs are taken apart.
pub(crate) fn untrusted(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter == '\n' || (!letter.is_control() && !is_invisible(letter)) {
            safe.push(letter);
        } else {
            safe.extend(letter.escape_unicode());
        }
    }
    while safe.contains("##") {
        safe = safe.replace("##", "# #");
    }
    safe
}

fn is_invisible(letter: char) -> bool {
    matches!(
        letter,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::untrusted;

    #[test]
    fn no_logging_command_survives() {
        for text in [
            "##vso[task.setvariable variable=a]b",
            "x ##VSO[task.complete]",
            "##[error]no",
            "#\u{200b}#vso[a]",
            "###vso[a]",
            "#\r#vso[a]",
            "\u{1b}[31m##[section]",
        ] {
            let safe = untrusted(text);
            let seen: String = safe.chars().filter(|c| !c.is_control() && *c != '\u{200b}').collect();
            assert!(!seen.to_lowercase().contains("##"), "{safe}");
            assert!(!safe.contains(['\r', '\u{1b}', '\u{200b}']), "{safe}");
        }
    }

    #[test]
    fn plain_text_stays() {
        let text = "naïve # one\n#two — ok";
        assert_eq!(untrusted(text), text);
    }
}
