//! A predicate as the in-toto Statement that stands in a file, and back.
//!
//! All kinds share one flat object, so this is the one place that knows which of its fields belong to which kind.

use jiff::Timestamp;
use policy::{RuleId, RuleVerdict};
use release::{Actor, App, Artifact, BuildId, Environment, RunId};
use serde::{Deserialize, Serialize};

use crate::{
    Act, ActKind, ActResult, Approvals, Close, Copied, Decided, EntryError, HostResult, Predicate, ReleaseStage,
    Replaced, ResultOutcome, Seen, Subject,
};

const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "urn:conveyor:act:v1";

#[derive(Serialize, Deserialize)]
struct Statement {
    #[serde(rename = "_type")]
    statement_type: String,
    predicate: Fields,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    subject: [Image; 1],
}

#[derive(PartialEq, Serialize, Deserialize)]
struct Image {
    digest: Sha256,
    name: String,
}

/// in-toto's digest set, of which only sha256 is written and read.
#[derive(PartialEq, Serialize, Deserialize)]
struct Sha256 {
    sha256: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Promote,
    Redeploy,
    Rollback,
    Emergency,
    Adopt,
    Result,
    Close,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SeenBy {
    Hosts,
    ArgoCd,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ReportedBy {
    Host,
    ArgoCd,
}

/// Every field of every kind, in the order of their names.
#[derive(PartialEq, Serialize, Deserialize)]
struct Fields {
    app: App,
    #[serde(skip_serializing_if = "Option::is_none")]
    approvals: Option<Approvals>,
    build: BuildId,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Actor>,
    conveyor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    copy: Option<Copied>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided: Option<Decided>,
    environment: Environment,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Environment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hosts: Option<Vec<HostResult>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incident: Option<String>,
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifts: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<ResultOutcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<ReleaseStage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<Replaced>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reported_by: Option<ReportedBy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requester: Option<Actor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<Vec<RuleVerdict>>,
    run: RunId,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen_by: Option<SeenBy>,
    time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    waived: Option<Vec<RuleId>>,
}

/// The statement in compact form, its keys sorted.
pub(crate) fn write(predicate: &Predicate) -> Result<String, EntryError> {
    let subject = predicate.subject();
    let image = Image {
        digest: Sha256 { sha256: subject.artifact.digest.hex() },
        name: format!("{}/{}", subject.registry, subject.repository),
    };
    Ok(serde_json::to_string(&Statement {
        statement_type: STATEMENT_TYPE.to_owned(),
        predicate: fields(predicate),
        predicate_type: PREDICATE_TYPE.to_owned(),
        subject: [image],
    })?)
}

/// What the statement says.
pub(crate) fn read(statement: &str) -> Result<Predicate, EntryError> {
    let statement: Statement = serde_json::from_str(statement)?;
    expect("_type", statement.statement_type, STATEMENT_TYPE)?;
    expect("predicateType", statement.predicate_type, PREDICATE_TYPE)?;
    let [image] = statement.subject;
    let read = predicate(&statement.predicate, &image)?;
    // Written again, it has exactly the fields of its kind.
    let again = Fields { conveyor: statement.predicate.conveyor.clone(), ..fields(&read) };
    if again == statement.predicate { Ok(read) } else { Err(EntryError::Misfit) }
}

fn expect(field: &'static str, found: String, expected: &'static str) -> Result<(), EntryError> {
    if found == expected { Ok(()) } else { Err(EntryError::OtherType { field, found, expected }) }
}

fn predicate(fields: &Fields, image: &Image) -> Result<Predicate, EntryError> {
    let subject = subject(fields, image)?;
    let (run, time) = (fields.run, fields.time);
    let replaces = || need(&fields.replaces, "replaces");
    let kind = match fields.kind {
        Kind::Promote => ActKind::Promote { lifts: fields.lifts.clone() },
        Kind::Redeploy => ActKind::Redeploy { replaces: replaces()? },
        Kind::Rollback => ActKind::Rollback { replaces: replaces()? },
        Kind::Emergency => ActKind::Emergency {
            replaces: replaces()?,
            incident: need(&fields.incident, "incident")?,
            reason: need(&fields.reason, "reason")?,
            waived: need(&fields.waived, "waived")?,
        },
        Kind::Adopt => ActKind::Adopt,
        Kind::Result => {
            let of = need(&fields.of, "of")?;
            let outcome = need(&fields.outcome, "outcome")?;
            let seen = match need(&fields.seen_by, "seen_by")? {
                SeenBy::Hosts => Seen::Hosts(need(&fields.hosts, "hosts")?),
                SeenBy::ArgoCd => Seen::ArgoCd,
            };
            return Ok(ActResult { subject, of, outcome, seen, run, time }.into());
        }
        Kind::Close => {
            let (of, by) = (need(&fields.of, "of")?, need(&fields.by, "by")?);
            return Ok(Close { subject, of, by, run, time }.into());
        }
    };
    let act = Act {
        subject,
        kind,
        from: fields.from.clone(),
        approvals: need(&fields.approvals, "approvals")?,
        copy: fields.copy.clone(),
        decided: need(&fields.decided, "decided")?,
        release: fields.release,
        requester: need(&fields.requester, "requester")?,
        rules: need(&fields.rules, "rules")?,
        run,
        time,
    };
    Ok(act.into())
}

fn need<T: Clone>(value: &Option<T>, field: &'static str) -> Result<T, EntryError> {
    value.clone().ok_or(EntryError::Missing { field })
}

fn subject(fields: &Fields, image: &Image) -> Result<Subject, EntryError> {
    let parse = || {
        let (registry, repository) = image.name.split_once('/')?;
        let digest = format!("sha256:{}", image.digest.sha256).parse().ok()?;
        Some(Subject {
            artifact: Artifact { app: fields.app.clone(), build: fields.build, digest },
            environment: fields.environment.clone(),
            registry: registry.parse().ok()?,
            repository: repository.parse().ok()?,
        })
    };
    parse().ok_or_else(|| EntryError::Subject { name: image.name.clone(), sha256: image.digest.sha256.clone() })
}

fn fields(predicate: &Predicate) -> Fields {
    match predicate {
        Predicate::Act(act) => Fields {
            approvals: Some(act.approvals.clone()),
            copy: act.copy.clone(),
            decided: Some(act.decided.clone()),
            from: act.from.clone(),
            release: act.release,
            requester: Some(act.requester.clone()),
            rules: Some(act.rules.clone()),
            ..kind_fields(&act.kind, blank(&act.subject, act.run, act.time))
        },
        Predicate::Result(result) => Fields {
            kind: Kind::Result,
            of: Some(result.of),
            outcome: Some(result.outcome),
            ..seen_fields(&result.seen, blank(&result.subject, result.run, result.time))
        },
        Predicate::Close(close) => Fields {
            kind: Kind::Close,
            of: Some(close.of),
            by: Some(close.by.clone()),
            ..blank(&close.subject, close.run, close.time)
        },
    }
}

fn kind_fields(kind: &ActKind, blank: Fields) -> Fields {
    let replaces = kind.replaces().copied();
    match kind {
        ActKind::Promote { lifts } => Fields { kind: Kind::Promote, lifts: lifts.clone(), ..blank },
        ActKind::Redeploy { .. } => Fields { kind: Kind::Redeploy, replaces, ..blank },
        ActKind::Rollback { .. } => Fields { kind: Kind::Rollback, replaces, ..blank },
        ActKind::Emergency { incident, reason, waived, .. } => Fields {
            kind: Kind::Emergency,
            replaces,
            incident: Some(incident.clone()),
            reason: Some(reason.clone()),
            waived: Some(waived.clone()),
            ..blank
        },
        ActKind::Adopt => Fields { kind: Kind::Adopt, ..blank },
    }
}

fn seen_fields(seen: &Seen, blank: Fields) -> Fields {
    let (seen_by, reported_by, hosts) = match seen {
        Seen::Hosts(hosts) => (SeenBy::Hosts, ReportedBy::Host, Some(hosts.clone())),
        Seen::ArgoCd => (SeenBy::ArgoCd, ReportedBy::ArgoCd, None),
    };
    Fields { seen_by: Some(seen_by), reported_by: Some(reported_by), hosts, ..blank }
}

/// What every kind has. The kind itself is a promotion's until it is set.
fn blank(subject: &Subject, run: RunId, time: Timestamp) -> Fields {
    Fields {
        app: subject.artifact.app.clone(),
        approvals: None,
        build: subject.artifact.build,
        by: None,
        conveyor: env!("CARGO_PKG_VERSION").to_owned(),
        copy: None,
        decided: None,
        environment: subject.environment.clone(),
        from: None,
        hosts: None,
        incident: None,
        kind: Kind::Promote,
        lifts: None,
        of: None,
        outcome: None,
        reason: None,
        release: None,
        replaces: None,
        reported_by: None,
        requester: None,
        rules: None,
        run,
        seen_by: None,
        time,
        waived: None,
    }
}
