//! Where an app stands in each environment: what the Ledger's newest records say, by the git program alone.

use std::{error::Error, path::Path};

use sandbox::ENVIRONMENTS;
use serde_json::Value;

use crate::command::{program, stdout};

/// Prints a row an environment: build, digest, the commit that brought it, who approved.
pub(crate) fn print(ledger: &Path, app: &str) -> Result<(), Box<dyn Error>> {
    println!("{:<12} {:<7} {:<20} {:<13} approved by", "environment", "build", "digest", "Ledger commit");
    for environment in ENVIRONMENTS {
        let path = format!("records/{environment}/{app}.json");
        let record: Value = serde_json::from_slice(&git(ledger, &["show", &format!("main:{path}")])?)?;
        let newest = record.pointer("/0/statement").ok_or("an empty record")?;
        let text = |pointer: &str| newest.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
        let commit = git(ledger, &["log", "-1", "--format=%h", "main", "--", &path])?;
        let approvals = newest.pointer("/predicate/approvals").and_then(Value::as_array);
        let approvers: Vec<&str> = approvals
            .into_iter()
            .flatten()
            .filter_map(|approval| approval.pointer("/approver/name").and_then(Value::as_str))
            .collect();
        let digest: String = text("/subject/0/digest/sha256").chars().take(12).collect();
        let approved = if approvers.is_empty() { "(nobody needs to)".to_owned() } else { approvers.join(", ") };
        println!(
            "{environment:<12} {:<7} sha256:{digest:<13} {:<13} {approved}",
            text("/predicate/build"),
            String::from_utf8_lossy(&commit).trim()
        );
    }
    Ok(())
}

fn git(ledger: &Path, arguments: &[&str]) -> Result<Vec<u8>, Box<dyn Error>> {
    Ok(stdout(program("git").arg("--git-dir").arg(ledger).args(arguments))?)
}
