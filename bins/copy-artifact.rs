//! The binary `copy-artifact`.

fn main() -> std::process::ExitCode {
    cli::copy_artifact()
}
