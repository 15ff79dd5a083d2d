//! A server that points elsewhere: judged by all bytes that the other servers get.

mod chains;
mod locations;
mod rules;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use guarded_http::{Authorize, AuthorizeError, Client, Credentials, HeaderValue, Refusal};

use crate::{credentials::origin, origin::limits, section, server::Server};

/// What no other server may get, in any form: the password, user and password in base64, a header of the request.
const CANARIES: [&str; 3] = ["canary-password", "cm9ib3Q6Y2FuYXJ5LXBhc3N3b3Jk", "canary-header"];
/// The query of each redirect, which is as good as a password at a storage service.
const SIGNED: &str = "X-Amz-Signature=canary%2Bsignature";

/// Gives Basic credentials, and says of each refusal that there are others now.
#[derive(Debug, Default)]
struct Generous {
    told: Mutex<usize>,
}

#[async_trait]
impl Authorize for Generous {
    async fn authorization(&self, _scope: &str) -> Result<Option<HeaderValue>, AuthorizeError> {
        let password = CANARIES[0].into();
        Ok(Credentials::Basic { user: "robot".into(), password }.header().unwrap())
    }

    async fn refused(&self, _refusal: &Refusal<'_>) -> Result<bool, AuthorizeError> {
        *self.told.lock().unwrap() += 1;
        Ok(true)
    }
}

fn client(server: &Server) -> (Client, Arc<Generous>) {
    let generous = Arc::new(Generous::default());
    (Client::authorized_by(origin(server.address), Arc::<Generous>::clone(&generous), limits()).unwrap(), generous)
}

fn has_credentials(request: &str) -> bool {
    CANARIES.iter().any(|canary| request.contains(canary))
}

#[tokio::test]
async fn origins_are_kept_apart_and_the_document_says_so() {
    let tables = [locations::table().await, chains::table().await, rules::table()];
    section::compare("redirects and locations", &tables.join("\n"));
}
