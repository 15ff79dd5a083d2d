//! The JSON document of each command: what `--output json` prints, and what the schemas in `schemas/` describe.

use std::{collections::BTreeMap, time::Duration};

use conveyor::{Account, AppAccount, ChangeAccount, CopyAccount, Denied, Error, Kind, Outcome, chain};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{exit, next, run::Command, session::Session};

/// How a command ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It came to an outcome.
    Came(Outcome),
    /// It failed.
    Failed(Error),
    /// Its arguments were wrong; the words are clap's.
    Misused(String),
    /// This signal stopped it.
    Signalled(u8),
}

/// One command's document: what all have, and its own part.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Document<B> {
    #[serde(flatten)]
    pub(crate) head: Head,
    #[serde(flatten)]
    pub(crate) body: B,
}

/// What every document has.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Head {
    /// `conveyor/COMMAND/v1`.
    pub(crate) schema: String,
    /// How it ended; absent where `error` is present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<&'static str>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorPart>,
    /// The environment that was to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) environment: Option<String>,
    /// What holds the tag, where the outcome is `tag-held`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) held: Option<HeldPart>,
    /// What the place holds, where the outcome is `superseded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) found: Option<String>,
    /// Which stages were reached.
    pub(crate) happened: HappenedPart,
    /// What each app's environment asks for now, as last read or written.
    pub(crate) running: BTreeMap<String, String>,
    /// What to do next; null where there is nothing to do.
    pub(crate) next: Option<String>,
    /// Where people get help; null where conveyor.yaml could not be read.
    pub(crate) support: Option<String>,
    /// What deserves a look but stopped nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
    /// How long it took, in milliseconds.
    pub(crate) elapsed_ms: u64,
}

/// A failure.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ErrorPart {
    /// What kind: what to do about it.
    pub(crate) kind: &'static str,
    /// What went wrong, for people.
    pub(crate) message: String,
    /// Whether running it again may help.
    pub(crate) retryable: bool,
}

/// What holds a tag.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HeldPart {
    tag: String,
    by: String,
    wanted: String,
}

/// Which stages were reached; null: nobody looked.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HappenedPart {
    pub(crate) copied: bool,
    pub(crate) ledger: bool,
    pub(crate) synced: Option<bool>,
    pub(crate) healthy: Option<bool>,
}

/// One app's part.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AppPart {
    app: String,
    build: String,
    digest: Option<String>,
    /// Each rule and what it said.
    rules: Vec<RulePart>,
    /// What forbids it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violations: Vec<ViolationPart>,
    /// Who approved.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    approvers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    copy: Option<CopyPart>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct RulePart {
    id: String,
    /// `holds`, `not-applicable`, `waived` or `violated`.
    verdict: serde_json::Value,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ViolationPart {
    rule: String,
    because: String,
    remedy: String,
}

/// A finished copy.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CopyPart {
    source: String,
    destination: String,
    digest: String,
    manifests: u64,
    blobs: BlobsPart,
    bytes: u64,
    requests: RequestsPart,
    referrers: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct BlobsPart {
    copied: u64,
    mounted: u64,
    present: u64,
}

/// Requests sent in this run to each registry, those for the decision included.
#[derive(Debug, Serialize, JsonSchema)]
struct RequestsPart {
    source: u64,
    destination: u64,
}

/// What was written to the Ledger.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LedgerPart {
    /// The commit, where one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    /// The commit that it was decided on.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    /// Each scalar that changed, or would in a dry run.
    changes: Vec<ChangePart>,
    /// How many pushes were tried.
    attempts: u32,
    /// Requests to the Ledger's server; null where the git program makes them and does not count.
    requests: Option<u64>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ChangePart {
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    file: String,
    key: String,
    from: String,
    to: String,
}

