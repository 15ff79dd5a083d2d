use std::{
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, copy, sink},
    process::{Child, Command},
    time::timeout,
};

use crate::LedgerError;

/// The most that one run may print: enough for a hundred files at their limit.
const LONGEST_OUTPUT: u64 = 128 << 20;
const LONGEST_COMPLAINT: u64 = 16 << 10;

/// What a program said.
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// Why nothing is known of what a program did.
pub(crate) enum Failure {
    /// It was not started.
    Start(io::Error),
    /// It could not be heard to its end.
    Broken(io::Error),
    /// It took too long.
    TimedOut,
    /// It said more than it may.
    TooMuch,
}

impl Failure {
    /// As an error of the git program, which was to do something.
    pub(crate) fn of_git(self, operation: &'static str, after: Duration) -> LedgerError {
        match self {
            Self::Start(source) => LedgerError::Io { operation, source },
            Self::Broken(source) => LedgerError::Interrupted { operation, source },
            Self::TimedOut => LedgerError::TimedOut { operation, after },
            Self::TooMuch => LedgerError::Garbled { operation },
        }
    }
}

/// Runs a program to its end, whatever its exit status. Where it is not heard to its end, or this call is dropped, it and
/// its own children are killed; what it leaves behind when it ends by itself, an agent say, stays.
pub(crate) async fn run(command: &mut Command, stdin: &[u8], limit: Duration) -> Result<Output, Failure> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    let mut running = Running::new(command.spawn().map_err(Failure::Start)?);
    let child = &mut running.child;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut to), Some(from), Some(complaints)) = pipes else {
        return Err(Failure::Broken(io::ErrorKind::BrokenPipe.into()));
    };
    let write = async move {
        // A program that fails early closes its input; its exit status says more than the broken pipe.
        drop(to.write_all(stdin).await);
    };
    let ended = timeout(limit, async {
        let (from, complaints) = (read(from, LONGEST_OUTPUT), read(complaints, LONGEST_COMPLAINT));
        let ((), stdout, stderr) = tokio::join!(write, from, complaints);
        Ok((running.child.wait().await?, stdout?, stderr?))
    });
    let ended = ended.await.map_err(|_| Failure::TimedOut)?;
    let (status, (stdout, rest), (stderr, _)) = ended.map_err(Failure::Broken)?;
    running.ended();
    if rest > 0 {
        return Err(Failure::TooMuch);
    }
    Ok(Output { status, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() })
}

/// A child and its own children, all of which are killed with it unless it has ended by itself.
struct Running {
    child: Child,
    group: Option<Pid>,
}

impl Running {
    fn new(child: Child) -> Self {
        let group = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        Self { child, group }
    }

    fn ended(&mut self) {
        self.group = None;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // The group may be gone already; there is nobody to tell.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// The first `limit` bytes, and how many came after them.
async fn read(mut from: impl AsyncRead + Unpin, limit: u64) -> io::Result<(Vec<u8>, u64)> {
    let mut kept = Vec::new();
    (&mut from).take(limit).read_to_end(&mut kept).await?;
    let rest = copy(&mut from, &mut sink()).await?;
    Ok((kept, rest))
}
