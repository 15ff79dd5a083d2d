use bytes::Bytes;
use guarded_http::{Client, HeaderName, HttpError, Method, Origin, StatusCode, header};

use crate::{
    LedgerError, LedgerUrl, Said,
    wire::{
        WireError,
        report_status::{self, Report},
    },
};

/// The longest answer with a pack that is read: the largest one and what it is wrapped in.
const LONGEST: usize = 66 << 20;

/// The longest list of refs.
const LONGEST_LIST: usize = 16 << 20;

/// The longest report of what became of a push.
const LONGEST_REPORT: usize = 1 << 20;

const GIT_PROTOCOL: HeaderName = HeaderName::from_static("git-protocol");

/// How often a request may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// On temporary faults, until the deadline.
    UntilDeadline,
    /// Once: what comes of it shows what the server is.
    Never,
}

/// One repository of a Git server, over HTTP.
#[derive(Debug)]
pub(super) struct Connection {
    client: Client,
    url: String,
}

impl Connection {
    pub(super) fn new(
        url: &LedgerUrl,
        client: impl FnOnce(Origin) -> Result<Client, HttpError>,
    ) -> Result<Self, LedgerError> {
        let origin = url.origin().ok_or_else(|| LedgerError::NoServer { url: url.clone() })?;
        let client = client(origin).map_err(failed)?;
        Ok(Self { client, url: url.as_str().trim_end_matches('/').to_owned() })
    }

    pub(super) fn requests(&self) -> u64 {
        self.client.requests()
    }

    /// What the server says of itself to who would like to speak protocol v2.
    pub(super) async fn advertisement(&self) -> Result<Bytes, LedgerError> {
        let place = format!("{}/info/refs?service=git-upload-pack", self.url);
        let request = self.client.request(Method::GET, &place).map_err(failed)?.header(GIT_PROTOCOL, "version=2");
        let response = request.send(LONGEST_LIST).await.map_err(failed)?;
        answer(response, "application/x-git-upload-pack-advertisement")
    }

    /// Asks for refs, in protocol v2.
    pub(super) async fn refs(&self, body: Vec<u8>, repeat: Repeat) -> Result<Bytes, LedgerError> {
        self.upload_pack(body, true, repeat, LONGEST_LIST).await
    }

    /// Asks for objects.
    pub(super) async fn pack(&self, body: Vec<u8>, v2: bool, repeat: Repeat) -> Result<Bytes, LedgerError> {
        self.upload_pack(body, v2, repeat, LONGEST).await
    }

    async fn upload_pack(&self, body: Vec<u8>, v2: bool, repeat: Repeat, cap: usize) -> Result<Bytes, LedgerError> {
        let request = self.client.request(Method::POST, &format!("{}/git-upload-pack", self.url)).map_err(failed)?;
        let kind = "application/x-git-upload-pack-result";
        let mut request = request.header(header::CONTENT_TYPE, "application/x-git-upload-pack-request");
        request = request.header(header::ACCEPT, kind).body(body);
        if v2 {
            request = request.header(GIT_PROTOCOL, "version=2");
        }
        if repeat == Repeat::UntilDeadline {
            request = request.idempotent();
        }
        answer(request.send(cap).await.map_err(failed)?, kind)
    }

    /// Pushes. It is sent once.
    pub(super) async fn receive_pack(&self, body: Vec<u8>) -> Result<Report, LedgerError> {
        let request = self.client.request(Method::POST, &format!("{}/git-receive-pack", self.url)).map_err(failed)?;
        let kind = "application/x-git-receive-pack-result";
        let request = request.header(header::CONTENT_TYPE, "application/x-git-receive-pack-request");
        let response = request.header(header::ACCEPT, kind).body(body).send(LONGEST_REPORT).await.map_err(failed)?;
        Ok(report_status::answer(&answer(response, kind)?)?)
    }
}

/// Whether the server may have seen a request that failed so.
pub(super) fn was_sent(error: &LedgerError) -> bool {
    if let LedgerError::Http { source } = error { source.was_sent() } else { true }
}

/// An answer's body, where it is of the kind that Git's servers send.
fn answer(response: guarded_http::Response, kind: &str) -> Result<Bytes, LedgerError> {
    if !response.status().is_success() {
        return Err(failed(response.into_error()));
    }
    match response.header(&header::CONTENT_TYPE) {
        Some(is) if is.split(';').next().is_some_and(|is| is.trim().eq_ignore_ascii_case(kind)) => {
            Ok(response.bytes().clone())
        }
        other => Err(WireError::ContentType { said: Said::new(other.unwrap_or("of no type")) }.into()),
    }
}

fn failed(source: HttpError) -> LedgerError {
    let said = || Said::new(&source.to_string());
    match source.status() {
        Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => LedgerError::Denied { said: said() },
        Some(StatusCode::NOT_FOUND) => LedgerError::NoRepository { said: said() },
        _ => LedgerError::Http { source },
    }
}
