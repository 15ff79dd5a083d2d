use std::{fmt, str::FromStr};

use http::Method;
use release::Repository;

use super::route::Route;

/// What may be done with a repository, as tokens say it (distribution's "Token Scope Documentation").
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) repository: Repository,
    pub(super) actions: Vec<Action>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Pull,
    Push,
    Delete,
}

impl Action {
    const ALL: [(&str, Self); 3] = [("pull", Self::Pull), ("push", Self::Push), ("delete", Self::Delete)];
}

/// What a request needs; `from` is where it mounts a blob from.
pub(super) fn needed(method: &Method, route: &Route, from: Option<Repository>) -> Vec<Scope> {
    let actions = match *method {
        Method::GET | Method::HEAD => vec![Action::Pull],
        Method::DELETE if !matches!(route, Route::Upload(..)) => vec![Action::Delete],
        _ => vec![Action::Pull, Action::Push],
    };
    let own = route.repository().map(|repository| Scope { repository: repository.clone(), actions });
    let source = from.map(|repository| Scope { repository, actions: vec![Action::Pull] });
    own.into_iter().chain(source).collect()
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Action::ALL.iter().filter(|(_, action)| self.actions.contains(action));
        let names: Vec<&str> = known.map(|(name, _)| *name).collect();
        write!(f, "repository:{}:{}", self.repository, names.join(","))
    }
}

impl FromStr for Scope {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (name, actions) = text.strip_prefix("repository:").and_then(|rest| rest.rsplit_once(':')).ok_or(())?;
        let named = |word: &str| Action::ALL.iter().find(|(name, _)| *name == word).map(|(_, action)| *action);
        let actions = actions.split(',').filter_map(named).collect();
        Ok(Self { repository: name.parse().map_err(drop)?, actions })
    }
}
