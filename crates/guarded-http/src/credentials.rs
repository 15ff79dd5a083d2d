use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

/// What a client says about who asks. Nothing of it is ever shown.
#[derive(Clone)]
pub enum Credentials {
    /// Nobody in particular.
    Anonymous,
    /// A user and a password (RFC 7617).
    Basic {
        /// The user; it may be empty, as Azure DevOps wants it, and has no colon in it.
        user: String,
        /// The password or token.
        password: SecretString,
    },
    /// A token (RFC 6750).
    Bearer(SecretString),
}

/// The user or the secret holds a character that no `Authorization` header can carry. It does not show which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the credentials hold a character that cannot be sent")]
pub struct InvalidCredentials;

impl Credentials {
    /// The value of the `Authorization` header, marked as sensitive; none for nobody in particular.
    ///
    /// # Errors
    /// [`InvalidCredentials`]: a colon in the user, a line break or another control character in the secret.
    pub fn header(&self) -> Result<Option<HeaderValue>, InvalidCredentials> {
        let text = match self {
            Self::Anonymous => return Ok(None),
            Self::Basic { user, .. } if user.contains(':') => return Err(InvalidCredentials),
            Self::Basic { user, password } => {
                format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{}", password.expose_secret())))
            }
            Self::Bearer(token) => format!("Bearer {}", token.expose_secret()),
        };
        let mut value = HeaderValue::try_from(text).map_err(|_| InvalidCredentials)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Basic { .. } => "Basic(…)",
            Self::Bearer(_) => "Bearer(…)",
        })
    }
}
