//! Text from outside, safe to print on an Azure DevOps agent.
//!
//! The agent looks for its markers (`##vso[`, `##[`) anywhere in a line of stdout and stderr, in any case, and some
//! versions ignore characters that are not seen: so those are mapped first, and then the two signs are taken apart.

/// For people: control characters, escape sequences and all that is not seen are shown as `\u{…}`, and no logging
/// command survives. Line ends stay.
pub(crate) fn untrusted(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter == '\n' || !is_unseen(letter) {
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

/// For machines: the same JSON text, in which the strings have their escapes for all that is not seen, and no logging
/// command stands. Outside of its strings JSON has neither such characters nor a `#`.
pub(crate) fn untrusted_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for letter in json.chars() {
        if is_unseen(letter) {
            let units =
                letter.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
            safe.push_str(&units);
        } else {
            safe.push(letter);
        }
    }
    safe.replace("##", "#\\u0023")
}

/// Whether a character is a control, moves others about, or is ignored where text is shown or compared.
///
/// Source: Unicode's `Default_Ignorable_Code_Point`, with the separators of lines and the marks of annotations.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::{untrusted, untrusted_json};

    const COMMANDS: [&str; 12] = [
        "##vso[task.setvariable variable=a]b",
        "x ##VSO[task.complete]",
        "##[error]no",
        "###vso[a]",
        "####[a]",
        "#\u{200b}#vso[a]",
        "##v\u{200d}s\u{ad}o[a]",
        "#\r#vso[a]",
        "#\u{7f}#vso[a]",
        "#\u{85}\u{9b}#[a]",
        "#\u{fe0f}#[a]",
        "\u{1b}[31m#\u{e0041}#[section]",
    ];

    /// What an agent that ignores the unseen takes for a command.
    fn obeys(line: &str) -> bool {
        let ignored = |letter: char| {
            letter.is_control()
                || ['\u{ad}', '\u{200b}', '\u{200d}', '\u{2060}', '\u{fe0f}', '\u{feff}', '\u{e0041}'].contains(&letter)
        };
        let seen: String = line.chars().filter(|letter| !ignored(*letter)).collect();
        let seen = seen.to_lowercase();
        seen.contains("##vso[") || seen.contains("##[")
    }

    #[test]
    fn no_logging_command_survives() {
        for text in COMMANDS {
            assert!(obeys(text), "{text:?} is a command to begin with");
            let safe = untrusted(text);
            assert!(!obeys(&safe), "{safe}");
            assert!(!safe.contains(|letter: char| letter.is_control()), "{safe:?}");
        }
    }

    #[test]
    fn no_logging_command_survives_in_json_and_no_character_is_lost() {
        for text in COMMANDS {
            let json = serde_json::to_string(&[text]).unwrap();
            let safe = untrusted_json(&json);
            assert!(!obeys(&safe), "{safe}");
            assert!(!safe.contains(|letter: char| letter.is_control()), "{safe:?}");
            assert_eq!(serde_json::from_str::<[String; 1]>(&safe).unwrap(), [text], "{safe}");
        }
    }

    #[test]
    fn plain_text_stays() {
        let text = "naïve # one\n#two — ok";
        assert_eq!(untrusted(text), text);
        let json = serde_json::to_string(text).unwrap();
        assert_eq!(untrusted_json(&json), json);
    }
}
