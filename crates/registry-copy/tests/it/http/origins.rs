//! A registry that points elsewhere: judged by all bytes that the other servers get. The tables are in
//! `docs/origins.md`.

mod realms;
mod sessions;

use guarded_http::Credentials;

use super::{
    registry_as, section,
    server::{Answer, Server, reply},
};

/// What no wrong server may get and no error may show, in any form: the password, user and password in base64, a token.
const CANARIES: [&str; 3] = ["canary-password", "cm9ib3Q6Y2FuYXJ5LXBhc3N3b3Jk", "canary-token"];

fn robot() -> Credentials {
    Credentials::Basic { user: "robot".into(), password: CANARIES[0].into() }
}

fn has_credentials(bytes: &str) -> bool {
    CANARIES.iter().any(|canary| bytes.contains(canary))
}

/// Credentials behind a `+`, the start of a request otherwise.
fn asked(server: &Server) -> Vec<String> {
    let line = |request: &String| {
        let start = request.split([' ', '?']).take(2).collect::<Vec<_>>().join(" ");
        if has_credentials(request) { format!("{start} +") } else { start }
    };
    server.seen().iter().map(line).collect()
}

#[tokio::test]
async fn origins_of_tokens_and_uploads() {
    let tables =
        [realms::challenges().await, realms::answers().await, sessions::locations().await, sessions::links().await];
    section::compare("challenges and tokens", &tables.join("\n"));
}
