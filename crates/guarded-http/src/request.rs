mod attempt;

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tokio::time::sleep;
use url::Url;

use crate::{Call, Client, Download, HttpError, Response, Upload, blank::Secrets, error::is_temporary};

/// A request to a client's origin.
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
    /// Whether a refusal was told to who authorizes.
    asked: bool,
    secrets: Secrets,
}

enum Body {
    Empty,
    Bytes(Bytes),
    Stream(Upload),
    Spent,
}

impl<'a> Request<'a> {
    pub(crate) fn new(client: &'a Client, method: Method, url: Url) -> Self {
        Self {
            call: Call::new(method.clone(), client.origin.clone(), url.path()),
            idempotent: matches!(method, Method::GET | Method::HEAD),
            headers: HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))]),
            body: Body::Empty,
            scope: String::new(),
            follows: false,
            fit: true,
            asked: false,
            secrets: Secrets::default(),
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

    /// Follows up to three redirects of a GET or HEAD, as registries redirect blobs to a storage service.
    ///
    /// [`Origin::may_redirect_to`](crate::Origin::may_redirect_to) says where they may lead. From the first step to
    /// another origin on nothing of the request is sent but `Accept`, `Accept-Encoding`, `Range` and `If-Range`, also
    /// where a later step leads back. Any answer but a success at the end of the way is an
    /// [`HttpError::Redirected`], which no [`Authorize`](crate::Authorize) is told of; a temporary one begins again at
    /// the first URL, since a signed target expires.
    #[must_use]
    pub fn follow_redirects(mut self) -> Self {
        self.follows = true;
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
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Request").field(&self.call).finish()
    }
}
