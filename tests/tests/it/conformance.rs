//! The Ledger's contract behind `git http-backend`. Each crate runs its own backends, and docker-registry and the
//! sandbox's registry too, through the contract that it owns.

use ledger::{conformance, git::Program, git::Settings};
use sandbox::Forge;
use tests::git;

#[tokio::test]
async fn the_git_program_conforms_on_git_http_backend() {
    let forge = Forge::start().await.unwrap();
    let client = Program::new(forge.ledger_url().parse().unwrap(), Settings::default());
    let rewind = async |to: release::CommitId| {
        git(&forge.ledger_dir(), &["update-ref", "refs/heads/main", &to.to_string()]);
    };
    conformance::check(&client, &"main".parse().unwrap(), rewind).await.unwrap();
    assert_eq!(git(&forge.ledger_dir(), &["fsck", "--strict", "--no-dangling", "--no-progress"]), "");
}
