use std::{fmt, pin::Pin, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use http::{HeaderMap, HeaderName, StatusCode, header};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::{
    Call, HttpError, Limits, Origin,
    blank::Secrets,
    location::{resolve, target},
    retry::retry_after,
};

/// A body as it arrives: the bytes that the server sent, or an error where they end early or stall.
pub type Download = Pin<Box<dyn Stream<Item = Result<Bytes, HttpError>> + Send>>;

/// The most bytes that are read of an answer that is no success.
const ERROR_CAP: usize = 64 * 1024;
/// A body that brings fewer bytes than this in the time of a stall has stalled: one byte now and then is no progress.
const STALL_BYTES: usize = 1024;

/// A whole answer.
pub struct Response {
    call: Call,
    url: Url,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    secrets: Secrets,
}

impl Response {
    /// The status: never a redirect, and after the retries of an idempotent request none that asks for another try.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// A header's value, where there is exactly one and it is visible ASCII.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none())?.to_str().ok()
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body; of an answer that is no success, its first 64 KiB.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// The body, read as JSON where the server declares it to be JSON.
    ///
    /// # Errors
    /// [`HttpError::NotJson`], [`HttpError::Json`].
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, HttpError> {
        let call = || self.call.clone();
        if !self.header(&header::CONTENT_TYPE).is_some_and(is_json) {
            let content_type = self.headers.get(header::CONTENT_TYPE).map(|value| self.secrets.shown(value.as_bytes()));
            return Err(HttpError::NotJson { call: call(), content_type });
        }
        serde_json::from_slice(&self.body).map_err(|source| HttpError::Json { call: call(), source: source.into() })
    }

    /// This answer, if its status is 2xx.
    ///
    /// # Errors
    /// [`HttpError::Status`].
    pub fn success(self) -> Result<Self, HttpError> {
        if self.status.is_success() { Ok(self) } else { Err(self.into_error()) }
    }

    /// The error that this answer is to a caller who expected another status.
    #[must_use]
    pub fn into_error(self) -> HttpError {
        HttpError::Status {
            status: self.status,
            detail: self.secrets.shown(&self.body),
            retry_after: retry_after(&self.headers, std::time::SystemTime::now()),
            call: self.call,
        }
    }

    /// The URL that a text in this answer (`Location`, `Link`) refers to; relative ones are relative to the request.
    ///
    /// # Errors
    /// [`HttpError::Reference`], and [`HttpError::ForeignOrigin`] for another server's.
    pub fn resolve(&self, reference: &str) -> Result<Url, HttpError> {
        resolve(self.call.origin(), &self.url, reference)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("call", &self.call).field("status", &self.status).finish_non_exhaustive()
    }
}

/// An answer whose body is still to come.
pub(crate) struct Opened {
    call: Call,
    limits: Limits,
    secrets: Secrets,
    response: reqwest::Response,
    waited: Duration,
    received: usize,
}

impl Opened {
    pub(crate) fn new(call: Call, limits: Limits, secrets: Secrets, response: reqwest::Response) -> Self {
        Self { call, limits, secrets, response, waited: Duration::ZERO, received: 0 }
    }

    /// This answer, if it can be one to the caller.
    ///
    /// # Errors
    /// [`HttpError::Redirect`] for any 3xx, [`HttpError::Encoded`] for a success in another encoding than identity.
    pub(crate) fn usable(self) -> Result<Self, HttpError> {
        if self.status().is_redirection() {
            let to = target(self.response.url(), self.headers());
            return Err(self.not_followed(to.map_or_else(|to| to, |url| Origin::of(&url).ok())));
        }
        if self.status().is_success() && self.is_encoded() {
            return Err(HttpError::Encoded { call: self.call });
        }
        Ok(self)
    }

    /// Whether a GET or HEAD is to be sent again to the `Location` (RFC 9110, 15.4).
    pub(crate) fn redirects(&self) -> bool {
        matches!(self.status().as_u16(), 301 | 302 | 303 | 307 | 308)
    }

    /// Where it redirects to, if that may be followed.
    ///
    /// # Errors
    /// [`HttpError::Redirect`].
    pub(crate) fn target(&self) -> Result<Url, HttpError> {
        target(self.response.url(), self.headers()).map_err(|to| self.not_followed(to))
    }

    fn not_followed(&self, to: Option<Origin>) -> HttpError {
        HttpError::Redirect { call: self.call.clone(), status: self.status(), to }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The whole answer, its body at most `cap` bytes.
    pub(crate) async fn read(mut self, cap: usize) -> Result<Response, HttpError> {
        let status = self.status();
        let mut body = BytesMut::new();
        if status.is_success() {
            if self.response.content_length().is_some_and(|length| length > cap as u64) {
                return Err(HttpError::TooLarge { call: self.call, cap });
            }
            while let Some(chunk) = self.next().await? {
                if body.len() + chunk.len() > cap {
                    return Err(HttpError::TooLarge { call: self.call, cap });
                }
                body.extend_from_slice(&chunk);
            }
        } else if !self.is_encoded() {
            body = self.explanation().await;
        }
        Ok(Response {
            call: self.call,
            url: self.response.url().clone(),
            status,
            headers: std::mem::take(self.response.headers_mut()),
            body: body.freeze(),
            secrets: self.secrets,
        })
    }

    /// Reads what is left of an answer that plays no part, so that its connection can be used again.
    pub(crate) async fn drain(mut self) {
        self.explanation().await;
    }

    /// The body of an answer that is no success, as far as it arrives: what its status says stands without it.
    async fn explanation(&mut self) -> BytesMut {
        let mut body = BytesMut::new();
        let end = Instant::now() + self.limits.stall;
        while let Ok(Ok(Some(chunk))) = timeout_at(end, self.next()).await {
            body.extend_from_slice(&chunk);
            if body.len() >= ERROR_CAP {
                break;
            }
        }
        body.truncate(ERROR_CAP);
        body
    }

    /// The body as it arrives.
    pub(crate) fn download(self) -> Download {
        Box::pin(stream::try_unfold(
            self,
            |mut opened| async move { Ok(opened.next().await?.map(|chunk| (chunk, opened))) },
        ))
    }

    async fn next(&mut self) -> Result<Option<Bytes>, HttpError> {
        let Limits { stall, deadline, .. } = self.limits;
        let start = Instant::now();
        let end = start + stall.saturating_sub(self.waited);
        let Ok(chunk) = timeout_at(end.min(deadline), self.response.chunk()).await else {
            let call = self.call.clone();
            return Err(if end < deadline {
                HttpError::Stalled { call, after: stall }
            } else {
                HttpError::Deadline { call }
            });
        };
        let chunk = chunk.map_err(|error| HttpError::of_transport(self.call.clone(), error))?;
        self.waited += start.elapsed();
        self.received += chunk.as_ref().map_or(0, Bytes::len);
        if self.received >= STALL_BYTES {
            (self.waited, self.received) = (Duration::ZERO, 0);
        }
        Ok(chunk)
    }

    fn is_encoded(&self) -> bool {
        self.response.headers().get_all(header::CONTENT_ENCODING).iter().any(|value| value != "identity")
    }
}

/// Whether a Content-Type is JSON's, or that of a format written in it (RFC 6839).
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}