impl<B> Document<B> {
    /// One line of JSON in which no logging command of an agent stands.
    pub(crate) fn to_line(&self) -> String
    where
        B: Serialize,
    {
        // `#` inside a string may be written as its escape; outside of strings JSON has none.
        serde_json::to_string(self).unwrap_or_default().replace("##", "#\\u0023")
    }
}

impl Head {
    pub(crate) fn new(name: &str, account: &Account, ended: &Ended, elapsed: Duration) -> Self {
        let (held, found) = match ended {
            Ended::Came(Outcome::TagHeld { place, by, wanted }) => {
                let held = HeldPart { tag: place.to_string(), by: by.to_string(), wanted: wanted.to_string() };
                (Some(held), None)
            }
            Ended::Came(Outcome::Superseded { found, .. }) => (None, Some(found.clone())),
            _ => (None, None),
        };
        let happened = &account.happened;
        let running = account.apps.iter().filter_map(|(app, part)| Some((app.to_string(), part.running.clone()?)));
        Self {
            schema: format!("conveyor/{name}/v1"),
            outcome: outcome(ended),
            error: error(ended),
            environment: account.environment.as_ref().map(ToString::to_string),
            held,
            found,
            happened: HappenedPart {
                copied: happened.copied,
                ledger: happened.ledger,
                synced: happened.synced,
                healthy: happened.healthy,
            },
            running: running.collect(),
            next: next::next(account, ended),
            support: account.support.clone(),
            warnings: account.warnings.clone(),
            elapsed_ms: elapsed.as_millis().try_into().unwrap_or(u64::MAX),
        }
    }
}

fn outcome(ended: &Ended) -> Option<&'static str> {
    let Ended::Came(outcome) = ended else { return None };
    // Code 3 carries an error: the servers that hold the facts did not answer.
    if exit::code(ended) == 3 {
        return None;
    }
    Some(match outcome {
        Outcome::Copied => "copied",
        Outcome::AlreadyPresent => "already-present",
        Outcome::Updated => "updated",
        Outcome::AwaitingSync => "awaiting-sync",
        Outcome::Unchanged => "unchanged",
        Outcome::Planned => "planned",
        Outcome::Allowed => "allowed",
        Outcome::Denied(_) => "denied",
        Outcome::TagHeld { .. } => "tag-held",
        Outcome::Superseded { .. } => "superseded",
        Outcome::ReadsMoved { .. } => "reads-moved",
        Outcome::NeverWon { .. } => "never-won",
        _ => "refused",
    })
}

fn error(ended: &Ended) -> Option<ErrorPart> {
    let part = |kind, message, retryable| Some(ErrorPart { kind, message, retryable });
    match ended {
        Ended::Came(Outcome::Denied(denied)) if exit::code(ended) == 3 => {
            let because = denied.iter().flat_map(|denied| &denied.violations).map(|violation| &*violation.because);
            part("temporary", because.collect::<Vec<_>>().join("; "), true)
        }
        Ended::Came(Outcome::Refused(refusal)) => part("refused", refused(refusal), false),
        Ended::Came(_) => None,
        Ended::Failed(error) => {
            let kind = match error.kind() {
                Kind::Failed => "failed",
                Kind::Usage => "usage",
                Kind::Temporary => "temporary",
                Kind::Integrity => "integrity",
            };
            part(kind, chain(error), error.is_retryable())
        }
        Ended::Misused(words) => part("usage", words.trim_end().to_owned(), false),
        Ended::Signalled(signal) => part("signal", format!("stopped by signal {signal}"), true),
    }
}

fn refused(refusal: &conveyor::ledger::Refusal) -> String {
    use conveyor::ledger::Refusal;
    match refusal {
        Refusal::BranchPolicy => "the Ledger's branch takes changes through pull requests only".to_owned(),
        Refusal::Permission => "these credentials may not push to the Ledger's branch".to_owned(),
        Refusal::Other(said) => format!("the Ledger's server refused the push and the branch had not moved: {said}"),
        _ => "the Ledger's server refused the push".to_owned(),
    }
}

