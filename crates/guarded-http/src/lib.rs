//! The one HTTP client of the workspace: registries, Azure DevOps, Argo CD and Git servers are spoken to through it.
//!
//! A [`Client`] belongs to one [`Origin`]; its credentials go there and nowhere else, which
//! [`Client::may_send_credentials`] alone decides. Everything else that could name a server is untrusted: a
//! `Location`, a `Link`, a redirect. What leads to another origin is an error that names that origin, and nothing is
//! sent there, unless it is a redirect of a request that follows them.
//!
//! * A GET or HEAD may follow three redirects, where [`Origin::may_redirect_to`] allows each. The credentials stay
//!   behind for good at the first step to another origin. What comes in the end is a success or an error.
//! * Credentials come from an [`Authorize`], which is told of a 401 or 403 once for each request and may then have
//!   others.
//! * Plain HTTP is for loopback alone, whatever the request.
//! * The environment moves no server: `HTTPS_PROXY` and its kin are ignored. A proxy set by an earlier step of a
//!   pipeline would see every connection, and together with `SSL_CERT_FILE` every credential. `localhost` is this
//!   machine without asking a resolver.
//! * Each body has a cap; nothing is allocated because a header claims a size. No content encoding is decoded, so
//!   that there is none to explode and a digest is of what was sent.
//! * A [`Request`] that may be repeated is repeated on transport faults and on 408, 429, 500, 502, 503 and 504, with
//!   jittered exponential pauses and the server's `Retry-After`, until the client's deadline. [`Client::telling`] says
//!   who is told.
//! * At most 64 requests are in flight; fewer after each 429, whose `Retry-After` holds all of them back, and more
//!   again as the server answers.
//! * An [`HttpError`] shows method, origin and path; never a query, a user, a password or more than 300 bytes of a
//!   server's text, and that escaped and without what the client sent of its credentials, or a redirect of its
//!   signature, where a server sends that back.
//!
//! HTTP/1.1 is spoken over pooled connections: measured as fast as any for blobs, and one broken stream is one broken
//! connection.

mod authorize;
mod blank;
mod client;
mod connections;
mod credentials;
mod error;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod json_error;
mod location;
mod origin;
mod request;
mod response;
mod retry;
mod text;
mod upload;

pub use authorize::{Authorize, AuthorizeError, Refusal};
pub use client::{Client, Limits};
pub use credentials::{Credentials, InvalidCredentials};
pub use error::{BodyError, Call, HttpError};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
pub use json_error::JsonError;
pub use origin::{Origin, OriginError};
pub use request::Request;
pub use response::{Download, Response};
pub use retry::{Retries, Told};
pub use text::shown;
pub use upload::Upload;
