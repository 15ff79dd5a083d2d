use std::{
    any, env,
    process::{Command, Stdio},
};

const MARK: &str = "CONVEYOR_TEST_ALONE";

/// Credentials that nobody accepts and nobody may show.
pub(crate) const KEYS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "AKIACANARYKEYID00000"),
    ("AWS_SECRET_ACCESS_KEY", "canary-secret-access-key"),
    ("AWS_SESSION_TOKEN", "canary-session-token"),
];

/// Runs the body of a test in a process of its own whose environment has `variables` and little else: the environment
/// is what is tested, and a process cannot safely change its own.
///
/// It answers whether this is the process that waited for the other.
///
/// The body must be a closure that is written in the test, whose name is found by it.
pub(crate) fn alone<B: AsyncFnOnce()>(variables: &[(&str, &str)], body: B) -> bool {
    if is_alone() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(body());
        return false;
    }
    let test = any::type_name::<B>().trim_start_matches("it::").trim_end_matches("::{{closure}}");
    let output = Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env_clear()
        .envs(["PATH", "TMPDIR"].iter().filter_map(|name| Some((name, env::var_os(name)?))))
        .env(MARK, "1")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && text.contains("1 passed"), "{test}, alone:\n{text}");
    for canary in ["canary-secret-access-key", "canary-session-token"] {
        assert!(!text.contains(canary), "{canary} is in what {test} printed:\n{text}");
    }
    true
}

/// Whether this process is the one for a single test.
pub(crate) fn is_alone() -> bool {
    env::var_os(MARK).is_some()
}