impl AppPart {
    /// Every app's part.
    pub(crate) fn all(account: &Account, ended: &Ended, session: Option<&Session>) -> Vec<Self> {
        let denials: &[Denied] = match ended {
            Ended::Came(Outcome::Denied(denied)) => denied,
            _ => &[],
        };
        account
            .apps
            .iter()
            .map(|(app, part)| {
                let denied = denials.iter().find(|denied| denied.app == *app);
                let mut this = Self::one(part, session);
                this.app = app.to_string();
                this.violations = denied
                    .into_iter()
                    .flat_map(|denied| &denied.violations)
                    .map(|violation| ViolationPart {
                        rule: violation.rule.to_string(),
                        because: violation.because.clone(),
                        remedy: violation.remedy.clone(),
                    })
                    .collect();
                this
            })
            .collect()
    }

    fn one(part: &AppAccount, session: Option<&Session>) -> Self {
        Self {
            app: String::new(),
            build: part.build.to_string(),
            digest: part.digest.map(|digest| digest.to_string()),
            rules: part
                .verdicts
                .iter()
                .map(|said| RulePart {
                    id: said.rule.to_string(),
                    verdict: serde_json::to_value(said.verdict).unwrap_or_default(),
                })
                .collect(),
            violations: Vec::new(),
            approvers: part.approvers.clone(),
            copy: part.copy.as_ref().map(|copy| CopyPart::new(copy, session)),
        }
    }

    /// Takes the copy out, for a document that has it at its top.
    pub(crate) fn take_copy(&mut self) -> Option<CopyPart> {
        self.copy.take()
    }
}

impl CopyPart {
    pub(crate) fn new(copy: &CopyAccount, session: Option<&Session>) -> Self {
        let requests = |registry| session.map_or(0, |session| session.live.requests(registry));
        Self {
            source: copy.source.clone(),
            destination: copy.destination.to_string(),
            digest: copy.transfer.digest.to_string(),
            manifests: copy.transfer.manifests,
            blobs: BlobsPart {
                copied: copy.transfer.blobs.copied,
                mounted: copy.transfer.blobs.mounted,
                present: copy.transfer.blobs.present,
            },
            bytes: copy.transfer.bytes,
            requests: RequestsPart {
                source: copy.source_registry.as_ref().map_or(0, requests),
                destination: requests(&copy.destination.registry),
            },
            referrers: copy.transfer.referrers,
        }
    }
}

impl LedgerPart {
    pub(crate) fn new(account: &Account, ended: &Ended) -> Self {
        let written = account.ledger.as_ref();
        let attempts = match (written, ended) {
            (Some(written), _) => written.attempts,
            (None, Ended::Came(Outcome::NeverWon { attempts })) => *attempts,
            (None, _) => 0,
        };
        Self {
            commit: written.map(|written| written.commit.to_string()),
            parent: written.map(|written| written.parent.to_string()),
            changes: written.map_or(&account.planned, |written| &written.changes).iter().map(ChangePart::new).collect(),
            attempts,
            requests: None,
        }
    }
}

impl ChangePart {
    fn new(change: &ChangeAccount) -> Self {
        Self {
            app: change.app.as_ref().map(ToString::to_string),
            file: change.file.clone(),
            key: change.key.clone(),
            from: change.from.clone(),
            to: change.to.clone(),
        }
    }
}

/// The JSON Schema of a command's document.
pub(crate) fn schema<C: Command>(name: &str) -> serde_json::Value {
    let mut schema = schemars::schema_for!(Document<C::Body>).to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".to_owned(), format!("conveyor/{name}/v1").into());
        if let Some(property) = object.get_mut("properties").and_then(|all| all.get_mut("schema")) {
            *property = serde_json::json!({ "const": format!("conveyor/{name}/v1") });
        }
    }
    schema
}
