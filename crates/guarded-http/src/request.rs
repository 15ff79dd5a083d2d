use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use tokio::time::{Instant, sleep, sleep_until};
use url::Url;

use crate::{
    Call, Client, Download, HttpError, Refusal, Response, Upload, blank::Secrets, error::is_temporary,
    response::Opened, upload::Progress,
};

/// A request to a client's origin.
#[derive(Debug)]
pub struct Request<'a> {
    client: &'a Client,
    call: Call,
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Body,
    scope: String,
    idempotent: bool,
    follows: bool,
    fit: bool,
}

#[derive(Debug)]
enum Body {
    Empty,
    Bytes(Bytes),
    Stream(Upload),
    Spent,
}

impl<'a> Request<'a> {
    pub(crate) fn new(client: &'a Client, method: Method, url: Url) -> Self {
        Self {
            call: client.call(&method, &url),
            idempotent: matches!(method, Method::GET | Method::HEAD),
            headers: HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))]),
            body: Body::Empty,
            scope: String::new(),
            follows: false,
            fit: true,
            client,
            method,
            url,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => drop(self.headers.append(name, value)),
            Err(_) => self.fit = false,
        }
        self
    }

    /// What the request needs, in the server's own words: see [`Authorize::authorization`](crate::Authorize).
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = scope.into();
        self
    }

    /// Sends these bytes.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Bytes>) -> Self {
        self.body = Body::Bytes(bytes.into());
        self
    }

    /// Sends a stream, with its length in `Content-Length`. Such a request is sent once.
    #[must_use]
    pub fn upload(mut self, upload: Upload) -> Self {
        self.body = Body::Stream(upload);
        self
    }

    /// Says that doing this twice is the same as doing it once, so that it is repeated on temporary faults.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Follows up to three redirects of a GET to a storage service. Credentials go to the client's origin alone.
    #[must_use]
    pub fn follow_redirects(mut self) -> Self {
        self.follows = self.method == Method::GET;
        self
    }

    /// Sends it, and reads the whole answer: a success of at most `cap` bytes, any other up to 64 KiB of it.
    ///
    /// An answer with any status but a redirect is returned; of an idempotent request none that is temporary is.
    ///
    /// # Errors
    /// Every [`HttpError`] that is about one call, [`HttpError::Exhausted`] after repeated ones.
    pub async fn send(mut self, cap: usize) -> Result<Response, HttpError> {
        let mut retries = self.client.retries();
        loop {
            match self.attempt(cap).await {
                Err(error) if self.may_repeat(&error) => sleep(retries.pause(error)?).await,
                result => return result,
            }
        }
    }

    /// Sends it, and returns the body as it arrives. What fails once that has begun is not repeated.
    ///
    /// # Errors
    /// As [`send`](Self::send), and [`HttpError::Status`] for any status but 2xx.
    pub async fn download(mut self) -> Result<Download, HttpError> {
        let mut retries = self.client.retries();
        loop {
            let error = match self.open().await {
                Ok(opened) if opened.status().is_success() => return Ok(opened.download()),
                Ok(opened) => opened.read(0).await?.into_error(),
                Err(error) => error,
            };
            if !self.may_repeat(&error) {
                return Err(error);
            }
            sleep(retries.pause(error)?).await;
        }
    }

    fn may_repeat(&self, error: &HttpError) -> bool {
        error.is_retryable() && self.idempotent && !matches!(self.body, Body::Spent)
    }

    async fn attempt(&mut self, cap: usize) -> Result<Response, HttpError> {
        let response = self.open().await?.read(cap).await?;
        if self.idempotent && is_temporary(response.status()) { Err(response.into_error()) } else { Ok(response) }
    }

    /// One attempt, up to the answer's headers; two where the first was refused and there are other credentials.
    async fn open(&mut self) -> Result<Opened, HttpError> {
        let no_credentials = |source| HttpError::Authorize { call: self.call.clone(), source };
        let sent = self.client.authorization(&self.url, &self.scope).await.map_err(no_credentials)?;
        let opened = self.open_as(sent.as_ref()).await?;
        if !matches!(opened.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Ok(opened);
        }
        let challenges = opened.headers().get_all(header::WWW_AUTHENTICATE).iter();
        let refusal = Refusal {
            scope: &self.scope,
            status: opened.status(),
            sent: sent.as_ref(),
            challenges: challenges.filter_map(|value| value.to_str().ok()).collect(),
        };
        let no_credentials = |source| HttpError::Authorize { call: self.call.clone(), source };
        if !self.client.authorize.refused(&refusal).await.map_err(no_credentials)? {
            return Ok(opened);
        }
        if matches!(self.body, Body::Spent) {
            return Err(HttpError::Renewed { call: self.call.clone() });
        }
        let renewed = self.client.authorization(&self.url, &self.scope).await.map_err(no_credentials)?;
        self.open_as(renewed.as_ref()).await
    }

    async fn open_as(&mut self, authorization: Option<&HeaderValue>) -> Result<Opened, HttpError> {
        let limits = self.client.limits;
        let call = || self.call.clone();
        if !self.fit {
            return Err(HttpError::Header { call: call() });
        }
        let progress = Progress::new(Instant::now() + limits.connect);
        let mut request = reqwest::Request::new(self.method.clone(), self.url.clone());
        *request.headers_mut() = self.headers.clone();
        if let Some(authorization) = authorization {
            request.headers_mut().insert(header::AUTHORIZATION, authorization.clone());
        }
        let length = match &self.body {
            Body::Bytes(bytes) => {
                *request.body_mut() = Some(bytes.clone().into());
                Some(bytes.len() as u64)
            }
            Body::Stream(upload) => Some(upload.length),
            Body::Empty | Body::Spent => matches!(self.method, Method::POST | Method::PUT | Method::PATCH).then_some(0),
        };
        if let Some(length) = length {
            request.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        }
        if matches!(self.body, Body::Stream(_))
            && let Body::Stream(upload) = std::mem::replace(&mut self.body, Body::Spent)
        {
            *request.body_mut() = Some(upload.into_body(&progress));
        }
        self.client.count();
        let result = tokio::select! {
            biased;
            result = self.client.http.execute(request) => result,
            after = progress.stalled(limits.stall) => return Err(HttpError::Stalled { call: call(), after }),
            () = sleep_until(limits.deadline) => return Err(HttpError::Deadline { call: call() }),
        };
        if let Some(source) = progress.failure() {
            return Err(HttpError::Upload { call: call(), source });
        }
        match result {
            Ok(response) => Opened::new(call(), limits, Arc::new(Secrets::of(authorization)), response),
            Err(error) => Err(HttpError::of_transport(call(), error)),
        }
    }
}
