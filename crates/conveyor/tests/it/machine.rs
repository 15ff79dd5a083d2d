//! Many runs at once against servers that fail, in every order: what must hold, holds all the time, and running
//! everything again brings it to the same end.

mod exhaustive;
mod judge;
mod model;
mod publish;
mod schedule;
mod storm;

use std::time::Duration;

/// Runs a future on a clock that stands still unless everybody waits.
fn on_paused_time(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(future);
    // A file that is still being read for a dropped future keeps nobody waiting.
    runtime.shutdown_timeout(Duration::ZERO);
}
