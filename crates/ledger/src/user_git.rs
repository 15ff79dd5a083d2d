use std::path::Path;

use tokio::process::Command;

/// The git program, or one that it would run, with the configuration and the environment of the user who runs us. It
/// stands in the root folder, so that no repository's configuration is read.
pub(crate) fn user_command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/");
    for repository in ["GIT_DIR", "GIT_COMMON_DIR", "GIT_WORK_TREE", "GIT_CONFIG"] {
        command.env_remove(repository);
    }
    command
}
