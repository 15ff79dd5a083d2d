use std::ops::Range;

use super::ConfigError;

/// The largest conveyor.yaml, in bytes.
const LARGEST: usize = 1 << 20;

/// The bytes as a text.
pub(super) fn text(bytes: &[u8]) -> Result<&str, ConfigError> {
    if bytes.len() > LARGEST {
        let message = format!("conveyor.yaml has {} bytes", bytes.len());
        return Err(ConfigError::new("", None, message, format!("write at most {LARGEST} (1 MiB)")));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let start = error.valid_up_to();
        let byte = bytes.get(start).copied().unwrap_or_default();
        let shown = String::from_utf8_lossy(bytes);
        let span = start..start + char::REPLACEMENT_CHARACTER.len_utf8();
        ConfigError::new(&shown, Some(span), format!("the byte 0x{byte:02X} is no UTF-8"), "save the file as UTF-8")
    })
}

/// What serde says about a text, as its author needs it: at its place, with what to write instead.
pub(super) fn explain(text: &str, error: &serde_yaml::Error) -> ConfigError {
    let message = message(error);
    let (path, said) = message.split_once(": ").filter(|(path, _)| !path.contains(' ')).unwrap_or(("", &message));
    let keys: Vec<&str> = path.split(['.', '[']).filter(|key| !key.is_empty()).collect();
    let below = |key| [keys.as_slice(), &[key]].concat();
    if let Some(key) = between(said, "missing field `", '`') {
        let form = form(&below(key)).map_or_else(|| format!("`{key}: …`"), |form| format!("`{form}`"));
        // No line is wrong where a key of the root is missing: the end of the file is where it can be added.
        let end = text.trim_end().len();
        let span = ledger::position(text, &keys).unwrap_or(end..end);
        let place = if keys.is_empty() { ", on a line of its own" } else { "" };
        return ConfigError::new(text, Some(span), &*message, format!("add {form}{place}"));
    }
    let twice = between(said, "duplicate field `", '`').or_else(|| between(said, "duplicate entry with key \"", '"'));
    if let Some(key) = twice {
        let place = if keys.is_empty() { String::new() } else { format!("{}: ", keys.join(".")) };
        let message = format!("{place}duplicate field `{key}`");
        return ConfigError::new(text, second(text, &below(key)), message, "keep one of the two");
    }
    if said.contains("more than one document") {
        let span = text.rfind("\n---").map(|start| start + 1..start + 4);
        return ConfigError::new(text, span, "conveyor.yaml has more than one document", "remove this line");
    }
    let help = if said.starts_with("unknown field") {
        "write one of these, or take it out".to_owned()
    } else if let Some(form) = form(&keys).filter(|_| said.contains(", expected ")) {
        format!("write `{form}`")
    } else {
        "correct this line; conveyor.schema.json describes the file".to_owned()
    };
    ConfigError::new(text, line_from(text, error), &*message, help)
}

/// What is wrong, without the place, which the picture shows, and in words of YAML.
fn message(error: &serde_yaml::Error) -> String {
    let place = error.location().map(|location| format!(" at line {} column {}", location.line(), location.column()));
    let message = error.to_string().replacen(&place.unwrap_or_default(), "", 1);
    let words = [
        ("u32", "a whole number from 0 on"),
        ("u64", "a whole number from 0 on"),
        ("a YAML tag starting with '!'", "a word"),
    ];
    let mut words = words.iter().filter_map(|(rust, yaml)| Some((message.strip_suffix(rust)?, yaml)));
    match words.next() {
        Some((rest, word)) if rest.ends_with("expected ") => format!("{rest}{word}"),
        _ => message,
    }
}

/// From where serde stopped to the end of that line.
fn line_from(text: &str, error: &serde_yaml::Error) -> Option<Range<usize>> {
    let start = error.location()?.index().min(text.len());
    let end = text.get(start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |length| start + length);
    Some(start..end.max(start))
}

