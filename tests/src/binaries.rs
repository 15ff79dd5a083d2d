use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// Where one of the project's binaries is. The first call builds them all, into the directory that this test was built
/// into.
///
/// # Panics
/// When they do not build.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(build).join(name)
}

fn build() -> PathBuf {
    // TARGET/PROFILE/deps/it-0123456789abcdef
    let test = std::env::current_exe().unwrap();
    let directory = test.ancestors().nth(2).expect("a test is in TARGET/PROFILE/deps").to_owned();
    let target = directory.parent().unwrap();
    let profile = match directory.file_name().and_then(|name| name.to_str()).unwrap() {
        "debug" => "dev",
        name => name,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "bins", "--profile", profile, "--target-dir"])
        .arg(target)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the binaries do not build");
    directory
}
