use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::future::try_join_all;
use ledger::{Branch, Draft, FILE_LIMIT, Kind, LedgerError, Push, Refusal};
use release::CommitId;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    GitError, Repository,
    api::Failure,
    documents,
    places::Place,
    server_error::{self, ServerError},
};

/// The longest answer to a push: the server repeats its message.
const LONGEST: usize = 2 << 20;
/// How long a server that has refused a push may take to show that somebody else won.
const SECOND_LOOK: Duration = Duration::from_secs(1);

impl Repository {
    pub(super) async fn push_draft(
        &self,
        branch: &Branch,
        expected: &CommitId,
        draft: &Draft,
    ) -> Result<Push, LedgerError> {
        let changes = self.changes(expected, draft).await?;
        let is_fresh = self.seen().head.as_ref().is_some_and(|(of, head)| of == branch && head == expected);
        // The server would make a branch that is not there.
        if !is_fresh {
            match self.tip(branch).await? {
                None => return Err(LedgerError::NoBranch { branch: branch.clone() }),
                Some(tip) if tip != *expected => return Ok(Push::Stale),
                Some(_) => {}
            }
        }
        match self.send(branch, expected, draft, &changes).await {
            Ok(commit) => Ok(Push::Accepted(commit)),
            Err(Failure::Server(error)) => self.settle(branch, expected, error).await,
            Err(Failure::Denied(denied)) => match self.tip(branch).await {
                Ok(Some(tip)) if tip == *expected => Ok(Push::Refused(Refusal::Permission)),
                _ => Err(denied),
            },
            Err(Failure::Unheard(source)) => Err(LedgerError::MaybeLanded { commit: None, source: Box::new(source) }),
            Err(Failure::Unsent(error)) => Err(error),
        }
    }

    /// What became of a push to which the server said no, by its key and by where the branch stands now. A key that says
    /// that the branch has moved is believed: what comes of it is another try.
    async fn settle(&self, branch: &Branch, expected: &CommitId, error: ServerError) -> Result<Push, LedgerError> {
        use server_error::Kind::{NoRepository, Permission, Policy, Stale};
        let refusal = match error.kind {
            Stale => return Ok(Push::Stale),
            NoRepository => return Err(error.into()),
            Policy => Refusal::BranchPolicy,
            Permission => Refusal::Permission,
            _ => Refusal::Other(error.said.to_string()),
        };
        let mut tip = self.tip(branch).await?;
        if tip == Some(*expected) {
            // Who won may still be about to move the branch.
            sleep(SECOND_LOOK).await;
            tip = self.tip(branch).await?;
        }
        match tip {
            None => Err(LedgerError::NoBranch { branch: branch.clone() }),
            Some(tip) if tip == *expected => Ok(Push::Refused(refusal)),
            Some(_) => Ok(Push::Stale),
        }
    }

    /// Commits a draft on top of `parent`, which the branch must be at if it is there, and says what the server made.
    pub(super) async fn send(
        &self,
        branch: &Branch,
        parent: &CommitId,
        draft: &Draft,
        changes: &[Value],
    ) -> Result<CommitId, Failure> {
        let name = branch.to_string();
        let body = json!({
            "refUpdates": [{ "name": name, "oldObjectId": parent.to_string() }],
            "commits": [{ "comment": draft.message, "changes": changes }],
        });
        let answer = self.api.post("pushes", &body, LONGEST).await?;
        let moved = documents::read("push", answer.bytes(), documents::pushed).map_err(Failure::Unheard)?;
        let ours = moved.into_iter().find(|(moved, _)| *moved == name);
        ours.map(|(_, commit)| commit).ok_or_else(|| Failure::Unheard(GitError::Mistaken { what: "push" }.into()))
    }

    /// A draft in the server's words, once it is sure that each of its files can stand where it shall.
    pub(super) async fn changes(&self, parent: &CommitId, draft: &Draft) -> Result<Vec<Value>, LedgerError> {
        let places = try_join_all(draft.files.iter().map(|(path, _)| self.place(parent, path))).await?;
        let change = |((path, bytes), place): (&(ledger::RepoPath, bytes::Bytes), Place)| {
            if bytes.len() > FILE_LIMIT {
                return Err(LedgerError::TooLarge { path: path.clone(), bytes: bytes.len() as u64 });
            }
            let kind = match place {
                Place::File => "edit",
                Place::Nothing { under: None } => "add",
                Place::Nothing { under: Some(path) } => return Err(LedgerError::WrongKind { path, kind: Kind::File }),
                Place::Folder => return Err(LedgerError::WrongKind { path: path.clone(), kind: Kind::Folder }),
            };
            Ok(json!({
                "changeType": kind,
                "item": { "path": format!("/{path}") },
                "newContent": { "content": BASE64_STANDARD.encode(bytes), "contentType": "base64encoded" },
            }))
        };
        draft.files.iter().zip(places).map(change).collect()
    }
}
