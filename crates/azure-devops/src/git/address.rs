use guarded_http::Origin;
use ledger::{LedgerError, LedgerUrl};
use url::Url;

use super::GitError;

/// What comes between a project and a repository in the URL that people clone from.
const MARK: &str = "_git";
/// Where organizations are the first part of a path.
const CLOUD: &str = "dev.azure.com";

/// The server, the path of the repository's resources there, and its page.
pub(super) fn parse(url: &LedgerUrl) -> Result<(Origin, String, Url), LedgerError> {
    let refused = || LedgerError::from(GitError::Address { url: url.clone() });
    let origin = url.origin().ok_or_else(refused)?;
    let page = Url::parse(url.as_str().trim_end_matches('/')).map_err(|_| refused())?;
    let segments: Vec<&str> = page.path_segments().map(Iterator::collect).unwrap_or_default();
    let (before, repository) = match segments.as_slice() {
        [before @ .., mark, repository] if *mark == MARK => (before, *repository),
        _ => return Err(refused()),
    };
    let is_odd = |segment: &&str| segment.is_empty() || *segment == MARK;
    if repository == MARK || before.iter().any(is_odd) {
        return Err(refused());
    }
    let project = match before {
        [] => return Err(refused()),
        // A repository of its project's name may leave the project out.
        [organization] if page.host_str() == Some(CLOUD) => format!("{organization}/{repository}"),
        before => before.join("/"),
    };
    Ok((origin, format!("/{project}/_apis/git/repositories/{repository}"), page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_what_people_clone() {
        let root = |url: &str| parse(&url.parse().unwrap()).map(|(_, root, page)| (root, page.to_string())).ok();
        for (url, api) in [
            ("https://dev.azure.com/acme/forge/_git/ledger", "/acme/forge/_apis/git/repositories/ledger"),
            ("https://dev.azure.com/acme/big%20forge/_git/ledger/", "/acme/big%20forge/_apis/git/repositories/ledger"),
            ("https://dev.azure.com/acme/_git/ledger", "/acme/ledger/_apis/git/repositories/ledger"),
            ("https://acme.visualstudio.com/forge/_git/ledger", "/forge/_apis/git/repositories/ledger"),
            ("http://127.0.0.1:8080/tfs/all/forge/_git/ledger", "/tfs/all/forge/_apis/git/repositories/ledger"),
        ] {
            assert_eq!(root(url), Some((api.to_owned(), url.trim_end_matches('/').to_owned())), "{url}");
        }
        for url in [
            "https://dev.azure.com/acme/forge/ledger",
            "https://dev.azure.com/_git/ledger",
            "https://dev.azure.com/acme/forge/_git",
            "https://dev.azure.com/acme/forge/_git/ledger/x",
            "https://dev.azure.com/acme/_git/_git/ledger",
            "https://dev.azure.com/acme//_git/ledger",
            "ssh://git@ssh.dev.azure.com/v3/acme/forge/ledger",
            "file:///srv/_git/ledger",
        ] {
            assert_eq!(root(url), None, "{url}");
        }
    }
}
