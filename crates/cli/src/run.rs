use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Parser, error::ErrorKind};
use conveyor::{Account, Error, Outcome};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::sleep_until;

use crate::{
    agent,
    document::{Document, Ended, Head},
    exit,
    flags::{Common, Output},
    human,
    manual::manual,
    session::{self, Session},
    untrusted::untrusted,
};

/// How long after the deadline a command may still put its own words to what did not work.
const GRACE: Duration = Duration::from_secs(1);

/// How many threads work at most: two hash faster than a network brings bytes, and each costs memory.
const MOST_WORKERS: usize = 4;

/// A binary: its arguments and what it does with them.
pub(crate) trait Command: Parser {
    /// Its own part of the JSON document.
    type Body: Serialize + JsonSchema;

    /// The name in the JSON document's schema.
    const NAME: &'static str;

    /// The outcomes that its document may tell.
    const OUTCOMES: &'static [&'static str];

    /// The flags of every command.
    fn common(&self) -> &Common;

    /// The repository that it works with, where that is no Ledger.
    fn repository(&self) -> Option<&str> {
        None
    }

    /// Whether what it writes is to be signed.
    fn signs(&self) -> bool {
        false
    }

    /// Does it.
    async fn execute(&self, session: &Session, account: &mut Account) -> Result<Outcome, Error>;

    /// Its own part of the JSON document; no session where it did not come that far.
    fn body(account: &Account, ended: &Ended, session: Option<&Session>) -> Self::Body;
}

/// Parses the arguments, executes the command under its deadline and the signals, prints the result.
pub(crate) fn run<C: Command>() -> ExitCode {
    let began = Instant::now();
    let mut account = Account::default();
    let misused = |words| finish::<C>(asked_for(), &Account::default(), &Ended::Misused(words), None, began);
    let words: Vec<String> = std::env::args().skip(1).collect();
    match manual(C::command(), &words) {
        Some(Ok(text)) => return printed(io::stdout().write_all(&text), 0),
        Some(Err(wrong)) => return misused(wrong),
        None => {}
    }
    let command = match C::try_parse() {
        Ok(command) => command,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return printed(error.print(), 0);
        }
        Err(error) => return misused(error.render().to_string()),
    };
    let output = command.common().output;
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return finish::<C>(output, &account, &Ended::Failed(Error::Setup(error)), None, began),
    };
    let code = runtime.block_on(async {
        match Session::open(command.common(), command.repository(), command.signs()) {
            Err(error) => finish::<C>(output, &account, &Ended::Failed(error), None, began),
            Ok(session) => {
                let ended = supervised(&command, &session, &mut account).await;
                account.warnings.extend(session.live.warning());
                finish::<C>(output, &account, &ended, Some(&session), began)
            }
        }
    });
    // A read of a file that hangs keeps nobody from stopping.
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

async fn supervised<C: Command>(command: &C, session: &Session, account: &mut Account) -> Ended {
    tokio::select! {
        biased;
        signal = signalled() => Ended::Signalled(signal),
        () = sleep_until(session.deadline + GRACE) => Ended::Failed(Error::Deadline),
        never = session.progress.beat() => match never {},
        ended = command.execute(session, account) => match ended {
            Ok(outcome) => Ended::Came(outcome),
            Err(error) => Ended::Failed(error),
        },
    }
}

/// Prints the result on stdout and the rest on stderr.
fn finish<C: Command>(
    output: Output,
    account: &Account,
    ended: &Ended,
    session: Option<&Session>,
    began: Instant,
) -> ExitCode {
    if let Some(session) = session {
        session.progress.finish();
    }
    let head = Head::new(C::NAME, account, ended, began.elapsed());
    let code = exit::code(ended);
    let told = human::warnings(&head) + &human::tell(&head, account, ended);
    if session::on_an_agent() {
        let commands = agent::result(&head, account, (code != 0).then(|| human::tell(&head, account, ended)));
        let _closed = io::stderr().write_all(commands.as_bytes());
    }
    let document = Document { head, body: C::body(account, ended, session) };
    let result = match (output, code) {
        (Output::Json, _) => writeln!(io::stdout(), "{}", document.to_line()),
        (Output::Human, 0) => io::stdout().write_all(untrusted(&told).as_bytes()),
        (Output::Human, _) => Ok(()),
    };
    if code != 0 {
        let _closed = io::stderr().write_all(untrusted(&told).as_bytes());
    }
    printed(result, code)
}

/// The exit code once stdout is written. That nobody reads on is nobody's error; that a disk is full is one.
fn printed(result: io::Result<()>, code: u8) -> ExitCode {
    let written = result.and_then(|()| io::stdout().flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let _closed = writeln!(io::stderr(), "error: the result could not be written to stdout: {error}");
            ExitCode::from(code.max(1))
        }
        _ => ExitCode::from(code),
    }
}

/// The output that was asked for, where clap could not make sense of the arguments.
fn asked_for() -> Output {
    let words: Vec<String> = std::env::args().collect();
    let json = words.iter().any(|word| word == "--output=json")
        || words.windows(2).any(|pair| matches!(pair, [flag, value] if flag == "--output" && value == "json"));
    if json { Output::Json } else { Output::Human }
}

/// The number of the signal that asks this process to stop.
async fn signalled() -> u8 {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => 2,
        _ = terminate.recv() => 15,
    }
}
