//! The binary `conveyor`.

fn main() -> std::process::ExitCode {
    cli::conveyor()
}
