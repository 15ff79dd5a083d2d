//! The binary `check-policy`.

fn main() -> std::process::ExitCode {
    cli::check_policy()
}
