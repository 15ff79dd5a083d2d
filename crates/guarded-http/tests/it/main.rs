#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
//! One client, one origin: judged by what servers on loopback get to see.

mod authorize;
mod bodies;
mod credentials;
mod errors;
mod gate;
mod origin;
mod origins;
mod redirects;
mod retries;
mod section;
mod server;
