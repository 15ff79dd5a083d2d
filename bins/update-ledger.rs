//! The binary `update-ledger`.

fn main() -> std::process::ExitCode {
    cli::update_ledger()
}
