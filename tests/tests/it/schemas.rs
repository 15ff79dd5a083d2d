use serde_json::{Value, json};

use crate::snapshot;

#[test]
fn the_schemas_in_the_repository_are_those_of_the_documents() {
    for (file, schema) in cli::schemas() {
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        snapshot::compare(&format!("../schemas/{file}"), &text, "UPDATE_SCHEMAS");
    }
}

/// The least that a document of a command may be.
fn least(name: &str, result: (&str, Value)) -> Value {
    let mut document = json!({
        "schema": name,
        "happened": { "copied": false, "ledger": false, "synced": null, "healthy": null },
        "running": {}, "next": null, "support": null, "warnings": [], "elapsed_ms": 1, "apps": [],
    });
    if !matches!(name, "conveyor/check-policy/v1" | "conveyor/copy-artifact/v1") {
        document["changes"] = json!([]);
        document["attempts"] = json!(0);
        document["requests"] = Value::Null;
    }
    document[result.0] = result.1;
    document
}

#[test]
fn a_document_has_an_outcome_or_an_error_and_never_both() {
    let error = json!({ "kind": "usage", "message": "no", "retryable": false });
    for (file, schema) in cli::schemas() {
        let name = schema["title"].as_str().unwrap().to_owned();
        let schema = jsonschema::validator_for(&schema).unwrap();
        assert!(schema.is_valid(&least(&name, ("outcome", json!("denied")))), "{file}");
        assert!(schema.is_valid(&least(&name, ("error", error.clone()))), "{file}");

        let mut both = least(&name, ("outcome", json!("denied")));
        both["error"] = error.clone();
        let mut neither = both.clone();
        neither.as_object_mut().unwrap().retain(|key, _| key != "error" && key != "outcome");
        let unknown = least(&name, ("outcome", json!("vanished")));
        let of_another = least("conveyor/other/v1", ("outcome", json!("denied")));
        let mut kind = least(&name, ("error", error.clone()));
        kind["error"]["kind"] = json!("mood");
        for wrong in [both, neither, unknown, of_another, kind] {
            assert!(!schema.is_valid(&wrong), "{file}: {wrong}");
        }
    }
}
