use registry_copy::{CopyError, Destination, Observer, Options, Planned, Source};
use release::Digest;

use crate::{Moved, Outcome};

/// What became of one copy.
pub(crate) enum Moving {
    /// It is there, or would be.
    Done { already_present: bool, moved: Moved },
    /// The tag names another digest.
    Held { by: Digest },
}

/// Copies; in a dry run only says what a copy would move. `seen` is what the destination's tag was just seen to hold.
pub(crate) async fn copy(
    source: &Source<'_>,
    destination: &Destination<'_>,
    seen: Option<Option<Digest>>,
    options: &Options,
    observer: &dyn Observer,
    dry_run: bool,
) -> Result<Moving, CopyError> {
    let done = |already_present, moved| Moving::Done { already_present, moved };
    if dry_run {
        return Ok(match registry_copy::plan(source, destination, options).await? {
            Planned::Copy(to_move) => done(false, Moved::Planned(to_move)),
            Planned::AlreadyPresent(to_move) => done(true, Moved::Planned(to_move)),
            Planned::TagHeld { by } => Moving::Held { by },
        });
    }
    let copied = match seen {
        Some(held) => registry_copy::copy_as_seen(source, destination, held, options, observer).await?,
        None => registry_copy::copy(source, destination, options, observer).await?,
    };
    Ok(match copied {
        registry_copy::Outcome::Copied(transfer) => done(false, Moved::Done(transfer)),
        registry_copy::Outcome::AlreadyPresent(transfer) => done(true, Moved::Done(transfer)),
        registry_copy::Outcome::TagHeld { by } => Moving::Held { by },
    })
}

/// How a command that copies ends.
pub(crate) fn outcome(dry_run: bool, already_present: bool) -> Outcome {
    match (dry_run, already_present) {
        (true, _) => Outcome::Planned,
        (false, true) => Outcome::AlreadyPresent,
        (false, false) => Outcome::Copied,
    }
}
