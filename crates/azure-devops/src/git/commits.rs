use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use guarded_http::HeaderName;
use ledger::{Branch, LedgerError, Meta, RepoPath, Unanswered};
use release::CommitId;

use super::{
    GitError, Repository,
    api::Failure,
    documents::{self, Listed},
    server_error::Kind,
};

const CONTINUATION: HeaderName = HeaderName::from_static("x-ms-continuationtoken");
/// How many commits are asked for at once, and how many there may be of what is looked through: a hundred thousand.
const PAGE: usize = 100;
const MOST_PAGES: usize = 1_000;
/// How many pages of a branch's newest commits are looked through for the commit that a topic is on.
const NEWEST_PAGES: usize = 10;
/// How many of a commit's changes are asked for at once, and how many the server gives unasked: fewer end the list, but a
/// page that is shorter than was asked for may have been cut.
const CHANGES: usize = 1_000;
const UNASKED: usize = 100;
/// The longest page of a list, and the longest commit.
const LONGEST: usize = 8 << 20;
/// How many commits are read at once.
const AT_ONCE: usize = 8;

impl Repository {
    /// Where the server has a branch now. The list is of all refs whose names begin so.
    pub(super) async fn tip(&self, branch: &Branch) -> Result<Option<CommitId>, LedgerError> {
        let (name, filter) = (branch.to_string(), format!("heads/{}", branch.short()));
        let mut tokens = BTreeSet::new();
        let mut token = None;
        for _ in 0..MOST_PAGES {
            let mut query = vec![("filter", filter.as_str())];
            query.extend(token.as_deref().map(|token| ("continuationToken", token)));
            let page = self.api.get("refs", &query, LONGEST).await?;
            let refs = documents::read("list of refs", page.bytes(), documents::refs)?;
            if let Some((_, head)) = refs.into_iter().find(|(known, _)| *known == name) {
                return Ok(Some(head));
            }
            let Some(next) = page.header(&CONTINUATION).filter(|next| !next.is_empty()) else { return Ok(None) };
            if !tokens.insert(next.to_owned()) {
                break;
            }
            token = Some(next.to_owned());
        }
        Err(GitError::Endless { what: "refs" }.into())
    }

    pub(super) async fn history_of(
        &self,
        branch: &Branch,
        path: &RepoPath,
        limit: usize,
    ) -> Result<Vec<Meta>, LedgerError> {
        let mut ids: Vec<CommitId> = Vec::new();
        for page in 0..MOST_PAGES {
            if ids.len() >= limit {
                break;
            }
            let listed = self.page_of(branch, Some(path), page).await?;
            let is_last = listed.len() < PAGE;
            // While others push, what was on one page is on the next too.
            ids.extend(listed.iter().map(|commit| commit.id).filter(|id| !ids.contains(id)).collect::<Vec<_>>());
            if is_last {
                break;
            }
        }
        ids.truncate(limit);
        stream::iter(ids).map(|id| async move { self.one_commit(&id).await }).buffered(AT_ONCE).try_collect().await
    }

    pub(super) async fn one_commit(&self, id: &CommitId) -> Result<Meta, LedgerError> {
        let resource = format!("commits/{id}");
        let count = CHANGES.to_string();
        let answer = self.api.get(&resource, &[("changeCount", &count)], LONGEST).await;
        let answer = answer.map_err(|failure| match failure {
            Failure::Server(error) if error.kind == Kind::NoVersion => LedgerError::NoCommit { commit: *id },
            failure => failure.into(),
        })?;
        let told = documents::read("commit", answer.bytes(), documents::commit)?;
        let (mut meta, mut on_page, mut seen) = (told.meta, told.changes, told.changes);
        if meta.id != *id {
            return Err(GitError::Mistaken { what: "commit" }.into());
        }
        for _ in 1..MOST_PAGES {
            if on_page < UNASKED {
                return Ok(meta);
            }
            let skip = seen.to_string();
            let query = [("top", count.as_str()), ("skip", skip.as_str())];
            let answer = self.api.get(&format!("{resource}/changes"), &query, LONGEST).await?;
            let changes = documents::read("list of changes", answer.bytes(), documents::changes)?;
            meta.changed.extend(changes.files);
            meta.changed_others |= changes.others;
            on_page = changes.count;
            seen += on_page;
        }
        Err(GitError::Endless { what: "changes" }.into())
    }

    /// Looks through what the branch has, newest first by the committers' clocks, until the head that the push expected;
    /// and through a page more, for what came in by a merge and from a clock that is late.
    pub(super) async fn find_landed(
        &self,
        branch: &Branch,
        push: &Unanswered,
    ) -> Result<Option<CommitId>, LedgerError> {
        let mut is_passed = false;
        for page in 0..MOST_PAGES {
            let listed = self.page_of(branch, None, page).await?;
            let is_last = listed.len() < PAGE || is_passed;
            for commit in listed {
                is_passed |= commit.id == push.expected;
                if is_passed && !push.commits.is_empty() {
                    return Ok(None);
                }
                if !may_be(&commit, push) {
                    continue;
                }
                let meta = self.one_commit(&commit.id).await?;
                if push.is(&meta.id, &meta.parents, meta.run) {
                    return Ok(Some(meta.id));
                }
            }
            if is_last {
                return Ok(None);
            }
        }
        Err(GitError::Endless { what: "commits" }.into())
    }

    /// Which of some commits is among the newest of a branch.
    pub(super) async fn newest_of(
        &self,
        branch: &Branch,
        wanted: impl Iterator<Item = &CommitId> + Send,
    ) -> Result<Option<CommitId>, LedgerError> {
        let wanted: BTreeSet<CommitId> = wanted.copied().collect();
        for page in 0..NEWEST_PAGES {
            let listed = self.page_of(branch, None, page).await?;
            if let Some(found) = listed.iter().find(|commit| wanted.contains(&commit.id)) {
                return Ok(Some(found.id));
            }
            if listed.len() < PAGE {
                break;
            }
        }
        Ok(None)
    }

    async fn page_of(&self, branch: &Branch, path: Option<&RepoPath>, page: usize) -> Result<Vec<Listed>, LedgerError> {
        let (top, skip) = (PAGE.to_string(), (page * PAGE).to_string());
        let path = path.map(|path| format!("/{path}"));
        let mut query = vec![
            ("searchCriteria.itemVersion.version", branch.short()),
            ("searchCriteria.itemVersion.versionType", "branch"),
            ("searchCriteria.$top", top.as_str()),
            ("searchCriteria.$skip", skip.as_str()),
        ];
        query.extend(path.as_deref().map(|path| ("searchCriteria.itemPath", path)));
        match self.api.get("commits", &query, LONGEST).await {
            Ok(answer) => documents::read("list of commits", answer.bytes(), documents::listed),
            Err(Failure::Server(error)) => match error.kind {
                Kind::NoVersion => Err(LedgerError::NoBranch { branch: branch.clone() }),
                Kind::NoItem => Ok(Vec::new()),
                _ => Err(error.into()),
            },
            Err(failure) => Err(failure.into()),
        }
    }
}

/// Whether a commit in a list may be the push's: a list has no parents, and only the beginning of a long message.
fn may_be(commit: &Listed, push: &Unanswered) -> bool {
    match push.commits.as_slice() {
        [] => commit.is_cut || Meta::run_of(&commit.message) == Some(push.run),
        commits => commits.contains(&commit.id),
    }
}
