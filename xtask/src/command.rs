//! Other programs, run from the project's root.

use std::env;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// The project's root directory.
pub(crate) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A program that could not be started or that failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("`{program}` could not be started")]
    Start { program: String, source: io::Error },
    #[error("the output of `{command}` could not be passed on")]
    Output { command: String, source: io::Error },
    #[error("`{command}` failed ({status})")]
    Failed { command: String, status: ExitStatus },
}

/// The cargo that runs this job.
pub(crate) fn cargo() -> Command {
    program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Where cargo puts what it builds.
pub(crate) fn target_directory() -> Result<PathBuf, Box<dyn Error>> {
    let metadata = stdout(cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: serde_json::Value = serde_json::from_slice(&metadata)?;
    let target = metadata.get("target_directory").and_then(serde_json::Value::as_str).ok_or("no target directory")?;
    Ok(target.into())
}

/// Any other program.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(ROOT).stdin(Stdio::null());
    command
}

/// Runs a command whose output is shown as it comes.
pub(crate) fn run(command: &mut Command) -> Result<(), CommandError> {
    let status = command.status().map_err(|source| not_started(command, source))?;
    succeeded(command, status)
}

/// Runs a command whose output is shown as it comes, and hands each line of its stdout to `watch`.
pub(crate) fn run_watched(command: &mut Command, mut watch: impl FnMut(&str)) -> Result<(), CommandError> {
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|source| not_started(command, source))?;
    let passed_on = child.stdout.take().map_or(Ok(()), |stdout| pass_on(stdout, &mut io::stdout(), &mut watch));
    let status = child.wait();
    let not_passed_on = |source| CommandError::Output { command: line(command), source };
    passed_on.map_err(not_passed_on)?;
    succeeded(command, status.map_err(not_passed_on)?)
}

/// Runs a command and returns what it wrote to stdout; its stderr is shown.
pub(crate) fn stdout(command: &mut Command) -> Result<Vec<u8>, CommandError> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|source| not_started(command, source))?;
    succeeded(command, output.status).map(|()| output.stdout)
}

/// Whether a program of this name is in a directory of `path`, which is a `PATH`.
pub(crate) fn is_on_path(name: &str, path: &OsStr) -> bool {
    env::split_paths(path).any(|directory| directory.join(name).is_file())
}

fn pass_on(from: impl Read, to: &mut impl Write, watch: &mut impl FnMut(&str)) -> io::Result<()> {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        watch(String::from_utf8_lossy(line.trim_ascii_end()).as_ref());
        line.clear();
    }
    Ok(())
}

fn succeeded(command: &Command, status: ExitStatus) -> Result<(), CommandError> {
    if status.success() { Ok(()) } else { Err(CommandError::Failed { command: line(command), status }) }
}

fn not_started(command: &Command, source: io::Error) -> CommandError {
    CommandError::Start { program: name(command).to_string_lossy().into_owned(), source }
}

fn line(command: &Command) -> String {
    let words: Vec<OsString> = [name(command)].into_iter().chain(command.get_args()).map(OsStr::to_owned).collect();
    words.join(OsStr::new(" ")).to_string_lossy().into_owned()
}

fn name(command: &Command) -> &OsStr {
    Path::new(command.get_program()).file_name().unwrap_or(command.get_program())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_as_a_person_would_give_it() {
        let error = run(program("/bin/sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "`sh -c exit 3` failed (exit status: 3)");
        assert!(matches!(run(&mut program("no-such-program")), Err(CommandError::Start { .. })));
    }

    #[test]
    fn output_is_what_the_command_wrote() {
        assert_eq!(stdout(program("echo").arg("hello")).unwrap(), b"hello\n");
    }

    #[test]
    fn output_is_passed_on_byte_for_byte_and_watched_as_text() {
        let (mut shown, mut lines) = (Vec::new(), Vec::new());
        pass_on(&b"a\r\nb\xff"[..], &mut shown, &mut |line: &str| lines.push(line.to_owned())).unwrap();
        assert_eq!(shown, b"a\r\nb\xff");
        assert_eq!(lines, ["a", "b\u{fffd}"]);
    }

    #[test]
    fn a_watched_command_can_fail() {
        assert!(run_watched(program("sh").args(["-c", "exit 0"]), |_| ()).is_ok());
        let failed = run_watched(program("sh").args(["-c", "exit 1"]), |_| ());
        assert!(matches!(failed, Err(CommandError::Failed { .. })));
    }

    #[test]
    fn a_program_is_looked_for_in_each_directory() {
        let directory = tempfile::tempdir().unwrap();
        let path = env::join_paths([Path::new("/nonexistent"), directory.path()]).unwrap();
        assert!(!is_on_path("skopeo", &path));
        std::fs::write(directory.path().join("skopeo"), "").unwrap();
        assert!(is_on_path("skopeo", &path));
    }
}
