//! The REST interface of Azure Repos, as far as it is asked for, over a bare repository: what is read and written here
//! and what a [`GitServer`](crate::GitServer) serves of the same repository is one truth.

mod commits;
mod items;
mod pull_requests;
mod pushes;
mod reply;
mod store;

use std::{
    collections::BTreeSet,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    response::Response,
};
use http::{HeaderName, Method, StatusCode, header};
use serde_json::Value;

use self::{
    reply::{Error, Reply},
    store::Store,
};
use crate::{
    RequestLog,
    query::Query,
    server::{Admission, Port, Server, answer},
};

const CONTINUATION: HeaderName = HeaderName::from_static("x-ms-continuationtoken");
/// The longest body that is read.
const LONGEST: usize = 64 << 20;

/// One repository of a project, for whoever has the token. It stops when it is dropped.
#[derive(Debug)]
pub struct ReposServer {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    organization: String,
    project: String,
    repository: String,
    state: Mutex<ReposState>,
}

/// What is not in the bare repository.
#[derive(Debug, Default)]
struct ReposState {
    protected: BTreeSet<String>,
    read_only: bool,
    signs_in: bool,
    stale_reads: usize,
    /// A ref that a push has moved, and where it was before.
    before: Option<(String, String)>,
    pull_requests: Vec<pull_requests::Opened>,
}

impl ReposServer {
    /// Serves the bare repository at `directory`.
    ///
    /// # Errors
    /// When no port of loopback is to be had.
    pub async fn start(
        directory: &Path,
        organization: &str,
        project: &str,
        repository: &str,
        token: &str,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            store: Store::new(directory),
            organization: organization.to_owned(),
            project: project.to_owned(),
            repository: repository.to_owned(),
            state: Mutex::default(),
        });
        let router = Router::new().fallback(handle).with_state(Arc::clone(&shared));
        Ok(Self { server: Port::bind().await?.serve(router, Admission::Token(token.to_owned())), shared })
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn authority(&self) -> String {
        self.server.address().to_string()
    }

    /// The path that people clone from: `/ORGANIZATION/PROJECT/_git/REPOSITORY`.
    #[must_use]
    pub fn path(&self) -> String {
        let Shared { organization, project, repository, .. } = &*self.shared;
        format!("/{organization}/{project}/_git/{repository}")
    }

    /// The Ledger's URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}{}", self.server.url(), self.path())
    }

    /// What it was asked.
    #[must_use]
    pub fn log(&self) -> &RequestLog {
        self.server.log()
    }

    /// From now on `refs/heads/BRANCH` takes changes through pull requests only.
    pub fn protect(&self, branch: &str) {
        self.shared.state().protected.insert(format!("refs/heads/{branch}"));
    }

    /// Whether nobody may write.
    pub fn set_read_only(&self, read_only: bool) {
        self.shared.state().read_only = read_only;
    }

    /// Whether each answer is a page to sign in at, with the status 203.
    pub fn set_signed_out(&self, signed_out: bool) {
        self.shared.state().signs_in = signed_out;
    }

    /// The next reads of refs, so many of them, are answered as if the last push had not been.
    pub fn read_stale(&self, reads: usize) {
        self.shared.state().stale_reads = reads;
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if shared.state().signs_in {
        let page = answer(StatusCode::NON_AUTHORITATIVE_INFORMATION);
        return page.with(header::CONTENT_TYPE, "text/html; charset=utf-8").body("<html>Sign in</html>");
    }
    let reply = match shared.answer(request).await {
        Ok(reply) => reply,
        Err(error) => Error::Other(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into(),
    };
    match reply {
        Reply::Bytes(bytes) => {
            answer(StatusCode::OK).with(header::CONTENT_TYPE, "application/octet-stream").body(bytes)
        }
        Reply::Document(status, document, next) => {
            let start = answer(status).with(header::CONTENT_TYPE, "application/json; charset=utf-8; api-version=7.1");
            next.into_iter().fold(start, |answer, next| answer.with(CONTINUATION, next)).body(document.to_string())
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, ReposState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request) -> io::Result<Reply> {
        let (parts, body) = request.into_parts();
        let segments: Vec<&str> = parts.uri.path().split('/').collect();
        let query = Query(parts.uri.query().unwrap_or_default());
        let ["", organization, project, "_apis", "git", "repositories", repository, resource @ ..] =
            segments.as_slice()
        else {
            return Ok(Error::NoResource.into());
        };
        if *organization != self.organization || *project != self.project {
            return Ok(Error::NoProject((*project).to_owned()).into());
        }
        if *repository != self.repository {
            return Ok(Error::NoRepository((*repository).to_owned()).into());
        }
        if query.get("api-version").as_deref() != Some("7.1") {
            return Ok(Error::NoApiVersion.into());
        }
        if parts.method == Method::GET {
            return match resource {
                ["refs"] => self.refs(&query).await,
                ["items"] => self.items(&query).await,
                ["blobs", id] => self.blob(id, &query).await,
                ["commits"] => self.commits(&query).await,
                ["commits", id] => self.commit(id, &query).await,
                ["commits", id, "changes"] => self.changes(id, &query).await,
                ["pullrequests"] => Ok(self.pull_requests(&query)),
                _ => Ok(Error::NoResource.into()),
            };
        }
        let body = to_bytes(body, LONGEST).await.map_err(io::Error::other)?;
        let Ok(document) = serde_json::from_slice::<Value>(&body) else { return Ok(Error::Argument("body").into()) };
        match (parts.method, resource) {
            (Method::POST, ["pushes"]) => self.push(&document).await,
            (Method::POST, ["refs"]) => self.move_refs(&document).await,
            (Method::POST, ["pullrequests"]) => self.open(&document).await,
            _ => Ok(Error::NoResource.into()),
        }
    }

    fn version_of(&self, name: &str) -> String {
        format!("{name} in {}", self.repository)
    }
}
