//! Cases that wait half a minute for nothing to come. The first that is asked for starts all of them, so that they wait
//! at the same time.

use std::{
    collections::BTreeMap,
    panic::resume_unwind,
    sync::{Mutex, OnceLock},
    thread::{self, JoinHandle},
};

use crate::{bombs, faults};

type Running = BTreeMap<&'static str, JoinHandle<()>>;

/// Until the case has ended; as it ended.
pub(crate) fn wait_for(name: &str) {
    static RUNNING: OnceLock<Mutex<Running>> = OnceLock::new();
    let case = RUNNING.get_or_init(|| Mutex::new(start())).lock().unwrap().remove(name).unwrap();
    if let Err(panic) = case.join() {
        resume_unwind(panic);
    }
}

fn start() -> Running {
    let bombs = bombs::slow().map(|(name, bomb)| (*name, run(async { drop(bombs::defuse(name, bomb).await) })));
    let faults = faults::slow().map(|(name, case)| (*name, run(case.run(name))));
    bombs.chain(faults).collect()
}

/// Runs a case in a thread of its own.
fn run(case: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    thread::spawn(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(case))
}
