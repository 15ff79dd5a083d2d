use std::io;

use serde_json::{Value, json};

use super::{
    Shared,
    reply::{Error, Reply},
};
use crate::query::Query;

/// A pull request that is open.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    id: usize,
    source: String,
    target: String,
    title: String,
    description: String,
}

impl Opened {
    fn document(&self) -> Value {
        json!({
            "pullRequestId": self.id,
            "status": "active",
            "sourceRefName": self.source,
            "targetRefName": self.target,
            "title": self.title,
            "description": self.description,
        })
    }
}

impl Shared {
    pub(super) fn pull_requests(&self, query: &Query<'_>) -> Reply {
        let get = |name: &str| query.get(&format!("searchCriteria.{name}"));
        let (source, target) = (get("sourceRefName"), get("targetRefName"));
        let is = |wanted: &Option<String>, name: &String| wanted.as_ref().is_none_or(|wanted| wanted == name);
        let state = self.state();
        let found = state.pull_requests.iter().filter(|open| is(&source, &open.source) && is(&target, &open.target));
        Reply::list(&found.map(Opened::document).collect::<Vec<_>>())
    }

    pub(super) async fn open(&self, request: &Value) -> io::Result<Reply> {
        let text = |name| request.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(source), Some(target), Some(title)) = (text("sourceRefName"), text("targetRefName"), text("title"))
        else {
            return Ok(Error::Argument("pullRequest").into());
        };
        let description = text("description").unwrap_or_default();
        // Within what the real server takes.
        if title.chars().count() > 400 || description.chars().count() > 4_000 {
            return Ok(Error::Argument("title").into());
        }
        for name in [&source, &target] {
            if self.store.tip(name).await?.is_none() {
                return Ok(Error::Argument("sourceRefName").into());
            }
        }
        let mut state = self.state();
        if state.pull_requests.iter().any(|open| open.source == source && open.target == target) {
            return Ok(Error::PullRequestExists.into());
        }
        let opened = Opened { id: state.pull_requests.len() + 1, source, target, title, description };
        let document = opened.document();
        state.pull_requests.push(opened);
        Ok(Reply::created(document))
    }
}
