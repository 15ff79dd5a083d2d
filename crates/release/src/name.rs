use crate::{BuildId, text::serde_as_text, word};

word!(
    /// A repository's name inside its registry, such as `forge/payments-api` (OCI distribution-spec, "Pulling
    /// manifests"): lower-case path components joined by `/`, 255 characters at most.
    Repository,
    "a repository",
    "write lower-case letters and digits, joined by one of . _ __ or dashes, with / between parts, 255 at most",
    |text| text.len() <= 255 && text.split('/').all(is_component)
);

word!(
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

word!(
    /// An app as conveyor.yaml names it: a DNS label (RFC 1123), as Kubernetes and Argo CD want it.
    App,
    "an app",
    "write lower-case letters, digits and dashes, none at the ends, 63 at most",
    is_label
);

word!(
    /// An environment as conveyor.yaml names it: a DNS label (RFC 1123).
    Environment,
    "an environment",
    "write lower-case letters, digits and dashes, none at the ends, 63 at most",
    is_label
);

serde_as_text!(Repository);
serde_as_text!(Tag);
serde_as_text!(App);
serde_as_text!(Environment);

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
