//! The sequences: publish, promote, and promote's two halves. Each reads, decides, acts, and is safe to run again.

use std::time::Duration;

use aws::Access;
use policy::{Intent, Step};
use registry_copy::Layout;
use release::Authority;
use tokio::time::{Instant, sleep};

use crate::{
    Account, Error, Outcome, World, act,
    decision::{Asked, Decision, Stop},
    scene::Scope,
};

/// Moves builds into an environment: facts, permit, copy, facts again, permit, Ledger with the record in the same
/// commit. All apps or none.
///
/// # Errors
/// [`Error`]; `account` says how far it came. Running it again converges.
pub async fn promote(world: &World<'_>, asked: &Asked, account: &mut Account) -> Result<Outcome, Error> {
    until_it_holds(world, account, async |account| {
        let decision = Decision::make(world, asked, Scope::Place, asked.copying(), account).await?;
        let open = decision.open(account).await?;
        if open.is_empty() {
            return Ok(unchanged(account));
        }
        if let Some(source) = &decision.servers.source {
            let permitted = decision.permits(&open, &Intent::Promote, Step::Copy, account).await?;
            if asked.dry_run {
                act::plan(&decision, &permitted, account).await?;
            }
            let copied = act::copy(&decision, permitted, &**source, from(&decision), asked.dry_run, account).await?;
            if asked.dry_run {
                return Ok(copied);
            }
        }
        write(&decision, &open, asked, account).await
    })
    .await
}

/// The first half of [`promote`]: the images, and no change of the environment.
///
/// # Errors
/// [`Error::NothingBefore`] for the first environment; else as [`promote`].
pub async fn copy_artifacts(world: &World<'_>, asked: &Asked, account: &mut Account) -> Result<Outcome, Error> {
    until_it_holds(world, account, async |account| {
        let decision = Decision::make(world, asked, Scope::Image, asked.copying(), account).await?;
        let Some(source) = &decision.servers.source else {
            return Err(Error::NothingBefore { environment: asked.to.clone() }.into());
        };
        let permitted = decision.permits(&decision.all(), &Intent::Promote, Step::Copy, account).await?;
        act::copy(&decision, permitted, &**source, from(&decision), asked.dry_run, account).await
    })
    .await
}

/// The second half of [`promote`]: the Ledger. The images must be in the target's registry by now.
///
/// # Errors
/// As [`promote`].
pub async fn update_ledger(world: &World<'_>, asked: &Asked, account: &mut Account) -> Result<Outcome, Error> {
    until_it_holds(world, account, async |account| {
        let decision = Decision::make(world, asked, Scope::Place, Access::Read, account).await?;
        let open = decision.open(account).await?;
        if open.is_empty() {
            return Ok(unchanged(account));
        }
        write(&decision, &open, asked, account).await
    })
    .await
}

/// Puts the image that CI has just built into the first environment's registry, under its build's tag.
///
/// # Errors
/// [`Error::NotFirst`] where the environment promotes from another; else as [`promote`].
pub async fn publish(
    world: &World<'_>,
    asked: &Asked,
    layout: &Layout,
    account: &mut Account,
) -> Result<Outcome, Error> {
    until_it_holds(world, account, async |account| {
        let digest = layout.root();
        let decision = Decision::publish(world, asked, digest, account).await?;
        if let Some(before) = &decision.scene.source {
            let (environment, source_environment) = (asked.to.clone(), before.name.clone());
            return Err(Error::NotFirst { environment, source_environment }.into());
        }
        let permitted = decision.permits(&decision.all(), &Intent::Publish, Step::Copy, account).await?;
        act::copy(&decision, permitted, layout, None, asked.dry_run, account).await
    })
    .await
}

/// Says what policy thinks of a promotion, rule by rule. A preview, never the gate.
///
/// # Errors
/// As [`promote`].
pub async fn check(world: &World<'_>, asked: &Asked, account: &mut Account) -> Result<Outcome, Error> {
    let asked = Asked { dry_run: true, ..asked.clone() };
    until_it_holds(world, account, async |account| {
        let decision = Decision::make(world, &asked, Scope::Place, Access::Read, account).await?;
        let step = if decision.scene.source.is_some() { Step::Copy } else { Step::Change };
        decision.permits(&decision.all(), &Intent::Promote, step, account).await?;
        // Allowed by the rules, and still not to be done where a newer build is there.
        decision.open(account).await?;
        Ok(Outcome::Allowed)
    })
    .await
}

/// Decides on the facts as they are after the copy, and writes.
async fn write(
    decision: &Decision<'_>,
    open: &[(usize, crate::decision::Standing)],
    asked: &Asked,
    account: &mut Account,
) -> Result<Outcome, Stop> {
    let permitted = decision.permits(open, &Intent::Promote, Step::Change, account).await?;
    account.happened.copied = true;
    if asked.dry_run {
        act::plan(decision, &permitted, account).await?;
        return Ok(Outcome::Planned);
    }
    act::change(decision, permitted, asked.propose, account).await
}

fn unchanged(account: &mut Account) -> Outcome {
    account.happened.copied = !account.unseen;
    account.happened.ledger = Some(true);
    Outcome::Unchanged
}

/// The registry that the images come from.
fn from<'d>(decision: &'d Decision<'_>) -> Option<&'d Authority> {
    decision.scene.source.as_ref().map(|source| &source.registry)
}

/// Decides again while what was decided on moves, and tries again while a fault may pass, until the deadline.
async fn until_it_holds(
    world: &World<'_>,
    account: &mut Account,
    mut once: impl AsyncFnMut(&mut Account) -> Result<Outcome, Stop>,
) -> Result<Outcome, Error> {
    let mut pause = Duration::from_millis(100);
    let mut last = Error::Deadline;
    loop {
        let ended = match tokio::time::timeout_at(world.deadline, once(account)).await {
            Ok(Ok(outcome) | Err(Stop::Outcome(outcome))) => Ok(outcome),
            Ok(Err(Stop::Error(error))) => Err(error),
            // What went wrong before says more than that the time is up.
            Err(_) => return Err(last),
        };
        let again = match &ended {
            Ok(outcome) => matches!(outcome, Outcome::ReadsMoved { .. } | Outcome::NeverWon { .. }),
            Err(error) => error.is_retryable(),
        };
        let wait = pause.mul_f64(0.5 + fastrand::f64());
        if !again || Instant::now() + wait >= world.deadline {
            return ended;
        }
        if let Err(error) = ended {
            world.observer.again(&error, wait);
            last = error;
        }
        sleep(wait).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}
