//! The sandbox is what it says: real protocols, tried with real clients.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../../../registry-copy/tests/it/docker_registry.rs"]
#[expect(dead_code, reason = "its own crate's tests need more of it")]
mod docker_registry;

mod distribution;
mod fault_proxy;
mod forge;
mod git;
mod image;
mod ledger;
mod manners;
mod registry;
mod releases;

use std::time::Duration;

use guarded_http::Limits;
use release::{Actor, ActorId};
use sandbox::Forge;
use tokio::time::Instant;

fn limits() -> Limits {
    let patience = Duration::from_secs(60);
    Limits { connect: patience, stall: patience, deadline: Instant::now() + patience }
}

/// The status of a bare request, with the user and password given.
async fn status(url: &str, login: Option<(&str, &str)>) -> u16 {
    let request = reqwest::Client::new().get(url);
    let request = match login {
        Some((user, password)) => request.basic_auth(user, Some(password)),
        None => request,
    };
    request.send().await.unwrap().status().as_u16()
}

fn person(number: u8, name: &str) -> Actor {
    Actor { id: ActorId::AzureDevOps(format!("00000000-0000-4000-8000-0000000000{number:02x}")), name: name.to_owned() }
}

async fn forge() -> Forge {
    Forge::start().await.unwrap()
}
