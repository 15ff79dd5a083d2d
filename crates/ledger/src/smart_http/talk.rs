use release::CommitId;

use super::{Server, connection::Repeat, lock};
use crate::{
    LedgerError,
    objects::{Object, pack},
    wire::{
        Refs, WireError,
        advertisement::{self, Ways},
        fetch::{self, Fetch},
        ls_refs,
    },
};

/// What is known about a server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    ways: Ways,
    /// Whether it has listed refs in these ways, or said that it would.
    lists: bool,
    /// Whether it has sent a pack in these ways, or said that it would.
    sends: bool,
}

impl Default for Known {
    fn default() -> Self {
        Self { ways: Ways::OPTIMISTIC, lists: false, sends: false }
    }
}

/// What is only hoped is tried once: trying again would not change what the server is.
fn repeat(is_sure: bool) -> Repeat {
    if is_sure { Repeat::UntilDeadline } else { Repeat::Never }
}

impl Server {
    /// The refs whose names begin with one of these, and perhaps others.
    pub(super) async fn refs(&self, prefixes: &[&str]) -> Result<Refs, LedgerError> {
        let known = *lock(&self.known);
        if known.ways.v2 {
            match self.ls_refs(prefixes, repeat(known.lists)).await {
                Ok(refs) => {
                    lock(&self.known).lists = true;
                    return Ok(refs);
                }
                Err(error) if known.lists || is_final(&error) => return Err(error),
                Err(_) => {}
            }
        }
        match self.discover().await? {
            Some(refs) => Ok(refs),
            None => self.ls_refs(prefixes, Repeat::UntilDeadline).await,
        }
    }

    async fn ls_refs(&self, prefixes: &[&str], repeat: Repeat) -> Result<Refs, LedgerError> {
        let answer = self.connection.refs(ls_refs::request(prefixes), repeat).await?;
        Ok(ls_refs::answer(&answer)?)
    }

    /// Fetches objects, which are kept from then on.
    pub(super) async fn fetch(&self, fetch: &Fetch<'_>) -> Result<Vec<Object>, LedgerError> {
        let known = *lock(&self.known);
        match self.fetch_by(known.ways, fetch, repeat(known.sends)).await {
            Ok(objects) => {
                let tried_all = fetch.filter.is_some() && fetch.depth.is_some();
                lock(&self.known).sends |= tried_all;
                Ok(objects)
            }
            Err(error) if known.sends || is_final(&error) => Err(error),
            Err(_) => {
                self.discover().await?;
                let ways = lock(&self.known).ways;
                self.fetch_by(ways, fetch, Repeat::UntilDeadline).await
            }
        }
    }

    async fn fetch_by(&self, ways: Ways, fetch: &Fetch<'_>, repeat: Repeat) -> Result<Vec<Object>, LedgerError> {
        let answer = self.connection.pack(fetch.request(&ways), ways.v2, repeat).await?;
        let pack = fetch::answer(&answer, &ways, fetch.depth.is_some())?;
        drop(answer);
        let objects = pack::read(&pack, &|id| lock(&self.cache).get(id));
        let objects = objects.map_err(|source| LedgerError::Pack { source })?;
        let mut cache = lock(&self.cache);
        for object in &objects {
            cache.put(object.clone());
        }
        Ok(objects)
    }

    /// Asks the server what it can; in versions 0 and 1 of the protocol it says its refs with that.
    async fn discover(&self) -> Result<Option<Refs>, LedgerError> {
        let (ways, refs) = advertisement::answer(&self.connection.advertisement().await?)?;
        *lock(&self.known) = Known { ways, lists: true, sends: true };
        Ok(refs)
    }

    /// Whether any object can be had by its id.
    pub(super) fn sends_by_id(&self) -> bool {
        lock(&self.known).ways.by_id
    }

    /// The heads of all branches.
    pub(super) async fn heads(&self) -> Result<Vec<CommitId>, LedgerError> {
        let refs = self.refs(&["refs/heads/"]).await?;
        Ok(refs.into_iter().filter(|(name, _)| name.starts_with("refs/heads/")).map(|(_, id)| id).collect())
    }
}

/// Whether an answer says the same however it is asked.
fn is_final(error: &LedgerError) -> bool {
    matches!(error, LedgerError::Denied { .. })
}

/// Whether the server says that it does not hand out what was asked for.
pub(super) fn is_refused(error: &LedgerError) -> bool {
    matches!(error, LedgerError::Wire { source: WireError::Refused { .. } })
}
