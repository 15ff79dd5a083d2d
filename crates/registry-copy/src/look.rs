use futures_util::{
    FutureExt,
    future::{BoxFuture, try_join},
};
use release::{Digest, Tag};

use crate::{CopyError, Descriptor, Manifest, Options, beside::beside, side::Side};

/// What is known before anything is walked.
pub(crate) struct Look<'a> {
    pub(crate) root: Manifest,
    /// Whether the tag names it.
    pub(crate) tagged: bool,
    /// Its referrers at the source, which are on their way; `None`: it cannot tell.
    pub(crate) listed: BoxFuture<'a, Result<Option<Vec<Descriptor>>, CopyError>>,
}

/// What the tag says alone.
pub(crate) enum Settled {
    /// It names this other digest.
    Held { by: Digest },
    /// It names the digest, and no more is asked.
    Present,
}

/// Asks all that can be asked at once: the tag, where it was not seen before, the manifest and the list of its referrers. A tag that decides alone
/// waits for nothing else.
pub(crate) async fn look<'a>(
    from: Side<'a>,
    to: Side<'a>,
    digest: Digest,
    tag: &Tag,
    seen: Option<Option<Digest>>,
    options: &Options,
) -> Result<Result<Look<'a>, Settled>, CopyError> {
    let is_enough = !options.thorough && !options.referrers;
    let tagged = async {
        let held = match seen {
            Some(held) => Ok(held),
            None => to.resolve(tag).await,
        };
        match held {
            Ok(Some(by)) if by != digest => Err(Ok(Settled::Held { by })),
            Ok(Some(_)) if is_enough => Err(Ok(Settled::Present)),
            Ok(held) => Ok(held.is_some()),
            Err(error) => Err(Err(error)),
        }
    };
    let wanted = options.referrers;
    let list = async move { if wanted { from.known_referrers(digest).await } else { Ok(Some(Vec::new())) } };
    // The tag decides before any failure of the source.
    let first = try_join(tagged, async { Ok(from.manifest(digest).await) });
    let (first, listed) = beside(first, list.boxed()).await;
    let (tagged, root) = match first {
        Ok(first) => first,
        Err(settled) => return settled.map(Err),
    };
    let root = match root? {
        Some(root) => root,
        None if tagged => to.existing_manifest(digest).await?,
        None => return Err(from.no_manifest(digest)),
    };
    Ok(Ok(Look { root, tagged, listed }))
}
