//! The errors that a registry lists (distribution-spec, "Error Codes").

use release::Digest;
use serde::Deserialize;

/// The errors in a body, none where it is something else.
pub(crate) fn parse(body: &[u8]) -> Refusals {
    serde_json::from_slice(body).unwrap_or_default()
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Refusals {
    errors: Vec<Refusal>,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    code: String,
    #[serde(default)]
    detail: serde_json::Value,
}

impl Refusals {
    /// Whether one of these codes is among them.
    pub(crate) fn say(&self, codes: &[&str]) -> bool {
        self.errors.iter().any(|refusal| codes.contains(&refusal.code.as_str()))
    }

    /// The part for want of which a manifest is refused; distribution gives its digest as the detail or in it.
    pub(crate) fn missing_part(&self) -> Option<Digest> {
        let refusal = |code| self.errors.iter().find(|refusal| refusal.code == code);
        let refusal = refusal("MANIFEST_BLOB_UNKNOWN").or_else(|| refusal("BLOB_UNKNOWN"))?;
        refusal.detail.get("digest").unwrap_or(&refusal.detail).as_str()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_parts_are_found_and_other_bodies_say_nothing() {
        let digest = Digest::of(b"part");
        for detail in [format!("\"{digest}\""), format!("{{\"digest\":\"{digest}\"}}")] {
            for code in ["MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"] {
                let body = format!(r#"{{"errors":[{{"code":"UNKNOWN"}},{{"code":"{code}","detail":{detail}}}]}}"#);
                let refusals = parse(body.as_bytes());
                assert!(refusals.say(&["X", code]) && !refusals.say(&["X"]));
                assert_eq!(refusals.missing_part(), Some(digest));
            }
        }
        for body in ["", "<html>NAME_UNKNOWN</html>", "{}", r#"{"errors":null}"#, r#"{"errors":[{"code":7}]}"#, "[]"] {
            let refusals = parse(body.as_bytes());
            assert!(!refusals.say(&["NAME_UNKNOWN"]) && refusals.missing_part().is_none(), "{body}");
        }
        for detail in ["null", "7", "[]", "\"sha256:00\"", "{\"digest\":[]}"] {
            let body = format!(r#"{{"errors":[{{"code":"BLOB_UNKNOWN","detail":{detail}}}]}}"#);
            assert_eq!(parse(body.as_bytes()).missing_part(), None, "{detail}");
        }
    }
}
