//! The raw forms: two references, or one scalar in any repository. They ask no policy, so they refuse what is
//! configured.

mod write;

use aws::Access;
use ledger::{Branch, Remote, RepoPath};
use registry_copy::{CopyError, Destination, Observer, Options, Registry, RegistryError, Source, http};
use release::{Authority, Digest, Reference, Tag};

pub use self::write::{Write, revert, update};
use crate::{
    Account, Connect, CopyAccount, Error, Outcome,
    config::{self, Config, EnvironmentConfig},
    ecr,
    moving::{self, Moving},
};

/// A copy between two references.
#[derive(Clone, Copy)]
pub struct Copy<'a> {
    /// What is copied.
    pub source: &'a Reference,
    /// The tag that it goes to; it is never moved.
    pub destination: &'a Reference,
    /// The Ledger, where one was named: a registry of its conveyor.yaml is refused. Without one, any ECR host is.
    pub ledger: Option<(&'a dyn Remote, &'a Branch)>,
    /// Opens the registries.
    pub connect: &'a dyn Connect,
    /// Sees what a progress bar shows.
    pub observer: &'a dyn Observer,
    /// How, and when to give up.
    pub options: &'a Options,
    /// Look, and copy nothing.
    pub dry_run: bool,
}

/// Copies what one reference names to the tag of another.
///
/// # Errors
/// [`Error::GuardedRegistry`], [`Error::UnknownEcr`], [`Error::NoTag`], [`Error::NoSource`],
/// [`Error::OtherThanWritten`]; else as the copy fails.
pub async fn copy(copy: &Copy<'_>, account: &mut Account) -> Result<Outcome, Error> {
    let Copy { source, destination, .. } = *copy;
    let Some(tag) = &destination.tag else {
        return Err(Error::NoTag { destination: destination.clone() });
    };
    guard(destination, copy.ledger, account).await?;
    let writing = if copy.dry_run { Access::Read } else { Access::Write };
    // One registry is opened once, so that what is in it can be mounted.
    let reading = if source.registry == destination.registry { writing } else { Access::Read };
    let from = copy.connect.other_registry(&source.registry, &source.repository, reading).await?;
    let to = copy.connect.other_registry(&destination.registry, &destination.repository, writing).await?;
    let (digest, held) = look(copy, &*from, &*to, tag).await?;
    agree(destination.digest, source, digest)?;
    let told = |already_present, moved| CopyAccount {
        source: source.to_string(),
        source_registry: Some(source.registry.clone()),
        destination: Reference { digest: Some(digest), ..destination.clone() },
        digest,
        already_present,
        moved,
    };
    let origin = Source { registry: &*from, repository: source.repository.clone(), digest };
    let target = Destination { registry: &*to, repository: destination.repository.clone(), tag: tag.clone() };
    let failed = |failure| match failure {
        CopyError::Source(RegistryError::NoManifest { digest: missing, .. }) if missing == digest => {
            Error::NoSource { reference: source.clone() }
        }
        failure => Error::Copy { what: format!("{source} to {destination}"), source: failure },
    };
    let ended =
        moving::copy(&origin, &target, Some(held), copy.options, copy.observer, copy.dry_run).await.map_err(failed)?;
    let (already_present, moved) = match ended {
        Moving::Done { already_present, moved } => (already_present, moved),
        Moving::Held { by } => return Ok(Outcome::TagHeld { place: destination.clone(), by, wanted: digest }),
    };
    account.happened.copied = !copy.dry_run;
    let told = told(already_present, moved);
    account.warn_of_what_stays(&told);
    account.copy = Some(told);
    Ok(moving::outcome(copy.dry_run, already_present))
}

/// What is to be copied, and what the destination's tag holds: both registries are asked at once.
async fn look(
    copy: &Copy<'_>,
    from: &dyn Registry,
    to: &dyn Registry,
    tag: &Tag,
) -> Result<(Digest, Option<Digest>), Error> {
    let Copy { source, destination, .. } = *copy;
    let held = async {
        let held = registry_copy::pin(to, &destination.repository, tag).await;
        held.map_err(|failure| unanswered(destination, failure))
    };
    tokio::try_join!(pin(from, source), held)
}