/// Where a key stands for the second time: where it is found when the first is another word. Serde tells the mapping.
fn second(text: &str, keys: &[&str]) -> Option<Range<usize>> {
    let key = keys.last()?;
    let first = ledger::position(text, keys)?;
    let is_key = text.get(first.end..)?.trim_start().starts_with(':');
    let until = if is_key { first.end } else { first.start };
    let start = text.get(..until)?.rfind(key)?;
    let mut other = text.to_owned();
    other.replace_range(start..start + key.len(), &"_".repeat(key.len()));
    ledger::position(&other, keys)
}

fn between<'t>(text: &'t str, start: &str, end: char) -> Option<&'t str> {
    text.split_once(start)?.1.split(end).next()
}

/// What is to be written at a place.
fn form(keys: &[&str]) -> Option<&'static str> {
    Some(match keys {
        [] => "version: 1`, then `support`, `ledger`, `environments` and `apps",
        ["version"] => "version: 1",
        ["support"] => "support: \"#CHANNEL\"",
        ["ledger"] => "ledger: { url: \"https://HOST/PATH\", branch: main }",
        ["ledger", "url"] => "url: \"https://HOST/PATH\"",
        ["ledger", "branch"] => "branch: main",
        ["azure_devops"] => "azure_devops: { organization: NAME, project: NAME }",
        ["azure_devops", "organization"] => "organization: NAME",
        ["azure_devops", "project"] => "project: NAME",
        ["environments"] => "environments: { NAME: { account: \"DIGITS\", region: REGION, sync: auto } }",
        ["environments", _] => "NAME: { account: \"DIGITS\", region: REGION, sync: auto }",
        ["environments", _, "account"] => "account: \"DIGITS\"",
        ["environments", _, "role"] => "role: \"arn:aws:iam::DIGITS:role/NAME\"",
        ["environments", _, "pull_role"] => "pull_role: \"arn:aws:iam::DIGITS:role/NAME\"",
        ["environments", _, "sync"] => "sync: auto` or `sync: manual",
        ["environments", _, "registry"] => "registry: { url: \"https://HOST\" }",
        ["environments", _, "registry", "url"] => "url: \"https://HOST\"",
        ["environments", _, "registry", "ecr"] => "ecr: true",
        ["environments", _, "registry", "mutable_tags"] => "mutable_tags: detect-only",
        ["environments", _, "approval"] => "approval: { required: 1, group: \"GUID\" }",
        ["environments", _, "approval", "required"] => "required: 1",
        ["environments", _, "approval", "group"] => "group: \"GUID\"",
        ["environments", _, "approval", "max_age"] => "max_age: 24h",
        ["apps"] => "apps: { NAME: { repository: PATH } }",
        ["apps", _] => "NAME: { repository: PATH }",
        ["apps", _, "repository"] => "repository: PATH",
        ["apps", _, "build_definition"] => "build_definition: NUMBER",
        ["apps", _, "release_definition"] => "release_definition: NUMBER",
        ["apps", _, "branches", ..] => "branches: [refs/heads/main]",
        ["apps", _, "ledger"] => "ledger: { manifest: \"apps/NAME/{env}/values.yaml\", key: image.tag }",
        ["apps", _, "ledger", "manifest"] => "manifest: \"apps/NAME/{env}/values.yaml\"",
        ["apps", _, "ledger", "key"] => "key: image.tag",
        ["apps", _, "ledger", "document"] => "document: \"kind=Deployment,metadata.name=NAME\"",
        ["endpoints"] => "endpoints: { sts: \"https://HOST\", ecr: \"https://HOST\" }",
        ["endpoints", "sts"] => "sts: \"https://HOST\"",
        ["endpoints", "ecr"] => "ecr: \"https://HOST\"",
        ["token_hosts", ..] => "token_hosts: [\"https://HOST\"]",
        ["policy"] => "policy: { rules: policy/, require: [] }",
        ["policy", "rules"] => "rules: policy/",
        ["policy", "require", ..] => "require: [RULE]",
        _ => return None,
    })
}
