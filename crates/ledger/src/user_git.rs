use std::path::Path;

use tokio::process::Command;

/// What we are told for ourselves alone: credentials of an Azure DevOps organization.
const OUR_SECRETS: [&str; 2] = ["SYSTEM_ACCESSTOKEN", "AZURE_DEVOPS_EXT_PAT"];

/// The git program, or one that it would run, with the configuration and the environment of the user who runs us, but
/// for our own secrets. It stands in the root folder, so that no repository's configuration is read but that of a
/// repository which is the root folder itself.
pub(crate) fn user_command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/");
    for name in ["GIT_DIR", "GIT_COMMON_DIR", "GIT_WORK_TREE", "GIT_CONFIG"].iter().chain(&OUR_SECRETS) {
        command.env_remove(name);
    }
    command
}
