//! One run of a program: how long, how much CPU, how much memory.

use std::{
    env,
    error::Error,
    ffi::OsString,
    fs, hint, io,
    path::Path,
    process::{self, Command, Stdio},
    thread,
    time::Instant,
};

use sandbox::release::Hasher;
use serde::{Deserialize, Serialize};
use wait4::Wait4;

use crate::command::{CommandError, program, stdout};

/// What is run in a process of its own, because the kernel counts the memory of whoever starts a program as that program's: what starts
/// it must be small.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    line: Vec<OsString>,
}

/// What a run took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Taken {
    /// Seconds from its start to its end.
    pub(super) wall: f64,
    /// Seconds of CPU, the kernel's for it included.
    pub(super) cpu: f64,
    /// Of these, the kernel's.
    pub(super) system: f64,
    /// The most memory that was resident at once, in MiB.
    pub(super) memory: f64,
}

#[derive(Debug, thiserror::Error)]
enum MeasureError {
    #[error("`{line}` failed: {said}")]
    Failed { line: String, said: String },
}

/// The job behind [`measure`].
pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let (program, arguments) = args.line.split_first().ok_or("no program")?;
    let begun = Instant::now();
    let child = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let ended = child.wait4()?;
    let wall = begun.elapsed().as_secs_f64();
    if !ended.status.success() {
        return Err(format!("{} ({})", Path::new(program).display(), ended.status).into());
    }
    let (user, system) = (ended.rusage.utime.as_secs_f64(), ended.rusage.stime.as_secs_f64());
    let memory = ended.rusage.maxrss as f64 / f64::from(1 << 20);
    println!("{}", serde_json::to_string(&Taken { wall, cpu: user + system, system, memory })?);
    Ok(())
}

/// Runs a program to its end, with nothing of this process's environment but `PATH`, and a `HOME` of its own.
pub(super) fn measure(line: &[String], home: &Path) -> Result<Taken, Box<dyn Error>> {
    let mut command = Command::new(env::current_exe()?);
    let output = alone(command.arg("measured").args(line), home).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(MeasureError::Failed { line: line.join(" "), said }.into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Gives a program nothing of this process's environment but `PATH`, and a `HOME` of its own.
pub(super) fn alone<'c>(command: &'c mut Command, home: &Path) -> &'c mut Command {
    command.env_clear().envs(env::var_os("PATH").map(|path| ("PATH", path))).env("HOME", home)
}

/// The CPU that a process has had so far with all its threads, in seconds; the kernel tells hundredths.
pub(super) fn cpu_of(process: u32) -> io::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    seconds(ticks(&stat))
}

/// How long all processors together have had nothing to do so far, in seconds; the kernel tells hundredths.
pub(super) fn idle() -> io::Result<f64> {
    seconds(idle_ticks(&fs::read_to_string("/proc/stat")?))
}

fn seconds(ticks: Option<u64>) -> io::Result<f64> {
    ticks.map(|ticks| ticks as f64 / 100.0).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// User and system time (proc(5), fields 14 and 15). The name before them is in parentheses and may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let mut times = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let mut next = || times.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

/// Idle, and idle while a disk is awaited (proc(5), the fourth and the fifth figure of the first line).
fn idle_ticks(stat: &str) -> Option<u64> {
    let mut times = stat.strip_prefix("cpu ")?.split_whitespace().skip(3);
    let mut next = || times.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

/// Bytes that a second of CPU hashes with sha256, as a copy does it.
pub(super) fn hashing() -> io::Result<f64> {
    const CHUNKS: usize = 4096;
    let chunk = vec![0; 256 << 10];
    let before = cpu_of(process::id())?;
    let mut hasher = Hasher::default();
    for _ in 0..CHUNKS {
        hasher.update(&chunk);
    }
    hint::black_box(hasher.finish());
    Ok((CHUNKS * chunk.len()) as f64 / (cpu_of(process::id())? - before))
}

/// How many processors there are for what is measured.
pub(super) fn cores() -> io::Result<usize> {
    Ok(thread::available_parallelism()?.get())
}

/// What machine this is, without its name.
pub(super) fn machine() -> io::Result<String> {
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let model = value(&cpus, "model name").unwrap_or("unknown processors");
    let cores = cores()?;
    let memory = fs::read_to_string("/proc/meminfo")?;
    let kib: u64 = value(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or(0);
    let release = fs::read_to_string("/etc/os-release")?;
    let system = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("Linux");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let kernel: Vec<&str> = kernel.trim().split(['.', '-']).take(2).collect();
    let (system, kernel) = (system.trim_matches('"'), kernel.join("."));
    Ok(format!("{cores} cores ({model}), {} GiB of memory, {system}, Linux {kernel}", kib >> 20))
}

/// The day, in UTC.
pub(super) fn today() -> Result<String, CommandError> {
    let said = stdout(program("date").args(["-u", "+%Y-%m-%d"]))?;
    Ok(String::from_utf8_lossy(&said).trim().to_owned())
}

/// The number of processes that wanted to run in the last minute, on average.
pub(super) fn load() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/loadavg")?.split(' ').next().unwrap_or_default().to_owned())
}

/// Of lines like `model name : x`, the first of this name.
fn value<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_are_found_behind_any_name() {
        let stat = "71 (a) b (c) S 1 71 71 0 -1 4194304 100 5 0 0 31 12 700 900 20 0 9 0 12345 1 2";
        assert_eq!(ticks(stat), Some(43));
        assert_eq!(ticks("71 (short) S 1"), None);
        assert_eq!(idle_ticks("cpu  10 20 30 400 5 60 70 80 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n"), Some(405));
        assert_eq!(idle_ticks("cpu  10 20 30"), None);
    }

    #[test]
    fn a_process_that_works_has_had_cpu() {
        let begun = Instant::now();
        let before = cpu_of(process::id()).unwrap();
        while cpu_of(process::id()).unwrap() <= before {
            assert!(begun.elapsed().as_secs() < 60, "nothing was counted");
        }
    }
}
