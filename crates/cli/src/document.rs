//! The JSON document of each command: what `--output json` prints, and what the schemas in `schemas/` describe.

use std::{collections::BTreeMap, time::Duration};

use conveyor::{
    Account, AppAccount, ChangeAccount, Denied, Error, Kind, Outcome, chain,
    ledger::{PullRequest, Refusal},
};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Serialize;
use serde_json::json;

use crate::{copy_part::CopyPart, exit, next, run::Command, session::Session, untrusted::untrusted_json};

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

/// What `--output json` prints: exactly one of these on stdout. All else goes to stderr.
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
    /// The command.
    #[serde(skip)]
    pub(crate) command: &'static str,
    /// `conveyor/COMMAND/v1`.
    pub(crate) schema: String,
    #[serde(flatten)]
    pub(crate) result: ResultPart,
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
    /// What each app's environment asks for now, as last seen; empty in copy-artifact and check-policy, which do not look.
    pub(crate) running: BTreeMap<String, String>,
    /// What to do next; null where there is nothing to do.
    pub(crate) next: Option<String>,
    /// Where people get help; null where conveyor.yaml could not be read.
    pub(crate) support: Option<String>,
    /// What deserves a look but stopped nothing.
    pub(crate) warnings: Vec<String>,
    /// How long it took, in milliseconds.
    pub(crate) elapsed_ms: u64,
}

/// Exit codes 1, 2, 3, 13 and those of signals come with an error, all others with an outcome.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ResultPart {
    /// How it ended.
    Outcome(&'static str),
    /// Why it failed.
    Error(ErrorPart),
}

impl ResultPart {
    /// In one word how it ended: the outcome, or what kind of failure it was.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Outcome(outcome) => outcome,
            Self::Error(error) => error.kind,
        }
    }

    /// What went wrong, for people.
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Outcome(_) => "",
            Self::Error(error) => &error.message,
        }
    }
}

/// A failure.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ErrorPart {
    /// What kind, which says what to do about it.
    #[schemars(extend("enum" = ["failed", "refused", "usage", "temporary", "integrity", "signal"]))]
    pub(crate) kind: &'static str,
    /// What went wrong, for people.
    pub(crate) message: String,
    /// Whether running it again may help.
    pub(crate) retryable: bool,
}

/// What holds a tag.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HeldPart {
    /// The tag, as a reference.
    tag: String,
    /// The digest that holds it.
    by: String,
    /// The digest that was to be put there.
    wanted: String,
}

/// Which stages were reached; null: it is not known.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HappenedPart {
    /// Every image is in the target's registry: its tag was read there.
    pub(crate) copied: bool,
    /// The Ledger asks for the builds.
    pub(crate) ledger: Option<bool>,
    /// The cluster has applied it.
    pub(crate) synced: Option<bool>,
    /// The cluster reports it healthy.
    pub(crate) healthy: Option<bool>,
}

/// One app's part.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AppPart {
    /// The app.
    app: String,
    /// The build that was asked for.
    build: String,
    /// Its digest; null where it is not known.
    digest: Option<String>,
    /// Each rule and what it said; empty where none was asked.
    rules: Vec<RulePart>,
    /// What forbids it.
    violations: Vec<ViolationPart>,
    /// Who approved, by name.
    approvers: Vec<String>,
    /// What the copy did, or would; absent where neither is known, and where the document has it at its top.
    #[serde(skip_serializing_if = "Option::is_none")]
    copy: Option<CopyPart>,
}

/// A rule and what it said.
#[derive(Debug, Serialize, JsonSchema)]
struct RulePart {
    /// The rule's name.
    id: String,
    /// What it said.
    #[schemars(extend("enum" = ["holds", "accepted", "not-applicable", "waived", "violated", "unknown"]))]
    verdict: serde_json::Value,
}

/// A rule that forbids it.
#[derive(Debug, Serialize, JsonSchema)]
struct ViolationPart {
    /// The rule's name.
    rule: String,
    /// Why it forbids it.
    because: String,
    /// What would help.
    remedy: String,
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
    /// The difference that a dry run would make, as `diff -u` writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
    /// The pull request that is open, where the outcome is `pull-request`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pull_request: Option<PullRequestPart>,
    /// How many pushes were tried, whatever became of them.
    attempts: u32,
    /// Requests to the Ledger's server, those for the decision and repeated ones included; null where the git program
    /// makes them and does not count.
    requests: Option<u64>,
}

