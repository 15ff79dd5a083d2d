//! What the scenarios in `tests/it` stand on: the real binaries, real servers as processes, and proxies that make
//! servers lie, hang and disappear.
//!
//! Nothing here skips: a component that is missing fails the test and says what to install. All servers are on
//! loopback, on ports that the system chooses, and end with the value that started them.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what the scenarios stand on fails by panicking, as a test does"
)]

mod agent;
mod binaries;
mod company;
mod docker_engine;
mod docker_registry;
mod git;
mod people;
mod ran;
mod tls;
mod witness;

pub use agent::{Agent, Measured};
pub use binaries::binary;
pub use company::{APP, Company, RELEASE, State};
pub use docker_engine::DockerEngine;
pub use docker_registry::{DockerRegistry, PASSWORD, USER};
pub use git::git;
pub use people::{ana, bo};
pub use ran::Ran;
pub use sandbox::{Act, Answer, Phase, Seen};
pub use tls::{CertificateAuthority, Issued, own_address};
pub use witness::{Pushed, Witness};
