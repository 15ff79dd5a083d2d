use bytes::Bytes;
use ledger::{Branch, RepoPath, conformance, git, memory::Repository};

use crate::bare;

#[tokio::test]
async fn memory_conforms() {
    let main: Branch = "main".parse().unwrap();
    let server = Repository::new();
    let readme: RepoPath = "README.md".parse().unwrap();
    server.commit_files(&main, &[(readme, Some(Bytes::from_static(b"seed\n")))], "seed\n").unwrap();
    conformance::check(&server, &main, async |to| server.rewind(&main, &to).unwrap()).await.unwrap();
    conformance::check_turns(&server, &main).await.unwrap();
    conformance::check_pull_requests(&server, &main).await.unwrap();
}

#[tokio::test]
async fn the_git_program_conforms_on_a_bare_repository() {
    let (main, server) = ("main".parse().unwrap(), bare::Server::new());
    let client = git::Program::new(server.url(), git::Settings::default());
    conformance::check(&client, &main, async |to| server.rewind(&to)).await.unwrap();
    server.stream(&conformance::oddities(&main));
    conformance::check_oddities(&client, &main).await.unwrap();
    server.assert_clean();
}