/// A pull request that is open.
#[derive(Debug, Serialize, JsonSchema)]
struct PullRequestPart {
    /// Its number.
    id: u64,
    /// Its page, for people.
    url: String,
    /// Whether it was open before.
    adopted: bool,
}

/// A scalar that changed.
#[derive(Debug, Serialize, JsonSchema)]
struct ChangePart {
    /// The app; absent in the raw form.
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    /// The manifest.
    file: String,
    /// The scalar's place in it.
    key: String,
    /// What it held.
    from: String,
    /// What it holds.
    to: String,
}

impl<B> Document<B> {
    /// One line of JSON in which no logging command of an agent stands.
    pub(crate) fn to_line(&self) -> String
    where
        B: Serialize,
    {
        untrusted_json(&serde_json::to_string(self).unwrap_or_default())
    }
}

impl Head {
    pub(crate) fn new(name: &'static str, account: &Account, ended: &Ended, elapsed: Duration) -> Self {
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
            command: name,
            schema: format!("conveyor/{name}/v1"),
            result: result(ended),
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

fn result(ended: &Ended) -> ResultPart {
    let error = |kind, message, retryable| ResultPart::Error(ErrorPart { kind, message, retryable });
    match ended {
        Ended::Came(Outcome::Denied(denied)) if exit::code(ended) == 3 => {
            let because = denied.iter().flat_map(|denied| &denied.violations).map(|violation| &*violation.because);
            error("temporary", because.collect::<Vec<_>>().join("; "), true)
        }
        Ended::Came(Outcome::Refused(refusal)) => error("refused", refused(refusal), false),
        Ended::Came(outcome) => ResultPart::Outcome(word(outcome)),
        Ended::Failed(failure) => {
            let kind = match failure.kind() {
                Kind::Failed => "failed",
                Kind::Usage => "usage",
                Kind::Temporary => "temporary",
                Kind::Integrity => "integrity",
            };
            error(kind, chain(failure), failure.is_retryable())
        }
        Ended::Misused(words) => error("usage", words.trim_end().to_owned(), false),
        Ended::Signalled(signal) => error("signal", format!("stopped by signal {signal}"), true),
    }
}

/// The outcomes of what changes the Ledger.
pub(crate) const CHANGE_OUTCOMES: &[&str] = &[
    "updated",
    "awaiting-sync",
    "unchanged",
    "planned",
    "denied",
    "tag-held",
    "superseded",
    "reads-moved",
    "never-won",
    "pull-request",
];

/// The outcome's name. A refused push is exit 1 and so never told by this one.
fn word(outcome: &Outcome) -> &'static str {
    match outcome {
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
        Outcome::PullRequest(_) => "pull-request",
        Outcome::Refused(_) => "refused",
    }
}

fn refused(refusal: &Refusal) -> String {
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
                        remedy: next::remedy(&violation.remedy),
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

impl LedgerPart {
    pub(crate) fn new(account: &Account, ended: &Ended, session: Option<&Session>) -> Self {
        let written = account.ledger.as_ref();
        let pull_request = match ended {
            Ended::Came(Outcome::PullRequest(PullRequest { id, url, adopted, .. })) => {
                Some(PullRequestPart { id: *id, url: url.to_string(), adopted: *adopted })
            }
            _ => None,
        };
        Self {
            commit: written.map(|written| written.commit.to_string()),
            parent: written.map(|written| written.parent.to_string()),
            changes: written.map_or(&account.planned, |written| &written.changes).iter().map(ChangePart::new).collect(),
            diff: account.diff.clone(),
            pull_request,
            attempts: account.pushes,
            requests: session.map_or(Some(0), Session::ledger_requests),
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
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Document<C::Body>>().to_value();
    let name = format!("conveyor/{name}/v1");
    set(&mut schema, "/properties/schema", json!({ "const": name }));
    set(&mut schema, "/oneOf/0/properties/outcome/enum", json!(C::OUTCOMES));
    set(&mut schema, "/title", name.into());
    schema
}

/// Sets what a JSON pointer leads to.
fn set(schema: &mut serde_json::Value, pointer: &str, value: serde_json::Value) {
    let Some((parent, key)) = pointer.rsplit_once('/') else { return };
    if let Some(object) = schema.pointer_mut(parent).and_then(serde_json::Value::as_object_mut) {
        object.insert(key.to_owned(), value);
    }
}
