use std::{fmt, str::FromStr, sync::Arc};

use crate::{
    BuildId,
    text::{ParseError, serde_as_text},
};

/// Defines a word that is a text with a grammar.
macro_rules! name {
    ($(#[$doc:meta])* $word:ident, $what:literal, $rule:literal, $grammar:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $word(Arc<str>);

        impl $word {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $word {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $word {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl FromStr for $word {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                let grammar: fn(&str) -> bool = $grammar;
                if grammar(text) { Ok(Self(text.into())) } else { Err(ParseError::new($what, text, $rule)) }
            }
        }

        serde_as_text!($word);
    };
}

name!(
    /// A repository's name inside its registry, such as `forge/payments-api` (OCI distribution-spec, "Pulling
    /// manifests"): lower-case path components joined by `/`, 255 characters at most.
    Repository,
    "a repository",
    "write lower-case letters and digits, joined by one of . _ __ or dashes, with / between parts, 255 at most",
    |text| text.len() <= 255 && text.split('/').all(is_component)
);

name!(
    /// A tag: a letter, digit or `_`, then up to 127 of those and `.` and `-` (OCI distribution-spec). `latest` is no
    /// tag here: it names whatever was pushed last.
    Tag,
    "a tag",
    "write the build's number (letters, digits, _ . -, 128 at most); latest names no build and is refused",
    |text| {
        let rest = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        (1..=128).contains(&text.len())
            && text.bytes().all(rest)
            && !text.starts_with(['.', '-'])
            && !text.eq_ignore_ascii_case("latest")
    }
);

impl Tag {
    pub(crate) fn of_build(build: BuildId) -> Self {
        Self(build.to_string().into())
    }
}

name!(
    /// An app as conveyor.yaml names it: a DNS label (RFC 1123), as Kubernetes and Argo CD want it.
    App,
    "an app",
    "write lower-case letters, digits and dashes, none at the ends, 63 at most",
    is_label
);

name!(
    /// An environment as conveyor.yaml names it: a DNS label (RFC 1123).
    Environment,
    "an environment",
    "write lower-case letters, digits and dashes, none at the ends, 63 at most",
    is_label
);

fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = bytes.first().copied().is_some_and(word) && bytes.last().copied().is_some_and(word);
    let joint =
        |joint: &[u8]| joint.is_empty() || matches!(joint, b"." | b"_" | b"__") || joint.iter().all(|b| *b == b'-');
    ends && bytes.split(|b| word(*b)).all(joint)
}
