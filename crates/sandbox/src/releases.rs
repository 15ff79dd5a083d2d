//! The REST interface of Azure DevOps, as far as it is asked for, over the in-memory server.

mod documents;

use std::{io, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    response::Response,
};
use azure_devops::memory;
use http::{HeaderName, Method, StatusCode, Uri, header};
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::{Value, json};

use crate::{
    RequestLog,
    query::Query,
    server::{Admission, Port, Server, answer},
};

const CONTINUATION: HeaderName = HeaderName::from_static("x-ms-continuationtoken");

/// Builds, releases and approvals of one project, for whoever has the token. What they are is the in-memory server's
/// business, its clock too; here is only its HTTP.
#[derive(Debug)]
pub struct ReleaseServer {
    server: Server,
    memory: Arc<memory::Server>,
}

struct Shared {
    memory: Arc<memory::Server>,
    organization: String,
    project: String,
}

impl ReleaseServer {
    /// Serves one project of one organisation.
    ///
    /// # Errors
    /// When no port of loopback is to be had.
    pub async fn start(
        memory: Arc<memory::Server>,
        organization: &str,
        project: &str,
        token: &str,
    ) -> io::Result<Self> {
        let shared =
            Shared { memory: Arc::clone(&memory), organization: organization.to_owned(), project: project.to_owned() };
        let router = Router::new().fallback(handle).with_state(Arc::new(shared));
        Ok(Self { server: Port::bind().await?.serve(router, Admission::Token(token.to_owned())), memory })
    }

    /// `http://127.0.0.1:PORT`, for builds and releases both.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// What it serves, and how to turn it.
    #[must_use]
    pub fn memory(&self) -> &memory::Server {
        &self.memory
    }

    /// What it was asked.
    #[must_use]
    pub fn log(&self) -> &RequestLog {
        self.server.log()
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (status, document, next) = if request.method() == Method::GET {
        shared.document(request.uri())
    } else {
        error(StatusCode::METHOD_NOT_ALLOWED, "VssRequestMethodNotSupportedException")
    };
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&shared.memory.now());
    let start = answer(status).with(header::CONTENT_TYPE, "application/json; charset=utf-8; api-version=7.1");
    let start = date.into_iter().fold(start, |answer, date| answer.with(header::DATE, date));
    next.into_iter().fold(start, |answer, next| answer.with(CONTINUATION, next)).body(document.to_string())
}

/// A status, a document and the token of the next page.
type Reply = (StatusCode, Value, Option<String>);

impl Shared {
    fn document(&self, uri: &Uri) -> Reply {
        let segments: Vec<&str> = uri.path().split('/').collect();
        let query = Query(uri.query().unwrap_or_default());
        let ["", organization, project, "_apis", path @ ..] = segments.as_slice() else {
            return error(StatusCode::NOT_FOUND, "VssResourceNotFoundException");
        };
        if *organization != self.organization || *project != self.project {
            return error(StatusCode::NOT_FOUND, "ProjectDoesNotExistWithNameException");
        }
        if query.get("api-version").is_none() {
            return error(StatusCode::BAD_REQUEST, "VssVersionNotSpecifiedException");
        }
        match path {
            ["build", "builds", id] => match id.parse().ok().and_then(|id| self.memory.find_build(id)) {
                Some(build) => (StatusCode::OK, documents::build(&build), None),
                None => error(StatusCode::NOT_FOUND, "BuildNotFoundException"),
            },
            ["release", "releases", id] => match id.parse().ok().and_then(|id| self.memory.find_release(id)) {
                Some(release) => (StatusCode::OK, documents::release(&release), None),
                None => error(StatusCode::NOT_FOUND, "ReleaseNotFoundException"),
            },
            ["release", "approvals"] => self.approvals(&query),
            _ => error(StatusCode::NOT_FOUND, "VssResourceNotFoundException"),
        }
    }

    /// A page of approvals, the newest first, with the defaults of the real server: pending ones, fifty a page.
    fn approvals(&self, query: &Query<'_>) -> Reply {
        let status = query.get("statusFilter").unwrap_or_else(|| "pending".to_owned());
        let top = query.get("top").map_or(Some(50), |top| top.parse().ok());
        let before = query.get("continuationToken").map_or(Some(u64::MAX), |token| token.parse().ok());
        let ids: Option<Vec<u64>> =
            query.get("releaseIdsFilter").and_then(|ids| ids.split(',').map(|id| id.parse().ok()).collect());
        let (Some(top), Some(before), Some(ids)) = (top, before, ids) else {
            return error(StatusCode::BAD_REQUEST, "InvalidRequestException");
        };
        let mut found: Vec<(u64, Value)> = Vec::new();
        for release in ids.into_iter().filter_map(|id| self.memory.find_release(id)) {
            for stage in &release.stages {
                let wanted = stage.approvals.iter().filter(|approval| documents::status(approval) == status);
                found.extend(wanted.map(|approval| (approval.id, documents::approval(&release, stage, approval))));
            }
        }
        found.retain(|(id, _)| *id < before);
        found.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
        let more = found.len() > top;
        found.truncate(top);
        let next = found.last().filter(|_| more).map(|(id, _)| id.to_string());
        let value: Vec<Value> = found.into_iter().map(|(_, document)| document).collect();
        (StatusCode::OK, json!({ "count": value.len(), "value": value }), next)
    }
}

fn error(status: StatusCode, type_key: &str) -> Reply {
    (status, json!({ "typeKey": type_key, "message": type_key, "errorCode": 0 }), None)
}