/// Refuses a destination that only policy may fill.
async fn guard(
    destination: &Reference,
    ledger: Option<(&dyn Remote, &Branch)>,
    account: &mut Account,
) -> Result<(), Error> {
    let ecr = ecr::place_of(&destination.registry).map(|(account, _)| account);
    let Some((ledger, branch)) = ledger else {
        return if ecr.is_none() { Ok(()) } else { Err(Error::UnknownEcr { destination: destination.clone() }) };
    };
    let config = read_config(ledger, branch).await?;
    account.support = Some(config.support.clone());
    if let Some(of) = ecr
        && !of.bytes().all(|b| b.is_ascii_digit())
    {
        let rule = "it does not tell its account; write ACCOUNT.dkr.ecr.REGION.amazonaws.com".to_owned();
        return Err(Error::Argument { argument: destination.registry.to_string(), rule });
    }
    let guarded = |environment: &&EnvironmentConfig| {
        are_one(&environment.registry, &destination.registry)
            || environment.aws.as_ref().is_some_and(|aws| ecr == Some(aws.account.as_str()))
    };
    match config.environments.values().find(guarded) {
        Some(environment) => {
            let (destination, environment) = (destination.clone(), environment.name.clone());
            Err(Error::GuardedRegistry { destination, environment })
        }
        None => Ok(()),
    }
}

/// Whether two names may lead to one registry: those of one port of this machine, or Docker Hub's.
fn are_one(one: &Authority, other: &Authority) -> bool {
    let plain_http = |registry: &Authority| registry.is_loopback().then(|| registry.port().unwrap_or(80));
    plain_http(one).is_some_and(|port| plain_http(other) == Some(port)) || http::origin(one) == http::origin(other)
}

/// The digest of what a reference names. Where both are written, the tag must name the digest.
async fn pin(registry: &dyn Registry, source: &Reference) -> Result<Digest, Error> {
    let missing = || Error::NoSource { reference: source.clone() };
    let Some(tag) = &source.tag else { return source.digest.ok_or_else(missing) };
    let named = registry_copy::pin(registry, &source.repository, tag).await;
    let named = named.map_err(|failure| unanswered(source, failure))?.ok_or_else(missing)?;
    agree(source.digest, source, named)?;
    Ok(named)
}

fn unanswered(reference: &Reference, source: RegistryError) -> Error {
    Error::RawRegistry { registry: reference.registry.to_string(), source }
}

/// A digest that was written must be the one that was found.
fn agree(written: Option<Digest>, source: &Reference, found: Digest) -> Result<(), Error> {
    match written {
        Some(written) if written != found => {
            let reference = Reference { digest: source.digest.filter(|_| source.tag.is_none()), ..source.clone() };
            Err(Error::OtherThanWritten { reference, written, found })
        }
        _ => Ok(()),
    }
}

async fn read_config(ledger: &dyn Remote, branch: &Branch) -> Result<Config, Error> {
    let at = ledger.head(branch).await?;
    let found = ledger.read(&at, &[config_path()?]).await?.pop().flatten().ok_or(Error::NoConfig)?;
    Ok(Config::parse(&found.bytes)?)
}

fn config_path() -> Result<RepoPath, Error> {
    config::FILE.parse().map_err(|_| Error::NoConfig)
}

#[cfg(test)]
mod tests {
    use super::are_one;

    #[test]
    fn names_of_one_registry_are_known() {
        for (one, other, expected) in [
            ("registry.example", "REGISTRY.example:443", true),
            ("registry.example", "registry.example:5000", false),
            ("registry.example", "other.example", false),
            ("127.0.0.1:5000", "localhost:5000", true),
            ("127.0.0.1:5000", "127.0.0.1:5001", false),
            ("docker.io", "index.docker.io", true),
            ("docker.io", "registry-1.docker.io:443", true),
            ("index.docker.io", "registry-1.docker.io", true),
            ("docker.io", "docker.io:5000", false),
            ("docker.io", "auth.docker.io", false),
        ] {
            assert_eq!(are_one(&one.parse().unwrap(), &other.parse().unwrap()), expected, "{one} {other}");
            assert_eq!(are_one(&other.parse().unwrap(), &one.parse().unwrap()), expected, "{other} {one}");
        }
    }
}
